//! cargo run -p ropewalk-transport --example get
//!
//! Asks a server that wants a key and is busy at first. The server lives in this process; put an `HttpLeaf` in
//! place of `InProcess` and the same code asks one far away.
#![expect(clippy::print_stdout, reason = "a program that shows something")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use axum::Router;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::Request;
use ropewalk_transport::{AuthLayer, Body, InProcess, MaxRetries, RetryPolicy, Secret, Transport};

/// Refuses who has no key, is busy on two calls of three, and then answers.
async fn greet(headers: HeaderMap, calls: Arc<AtomicU32>) -> Response {
    if headers.get("authorization").is_none_or(|key| key != "Bearer sk-example") {
        return (StatusCode::UNAUTHORIZED, "who are you?").into_response();
    }
    match calls.fetch_add(1, Ordering::Relaxed) % 3 {
        2 => "welcome to the ropewalk".into_response(),
        call => {
            println!("  server: busy, call {call}");
            (StatusCode::TOO_MANY_REQUESTS, [("retry-after-ms", "50")], "busy").into_response()
        }
    }
}

async fn ask(transport: &Transport, retries: u32) -> anyhow::Result<()> {
    let request =
        Request::get("http://localhost/greeting").extension(MaxRetries(retries)).body(Body::empty())?;
    let response = transport.send(request).await?;
    let status = response.status();
    let text = response.into_body().collect(1024).await?;
    println!("{status}: {}", String::from_utf8_lossy(&text));
    Ok(())
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let calls = Arc::new(AtomicU32::new(0));
    let server = Router::new().route("/greeting", get(|headers| greet(headers, calls)));
    let leaf = InProcess::new(server);

    println!("without a key:");
    ask(&Transport::new(leaf.clone()), 2).await?;

    let key = Secret::new("sk-example");
    let transport = Transport::builder(leaf)
        .auth(AuthLayer::new().bearer(&key)?)
        .retry(RetryPolicy::default())
        .header_timeout(Duration::from_secs(5))
        .build();
    println!("with the key {key}:");
    ask(&transport, 2).await?;
    println!("with the key, but no patience:");
    ask(&transport, 0).await
}
