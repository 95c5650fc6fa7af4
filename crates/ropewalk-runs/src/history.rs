//! The messages of a thread as a run is shown them.

use std::collections::HashMap;

use ropewalk_store::{Document, Kind, ListRequest, Scope, StoreError};
use ropewalk_types::{Message, Order, Run, RunId, TruncationKind};
use serde::{Deserialize, Serialize};

/// Messages of a thread that a run loads at most: its newest, and the first of the thread.
const MOST: usize = 1000;
const PAGE: usize = 100;

/// What is kept of a message beside its wire form.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct MessageState {
    /// Runs that were not over when it came. It is not shown to them, and to later ones behind their answers.
    pub(crate) behind: Vec<RunId>,
}

/// A message and what it stands behind.
type Entry = (Message, Vec<RunId>);

/// What `run` may be shown of its thread, its own messages included, in the order in which things were said.
pub(crate) async fn history(scope: &Scope, run: &Run) -> Result<Vec<Message>, StoreError> {
    let wanted = match &run.truncation_strategy {
        Some(strategy) if strategy.kind == TruncationKind::LastMessages => {
            strategy.last_messages.map_or(MOST, |n| usize::try_from(n).unwrap_or(MOST).min(MOST))
        }
        _ => MOST,
    };
    let list = || ListRequest::new(Kind::Message).parent(run.thread_id.as_str());
    let mut entries: Vec<Entry> = Vec::new();
    let mut others = 0;
    let mut last: Option<String> = None;
    loop {
        let mut newest = list().limit(PAGE);
        newest.after = last.take();
        let page = scope.list(&newest).await?;
        for document in &page.documents {
            let (message, behind) = entry(document)?;
            if !behind.contains(&run.id) {
                others += usize::from(message.run_id.as_ref() != Some(&run.id));
                entries.push((message, behind));
            }
        }
        last = page.documents.last().map(|document| document.id.clone());
        if !page.has_more {
            break;
        }
        if others >= wanted {
            // What is left out is the middle: the first message often says what the thread is about.
            if let Some(first) = scope.list(&list().limit(1).order(Order::Asc)).await?.documents.first() {
                entries.push(entry(first)?);
            }
            break;
        }
    }
    entries.reverse();
    Ok(arranged(entries))
}

fn entry(document: &Document) -> Result<Entry, StoreError> {
    let state: Option<MessageState> = document.decode_state()?;
    Ok((document.decode()?, state.unwrap_or_default().behind))
}

/// Moves each message behind the last answer of the runs that it stands behind; all else stays as it is.
fn arranged(entries: Vec<Entry>) -> Vec<Message> {
    let answers: HashMap<RunId, usize> = entries
        .iter()
        .enumerate()
        .filter_map(|(position, (message, _))| Some((message.run_id.clone()?, position)))
        .collect();
    let mut placed: Vec<((usize, bool), Message)> = entries
        .into_iter()
        .enumerate()
        .map(|(position, (message, behind))| {
            let answer = behind.iter().filter_map(|run| answers.get(run).copied()).max();
            match answer.filter(|answer| *answer > position) {
                Some(answer) => ((answer, true), message),
                None => ((position, false), message),
            }
        })
        .collect();
    placed.sort_by_key(|(place, _)| *place);
    placed.into_iter().map(|(_, message)| message).collect()
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};
    use ropewalk_types::{CreateMessage, UnixSeconds};

    use super::*;

    /// A message of run `run`, or of nobody, behind these runs.
    fn entry(id: usize, run: Option<u8>, behind: &[u8]) -> Entry {
        let text = CreateMessage::user("x");
        let mut message = Message::new(format!("msg_{id}").into(), "thread_1".into(), UnixSeconds(0), text);
        message.run_id = run.map(|run| format!("run_{run}").into());
        (message, behind.iter().map(|run| format!("run_{run}").into()).collect())
    }

    proptest! {
        /// No message is lost or doubled, each stands behind the answers that it waited for, and what waited for
        /// nothing keeps its order.
        #[test]
        fn messages_stand_behind_what_they_waited_for(
            said in vec((proptest::option::of(0..4_u8), vec(0..4_u8, 0..3)), 0..20),
        ) {
            let said: Vec<_> = said.into_iter()
                .map(|(run, behind)| if run.is_some() { (run, Vec::new()) } else { (run, behind) })
                .collect();
            let entries = said.iter().enumerate().map(|(id, (run, behind))| entry(id, *run, behind)).collect();
            let order: Vec<usize> = arranged(entries).iter()
                .map(|message| message.id.as_str().strip_prefix("msg_").unwrap().parse().unwrap())
                .collect();
            let mut sorted = order.clone();
            sorted.sort_unstable();
            prop_assert_eq!(sorted, (0..said.len()).collect::<Vec<_>>());
            let place = |id: usize| order.iter().position(|other| *other == id).unwrap();
            for (id, (_, behind)) in said.iter().enumerate() {
                for (other, (run, _)) in said.iter().enumerate() {
                    if run.is_some_and(|run| behind.contains(&run)) {
                        prop_assert!(place(other) < place(id));
                    }
                }
            }
            let unmoved: Vec<usize> = order.iter().copied().filter(|id| said[*id].1.is_empty()).collect();
            prop_assert!(unmoved.is_sorted());
        }
    }
}
