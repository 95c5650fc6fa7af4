use std::{collections::HashMap, time::Duration};

use async_openai::types::{
    InputSource,
    assistants::{
        AssistantTools, AssistantToolsFileSearch, CreateMessageRequestArgs, CreateRunRequestArgs,
        MessageAttachment, MessageAttachmentTool, RunStatus, RunStepDetailsToolCalls, StepDetails,
    },
    files::{
        CreateFileRequest, FileExpirationAfter, FileExpirationAfterAnchor, FileInput, FilePurpose, OpenAIFile,
    },
    uploads::{
        AddUploadPartRequest, CompleteUploadRequest, CreateUploadRequest, UploadPurpose, UploadStatus,
    },
    vectorstores::{
        AttributeValue, ComparisonFilter, ComparisonType, CreateVectorStoreFileBatchRequest,
        CreateVectorStoreFileRequest, CreateVectorStoreRequest, Filter,
        UpdateVectorStoreFileAttributesRequest, UpdateVectorStoreRequest, VectorStoreFileAttributes,
        VectorStoreFileObject, VectorStoreFileStatus, VectorStoreSearchQuery, VectorStoreSearchRequest,
    },
};
use ropewalk_conformance::{Desk, calls, says};

use crate::helpers::{assistant, refused, settled, thread};

const KNOTS: &str = "The bowline is a knot that makes a fixed loop.";

async fn upload(desk: &Desk, name: &str, text: &str, purpose: FilePurpose) -> OpenAIFile {
    let file = FileInput::from_vec_u8(name.to_owned(), text.into());
    let expires_after =
        Some(FileExpirationAfter { anchor: FileExpirationAfterAnchor::CreatedAt, seconds: 3600 });
    desk.client.files().create(CreateFileRequest { file, purpose, expires_after }).await.unwrap()
}

fn year(year: i64) -> VectorStoreFileAttributes {
    HashMap::from([("year".to_owned(), AttributeValue::Number(year))]).into()
}

/// Polls a file of a store until it is taken in.
async fn taken_in(desk: &Desk, store: &str, file: &str) -> VectorStoreFileObject {
    loop {
        let found = desk.client.vector_stores().files(store).retrieve(file).await.unwrap();
        if found.status != VectorStoreFileStatus::InProgress {
            return found;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_file_is_kept_listed_read_and_deleted() {
    let desk = Desk::new();
    let files = desk.client.files();
    let made = upload(&desk, "knots.txt", KNOTS, FilePurpose::Vision).await;
    assert_eq!((&*made.filename, made.bytes as usize), ("knots.txt", KNOTS.len()));
    assert_eq!(made.expires_at, Some(made.created_at + 3600));
    assert_eq!(files.retrieve(&made.id).await.unwrap(), made);
    assert_eq!(files.list().await.unwrap().data, [made.clone()]);
    assert_eq!(files.content(&made.id).await.unwrap(), KNOTS);
    assert!(files.delete(&made.id).await.unwrap().deleted);
    let (status, error) = refused(files.retrieve(&made.id).await);
    assert_eq!((status, error.param.as_deref()), (404, Some("id")));
}

#[tokio::test]
async fn an_upload_in_parts_becomes_a_file() {
    let desk = Desk::new();
    let uploads = desk.client.uploads();
    let request = CreateUploadRequest {
        filename: "knots.txt".into(),
        purpose: UploadPurpose::Vision,
        bytes: KNOTS.len() as u64,
        mime_type: "text/plain".into(),
        expires_after: None,
    };
    let upload = uploads.create(request.clone()).await.unwrap();
    let mut part_ids = Vec::new();
    for piece in [&KNOTS[..9], &KNOTS[9..]] {
        let data = InputSource::VecU8 { filename: "part".into(), vec: piece.into() };
        part_ids.push(uploads.add_part(&upload.id, AddUploadPartRequest { data }).await.unwrap().id);
    }
    let done = uploads.complete(&upload.id, CompleteUploadRequest { part_ids, md5: None }).await.unwrap();
    assert!(matches!(done.status, UploadStatus::Completed));
    assert_eq!(desk.client.files().content(&done.file.unwrap().id).await.unwrap(), KNOTS);
    let other = uploads.create(request).await.unwrap();
    assert!(matches!(uploads.cancel(&other.id).await.unwrap().status, UploadStatus::Cancelled));
}

#[tokio::test]
async fn a_vector_store_takes_files_in_and_is_searched() {
    let desk = Desk::new();
    let stores = desk.client.vector_stores();
    let request = CreateVectorStoreRequest { name: Some("Library".into()), ..Default::default() };
    let store = stores.create(request).await.unwrap().id;
    let knots = upload(&desk, "knots.txt", KNOTS, FilePurpose::Assistants).await.id;
    let sails = upload(&desk, "sails.md", "A spinnaker is a sail.", FilePurpose::Assistants).await.id;

    let files = stores.files(&store);
    let request = CreateVectorStoreFileRequest {
        file_id: knots.clone(),
        attributes: Some(year(2001)),
        ..Default::default()
    };
    files.create(request).await.unwrap();
    assert_eq!(taken_in(&desk, &store, &knots).await.status, VectorStoreFileStatus::Completed);
    let request =
        CreateVectorStoreFileBatchRequest { file_ids: Some(vec![sails.clone()]), ..Default::default() };
    let batch = stores.file_batches(&store).create(request).await.unwrap();
    taken_in(&desk, &store, &sails).await;
    assert_eq!(stores.file_batches(&store).retrieve(&batch.id).await.unwrap().file_counts.completed, 1);
    assert_eq!(stores.file_batches(&store).list_files(&batch.id).await.unwrap().data[0].id, sails);
    assert_eq!(stores.retrieve(&store).await.unwrap().file_counts.completed, 2);

    let changed = files
        .update(&knots, UpdateVectorStoreFileAttributesRequest { attributes: year(2002) })
        .await
        .unwrap();
    assert_eq!(changed.attributes, Some(year(2002)));
    assert_eq!(files.retrieve_file_content(&knots).await.unwrap().data[0].text, KNOTS);
    let filter =
        ComparisonFilter { r#type: ComparisonType::GreaterThan, key: "year".into(), value: 2001.into() };
    let request = VectorStoreSearchRequest {
        query: VectorStoreSearchQuery::Text("knot".into()),
        filters: Some(Filter::Comparison(filter)),
        ..Default::default()
    };
    let found = stores.search(&store, request).await.unwrap();
    assert_eq!(
        (found.data.len(), &*found.data[0].filename, &*found.data[0].content[0].text),
        (1, "knots.txt", KNOTS)
    );
    assert_eq!(found.data[0].attributes, year(2002));

    assert!(files.delete(&sails).await.unwrap().deleted);
    assert_eq!(files.list().await.unwrap().data.len(), 1);
    let request = UpdateVectorStoreRequest { name: Some("Other".into()), ..Default::default() };
    assert_eq!(stores.update(&store, request).await.unwrap().name.as_deref(), Some("Other"));
    assert_eq!(stores.list().await.unwrap().data.len(), 1);
    assert!(stores.delete(&store).await.unwrap().deleted);
    assert_eq!(refused(stores.retrieve(&store).await).0, 404);
}

#[tokio::test]
async fn a_run_searches_in_an_attachment() {
    let desk = Desk::new();
    let file_id = upload(&desk, "knots.txt", KNOTS, FilePurpose::Assistants).await.id;
    let thread_id = thread(&desk, "Begin.").await;
    let mut message = CreateMessageRequestArgs::default();
    let attachment =
        MessageAttachment { file_id: file_id.clone(), tools: vec![MessageAttachmentTool::FileSearch] };
    message.content("Which knot?").attachments(vec![attachment]);
    let threads = desk.client.threads();
    threads.messages(&thread_id).create(message.build().unwrap()).await.unwrap();
    let model =
        desk.model(&[calls(&[("call_s", "file_search", r#"{"query":"knot"}"#)]), says(&["It is."])]).await;
    let clerk =
        assistant(&desk, &model, vec![AssistantTools::FileSearch(AssistantToolsFileSearch::default())]).await;
    let request = CreateRunRequestArgs::default().assistant_id(clerk).build().unwrap();
    let run = settled(&desk, threads.runs(&thread_id).create(request).await.unwrap()).await;
    assert_eq!(run.status, RunStatus::Completed, "{:?}", run.last_error);
    let steps = threads.runs(&thread_id).steps(&run.id).list().await.unwrap().data;
    let StepDetails::ToolCalls(searched) = &steps[1].step_details else { panic!("{steps:?}") };
    let RunStepDetailsToolCalls::FileSearch(call) = &searched.tool_calls[0] else { panic!("{searched:?}") };
    let results = call.file_search.results.as_ref().unwrap();
    assert_eq!((&*results[0].file_id, &*results[0].file_name), (&*file_id, "knots.txt"));
}
