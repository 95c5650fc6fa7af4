use ropewalk_store::Store;
use ropewalk_webhooks::WebhookOptions;

use crate::{receiver::Receiver, world::World};

#[tokio::test]
async fn nothing_reaches_this_machine_by_number_or_by_name_unless_it_is_allowed() {
    let receiver = Receiver::new().await;
    let port = receiver.address.port();
    let mut world = World::over(Store::in_memory(), WebhookOptions::default());
    let hosts = ["127.0.0.1", "2130706433", "localhost", "[::ffff:127.0.0.1]", "0.0.0.0", "127.1"];
    for host in hosts {
        world.hook("acme", format!("http://{host}:{port}/200")).await;
    }
    world.work();
    assert_eq!(world.happens("acme", "coil.wound", "coil_1").await, hosts.len());
    world.until(async |world| world.webhooks.stats().failed_tries == hosts.len() as u64).await;
    assert!(receiver.is_quiet());
}

#[tokio::test]
async fn a_name_of_this_machine_is_told_if_it_is_allowed() {
    let (mut world, receiver) = (World::new(), Receiver::new().await);
    world.hook("acme", format!("http://localhost:{}/200", receiver.address.port())).await;
    world.work();
    world.happens("acme", "coil.wound", "coil_1").await;
    assert_eq!(receiver.told().await.header("host"), format!("localhost:{}", receiver.address.port()));
}
