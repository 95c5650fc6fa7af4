use std::{
    io::{self, Write},
    sync::{Arc, Mutex},
};

use tracing_subscriber::fmt::MakeWriter;

use crate::{receiver::Receiver, world::World};

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

#[tokio::test]
async fn no_secret_no_url_and_nothing_of_an_event_is_logged() {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(log.clone());
    let _guard = tracing::subscriber::set_default(subscriber.finish());
    // While there is but one subscriber, a line that another test's thread meets first is off for all threads.
    let _second = tracing::Dispatch::new(tracing_subscriber::registry());
    let (mut world, receiver) = (World::new(), Receiver::new().await);
    let closed = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap()
    };
    let urls = [
        receiver.url("500?token=hidden-token"),
        receiver.url("200?token=hidden-token"),
        receiver.url("410?token=hidden-token"),
        format!("http://{closed}/hidden-token"),
        "https://no-such-host.invalid/hidden-token".to_owned(),
    ];
    let mut secrets = Vec::new();
    for url in urls {
        secrets.push(world.hook("acme", url).await.secret.reveal()[6..].to_owned());
    }
    world.work();
    world.happens("acme", "coil.wound", "hidden-object").await;
    world
        .until(async |world| {
            let stats = world.webhooks.stats();
            stats.failed_tries == 3 && stats.delivered == 1 && stats.under_way == 0
        })
        .await;
    let logged = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    let ours: String = logged.lines().filter(|line| line.contains("ropewalk_webhooks")).collect();
    assert!(ours.contains("webhook not told yet") && ours.contains("410 Gone"), "{ours}");
    assert!(!ours.contains("hidden"), "{ours}");
    assert!(secrets.iter().all(|secret| !logged.contains(secret)));
    let shown = format!("{world:?}", world = world.webhooks);
    assert!(!shown.contains("whsec_") && !shown.contains("hidden"));
}
