//! A program that is told of its own events: `cargo run -p ropewalk-webhooks --example hook`.
#![expect(clippy::print_stdout, reason = "an example says what it does")]

use std::{error::Error, sync::Arc};

use axum::{Router, body::Bytes, routing::post};
use http::HeaderMap;
use ropewalk_store::{Batch, Kind, Organization, Put, Store, SystemClock, TimeOrderedIds};
use ropewalk_types::UnixSeconds;
use ropewalk_webhooks::{Endpoints, NewEndpoint, SigningSecret, WebhookOptions, Webhooks};
use tokio::{net::TcpListener, sync::mpsc};
use tokio_util::sync::CancellationToken;

type Told = (HeaderMap, Bytes);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let (telling, mut told) = mpsc::channel::<Told>(8);
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}/hook", listener.local_addr()?);
    let receive = async move |headers: HeaderMap, body: Bytes| drop(telling.send((headers, body)).await);
    tokio::spawn(async move { axum::serve(listener, Router::new().route("/hook", post(receive))).await });

    let store = Store::in_memory();
    let wanted = NewEndpoint::new("acme", url).event("coil.wound");
    let created = Endpoints::new(&store).create(wanted, UnixSeconds(1_700_000_000)).await?;
    let mut options = WebhookOptions::default();
    options.allow_private = true; // The receiver is this machine.
    let webhooks = Webhooks::new(store.clone(), Arc::new(SystemClock), Arc::new(TimeOrderedIds), options);
    webhooks.refresh().await?;
    let stop = CancellationToken::new();
    let worker = tokio::spawn({
        let (webhooks, stop) = (webhooks.clone(), stop.clone());
        async move { webhooks.work(stop).await }
    });

    let acme = Organization::new("acme");
    for number in 1..=3 {
        let (id, body) = (format!("coil_{number}"), format!(r#"{{"id":"coil_{number}"}}"#));
        let deliveries = webhooks.announce(&acme, "coil.wound", &id, || body.clone().into());
        let batch = Batch::new().put(Put::new(Kind::Assistant, &*id, 0, body));
        store.scope(acme.clone()).commit(deliveries.into_iter().fold(batch, Batch::put)).await?;
        webhooks.wake();
    }
    for _ in 1..=3 {
        let (headers, body) = told.recv().await.ok_or("the receiver is gone")?;
        let honest = is_signed(&created.secret, &headers, &body)?;
        println!("{} (signature {})", std::str::from_utf8(&body)?, if honest { "good" } else { "bad" });
    }
    stop.cancel();
    Ok(worker.await?)
}

/// What a receiver checks; in earnest also the age of the timestamp, and in constant time.
fn is_signed(secret: &SigningSecret, headers: &HeaderMap, body: &[u8]) -> Result<bool, Box<dyn Error>> {
    let header =
        |name| headers.get(name).ok_or("a header is missing")?.to_str().map_err(Box::<dyn Error>::from);
    let expected = secret.sign(header("webhook-id")?, header("webhook-timestamp")?.parse()?, body);
    Ok(header("webhook-signature")?.split(' ').any(|signature| signature == expected))
}
