//! Run with `cargo run -p ropewalk-store --example notes`.
//!
//! A notebook that outlives the process: notes in order, one editor at a time, reminders that a worker claims.
#![expect(clippy::print_stdout, reason = "an example shows its work")]

use ropewalk_store::{
    Batch, Expect, Kind, ListRequest, Organization, Put, Store, StoreError, TimeOrderedIds,
};
use ropewalk_types::{Id, MessageId, Order};
use serde_json::{Value, json};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), StoreError> {
    let folder = std::env::temp_dir().join("ropewalk-notes");
    let store = Store::sqlite(&folder)?;
    let ada = store.scope(Organization::new("ada"));

    // The notebook is a thread, its notes are messages below it. The first run makes it, the next ones add to it.
    let notebook = Put::new(Kind::Thread, "notebook", 0, "{}").expect(Expect::Absent);
    match ada.commit(Batch::new().put(notebook)).await {
        Ok(()) => println!("a new notebook in {}", folder.display()),
        Err(StoreError::AlreadyExists { .. }) => println!("the notebook in {}", folder.display()),
        Err(error) => return Err(error),
    }

    // All of a batch is stored, or nothing: no note without its notebook.
    let mut batch = Batch::new().require(Kind::Thread, "notebook");
    for (created_at, text) in [(10, "lay the strands"), (20, "twist them"), (30, "coil the rope")] {
        let id = MessageId::mint(&TimeOrderedIds);
        let body = json!({ "text": text }).to_string();
        batch = batch.put(Put::new(Kind::Message, id.as_str(), created_at, body).parent("notebook"));
    }
    ada.commit(batch).await?;

    let mut request = ListRequest::new(Kind::Message).parent("notebook").order(Order::Asc).limit(2);
    loop {
        let page = ada.list(&request).await?;
        for note in &page.documents {
            println!("  {} {}", note.id, note.decode::<Value>()?["text"]);
        }
        let Some(last) = page.documents.last().filter(|_| page.has_more) else { break };
        println!("  -- next page");
        request = request.after(&last.id);
    }

    // A lock has one holder: the second editor is told who has the pen.
    let editor =
        |id: &str| Batch::new().put(Put::new(Kind::Run, id, 40, "{}").lock("notebook").due_at(5_000));
    ada.commit(editor("first")).await?;
    println!(
        "second editor: {}",
        ada.commit(editor("second")).await.map_or_else(|e| e.to_string(), |()| "in".into())
    );

    // Work that is due is claimed by one worker, whoever it belongs to, until its lease ends.
    for claim in store.claim(Kind::Run, 5_000, 65_000, 10).await? {
        println!(
            "claimed {} of {}, fence {}",
            claim.document.id,
            claim.scope.organization(),
            claim.document.fence
        );
        claim.scope.commit(Batch::new().delete(Kind::Run, claim.document.id)).await?;
    }
    Ok(())
}
