use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use ropewalk::{
    Client, CreateAssistant, CreateMessage, CreateRun, CreateThread, Event, Function, RetryPolicy, Runtime,
    RuntimeOptions, ScriptedModel, SubmitToolOutputs, Tool, ToolOutput,
    model::Turn,
    serve,
    store::{Blobs, Store},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
};

/// Bytes of a reply after which the line breaks: more than its head and an event or two.
const BREAKS_AFTER: usize = 4000;

/// A server on a port of its own.
async fn server(turns: impl IntoIterator<Item = Turn>) -> SocketAddr {
    let model = Arc::new(ScriptedModel::with_turns(turns));
    let runtime = Runtime::new(Store::in_memory(), Blobs::in_memory(), model, RuntimeOptions::default());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(serve(listener, runtime, std::future::pending(), Duration::ZERO));
    address
}

/// A port that leads to `server` over lines that break; how many did is counted.
async fn broken_line(server: SocketAddr) -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let broken = Arc::new(AtomicUsize::new(0));
    let count = broken.clone();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let count = count.clone();
            tokio::spawn(async move {
                let (from_client, to_client) = client.into_split();
                let (from_server, to_server) = TcpStream::connect(server).await.unwrap().into_split();
                let left = AtomicUsize::new(BREAKS_AFTER);
                tokio::select! {
                    () = asked(from_client, to_server, &left) => {}
                    () = said(from_server, to_client, &left) => {}
                }
                count.fetch_add(usize::from(left.into_inner() == 0), Ordering::Relaxed);
            });
        }
    });
    (address, broken)
}

async fn asked(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, left: &AtomicUsize) {
    let mut buffer = [0; 4096];
    while let Ok(length @ 1..) = from.read(&mut buffer).await {
        left.store(BREAKS_AFTER, Ordering::Relaxed);
        to.write_all(&buffer[..length]).await.unwrap();
    }
}

async fn said(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, left: &AtomicUsize) {
    let mut buffer = [0; 4096];
    while let Ok(length @ 1..) = from.read(&mut buffer).await {
        let length = length.min(left.load(Ordering::Relaxed));
        if to.write_all(&buffer[..length]).await.is_err()
            || left.fetch_sub(length, Ordering::Relaxed) == length
        {
            return;
        }
    }
}

fn client(address: SocketAddr) -> Client {
    let soon = RetryPolicy::default().backoff(Duration::from_millis(1), Duration::from_millis(1));
    Client::builder().base_url(format!("http://{address}/v1")).resume(soon).build().unwrap()
}

#[tokio::test]
async fn a_run_over_a_line_that_keeps_breaking_is_told_whole() {
    let long = "Splice, whip and serve. ".repeat(40);
    let server = server([Turn::calls([("length", "{}")]), Turn::text(&long)]).await;
    let (line, broken) = broken_line(server).await;
    let (near, far) = (client(server), client(line));
    let assistant = CreateAssistant::new("gpt-4o").tool(Tool::function(Function::new("length")));
    let assistant = near.assistants().create(assistant).await.unwrap();
    let thread = CreateThread::new().message(CreateMessage::user("How long is it?"));
    let thread = near.threads().create(thread).await.unwrap();

    let events = far.runs().create_stream(&thread.id, CreateRun::new(&assistant.id)).await.unwrap();
    let mut seen = events.collect().await.unwrap();
    assert_eq!(seen.pop(), Some(Event::Done));
    let Some(Event::RunRequiresAction(run)) = seen.last().cloned() else { panic!("{seen:?}") };
    let outputs = SubmitToolOutputs::new(vec![ToolOutput::new("call_0", "7")]);
    let events = far.runs().submit_tool_outputs_stream(&thread.id, &run.id, outputs).await.unwrap();
    seen.extend(events.collect().await.unwrap());

    let whole = near.runs().events(&thread.id, &run.id, 0).await.unwrap().collect().await.unwrap();
    assert_eq!(seen, whole);
    assert!(whole.len() > 100 && broken.load(Ordering::Relaxed) > 5, "{broken:?}");
    let again = far.runs().events(&thread.id, &run.id, 0).await.unwrap().collect().await.unwrap();
    assert_eq!(again, whole);
}
