//! What a connection may do, over real sockets.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use ropewalk_model::{ScriptedModel, Turn};
use ropewalk_server::{Runtime, RuntimeOptions, serve};
use ropewalk_store::{Blobs, Store};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::oneshot,
    task::JoinHandle,
};

struct Server {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    served: JoinHandle<std::io::Result<()>>,
}

impl Server {
    async fn start(options: RuntimeOptions) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let model = Arc::new(ScriptedModel::with_turns([Turn::text("Hello.")]));
        let runtime = Runtime::new(Store::in_memory(), Blobs::in_memory(), model, options);
        let (stop, stopped) = oneshot::channel();
        let stopped = async { drop(stopped.await) };
        let served = tokio::spawn(serve(listener, runtime, stopped, Duration::from_secs(5)));
        Self { address, stop, served }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    async fn stop(self) {
        self.stop.send(()).unwrap();
        self.served.await.unwrap().unwrap();
    }
}

/// All that comes until the other side closes.
async fn rest(socket: &mut TcpStream) -> String {
    let mut text = Vec::new();
    // What was reset after its answer has answered.
    let _reset = socket.read_to_end(&mut text).await;
    String::from_utf8(text).unwrap()
}

/// The answer to one request on a connection that is closed after it.
async fn ask(socket: &mut TcpStream, request: &str) -> String {
    socket.write_all(request.as_bytes()).await.unwrap();
    rest(socket).await
}

const MODELS: &str = "GET /v1/models HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";

#[tokio::test]
async fn a_connection_without_room_is_told_so_and_room_is_given_back() {
    let mut options = RuntimeOptions::default();
    options.bounds.connections = 1;
    let server = Server::start(options).await;
    let mut first = server.connect().await;
    first.write_all(b"GET /v1/models HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    first.readable().await.unwrap();

    let refused = ask(&mut server.connect().await, MODELS).await;
    assert!(refused.starts_with("HTTP/1.1 503 ") && refused.contains("\r\nretry-after: 1\r\n"), "{refused}");
    assert!(
        refused.contains(r#""type":"server_error""#) && refused.contains("x-request-id: req_"),
        "{refused}"
    );

    first.shutdown().await.unwrap();
    rest(&mut first).await;
    loop {
        let answer = ask(&mut server.connect().await, MODELS).await;
        if answer.starts_with("HTTP/1.1 200 ") {
            break;
        }
    }
    server.stop().await;
}

#[tokio::test]
async fn headers_and_addresses_just_over_the_bounds_are_answered_in_words() {
    let server = Server::start(RuntimeOptions::default()).await;
    let header = format!("x-long: {}\r\n", "x".repeat(70_000));
    let many: String = (0..70).map(|n| format!("x-{n}: y\r\n")).collect();
    let long = format!("/v1/models?x={}", "x".repeat(9000));
    for (path, headers, status) in
        [("/v1/models", &*header, 431), ("/v1/models", &many, 431), (&long, "", 414)]
    {
        let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{headers}\r\n");
        let answer = ask(&mut server.connect().await, &request).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
        assert!(answer.contains(r#""type":"invalid_request_error""#), "{answer}");
    }
    server.stop().await;
}

#[tokio::test]
async fn an_error_ahead_of_the_bodys_end_closes_the_connection_and_others_do_not() {
    let server = Server::start(RuntimeOptions::default()).await;
    // The body is never sent.
    let head = "POST /v1/nowhere HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\n";
    let answer = ask(&mut server.connect().await, head).await;
    assert!(answer.starts_with("HTTP/1.1 404 ") && answer.contains("\r\nconnection: close\r\n"), "{answer}");

    let read =
        "POST /v1/threads HTTP/1.1\r\nhost: x\r\nopenai-beta: assistants=v2\r\ncontent-length: 1\r\n\r\n{";
    let answers = ask(&mut server.connect().await, &format!("{read}{MODELS}")).await;
    assert!(answers.starts_with("HTTP/1.1 400 ") && answers.contains("HTTP/1.1 200 "), "{answers}");
    server.stop().await;
}

/// Sends `piece` until the other side has enough; the bytes that it took, and its last words.
async fn flood(socket: TcpStream, piece: &[u8]) -> (usize, String) {
    let (mut input, mut output) = socket.into_split();
    let answer = tokio::spawn(async move {
        let mut text = Vec::new();
        let _reset = input.read_to_end(&mut text).await;
        String::from_utf8(text).unwrap()
    });
    let mut sent = 0;
    while sent < 256 * 1024 * 1024 && !answer.is_finished() && output.write_all(piece).await.is_ok() {
        sent += piece.len();
    }
    drop(output);
    (sent, answer.await.unwrap())
}

#[tokio::test]
async fn endless_headers_and_endless_bodies_are_cut_off() {
    let mut options = RuntimeOptions::default();
    options.max_body_bytes = 100_000;
    let server = Server::start(options).await;
    // What the sockets of both sides hold besides.
    let in_flight = 16 * 1024 * 1024;

    let mut socket = server.connect().await;
    socket.write_all(b"GET /v1/models HTTP/1.1\r\nhost: x\r\nx-endless: ").await.unwrap();
    let (sent, answer) = flood(socket, &[b'x'; 16 * 1024]).await;
    assert!(
        sent < in_flight && (answer.starts_with("HTTP/1.1 431 ") || answer.is_empty()),
        "{sent}: {answer}"
    );

    let mut socket = server.connect().await;
    let head = "POST /v1/threads HTTP/1.1\r\nhost: x\r\nopenai-beta: assistants=v2\r\ntransfer-encoding: chunked\r\n\r\n";
    socket.write_all(head.as_bytes()).await.unwrap();
    let piece = format!("4000\r\n{}\r\n", "x".repeat(0x4000));
    let (sent, answer) = flood(socket, piece.as_bytes()).await;
    assert!(
        sent < in_flight && (answer.starts_with("HTTP/1.1 413 ") || answer.is_empty()),
        "{sent}: {answer}"
    );
    server.stop().await;
}

/// The clock runs ahead while nobody has anything to do.
#[tokio::test(start_paused = true)]
async fn whoever_does_not_go_on_is_let_go() {
    let server = Server::start(RuntimeOptions::default()).await;
    for begun in ["", "GET /v1/models HT"] {
        let answer = ask(&mut server.connect().await, begun).await;
        assert!(answer.is_empty(), "{answer}");
    }
    let head =
        "POST /v1/threads HTTP/1.1\r\nhost: x\r\nopenai-beta: assistants=v2\r\ncontent-length: 9\r\n\r\n{";
    let answer = ask(&mut server.connect().await, head).await;
    assert!(answer.starts_with("HTTP/1.1 408 ") && answer.contains("stopped coming"), "{answer}");
    server.stop().await;
}
