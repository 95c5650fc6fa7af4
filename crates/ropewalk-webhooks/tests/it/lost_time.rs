//! What a delivery outlives.

use std::time::Duration;

use ropewalk_store::Store;
use tokio_util::sync::CancellationToken;

use crate::{
    receiver::Receiver,
    world::{World, private},
};

#[tokio::test]
async fn what_nobody_has_sent_yet_is_sent_after_a_restart() {
    let receiver = Receiver::new().await;
    let folder = tempfile::tempdir().unwrap();
    let secret = {
        let world = World::over(Store::sqlite(folder.path()).unwrap(), private());
        let made = world.hook("acme", receiver.url("200")).await;
        world.happens("acme", "coil.wound", "coil_1").await;
        made.secret
    };
    assert!(receiver.is_quiet());
    let mut world = World::over(Store::sqlite(folder.path()).unwrap(), private());
    world.work();
    let told = receiver.told().await;
    told.assert_signed(&secret);
    assert_eq!(told.object(), "coil_1");
}

#[tokio::test]
async fn what_was_being_sent_when_the_process_died_is_sent_again_under_the_same_id() {
    let (mut world, receiver) = (World::new(), Receiver::new().await);
    let made = world.hook("acme", receiver.url("hang")).await;
    world.work();
    world.happens("acme", "coil.wound", "coil_1").await;
    let first = receiver.told().await;
    world.restart().await;
    receiver.let_go();
    world.until(async |world| world.webhooks.stats().under_way == 0).await;
    assert!(receiver.is_quiet(), "it is somebody's until the lease ends");
    world.webhooks.refresh().await.unwrap();
    world.pass(Duration::from_secs(31));
    let again = receiver.told().await;
    assert_eq!(again.header("webhook-id"), first.header("webhook-id"));
    assert_eq!(again.body, first.body);
    world.until(async |world| world.stored("acme", &made.endpoint.id).await == 0).await;
}

#[tokio::test]
async fn what_waits_for_its_next_try_still_does_after_a_restart() {
    let (mut world, receiver) = (World::new(), Receiver::new().await);
    let made = world.hook("acme", receiver.url("next")).await;
    let id = made.endpoint.id.as_str();
    receiver.answer(503);
    world.work();
    world.happens("acme", "coil.wound", "coil_1").await;
    receiver.told().await;
    world.until(async |world| world.waiting("acme", id).await == 1).await;
    receiver.answer(200);
    world.restart().await;
    world.webhooks.refresh().await.unwrap();
    world.pass(Duration::from_secs(6));
    receiver.told().await;
    world.until(async |world| world.stored("acme", id).await == 0).await;
    assert_eq!(world.waiting("acme", id).await, 0);
}

#[tokio::test]
async fn two_workers_on_one_store_send_each_delivery_once() {
    let (mut world, receiver) = (World::new(), Receiver::new().await);
    let mut other = World::over(world.store.clone(), private());
    world.hook("acme", receiver.url("200")).await;
    world.work();
    other.work();
    let mut ids = Vec::new();
    for number in 0..30 {
        world.happens("acme", "coil.wound", &format!("coil_{number}")).await;
        ids.push(receiver.told().await.header("webhook-id").to_owned());
    }
    ids.sort();
    ids.dedup();
    assert!(ids.len() == 30 && receiver.is_quiet());
}

#[tokio::test]
async fn a_worker_that_is_asked_to_stop_finishes_what_it_sends() {
    let (world, receiver) = (World::new(), Receiver::new().await);
    let made = world.hook("acme", receiver.url("hang")).await;
    let (stop, webhooks) = (CancellationToken::new(), world.webhooks.clone());
    let work = tokio::spawn({
        let stop = stop.clone();
        async move { webhooks.work(stop).await }
    });
    world.happens("acme", "coil.wound", "coil_1").await;
    receiver.told().await;
    stop.cancel();
    receiver.let_go();
    work.await.unwrap();
    assert_eq!(world.stored("acme", &made.endpoint.id).await, 0);
}

#[tokio::test]
async fn what_is_on_its_way_to_a_deleted_webhook_is_dropped() {
    let (mut world, receiver) = (World::new(), Receiver::new().await);
    let made = world.hook("acme", receiver.url("200")).await;
    world.happens("acme", "coil.wound", "coil_1").await;
    world.endpoints.delete(&made.endpoint.id).await.unwrap();
    world.work();
    world.until(async |world| world.stored("acme", &made.endpoint.id).await == 0).await;
    assert!(receiver.is_quiet());
}

#[tokio::test]
async fn a_webhook_made_beside_a_running_worker_is_known_within_a_second() {
    let folder = tempfile::tempdir().unwrap();
    let receiver = Receiver::new().await;
    let mut world = World::over(Store::sqlite(folder.path()).unwrap(), private());
    world.work();
    let beside = World::over(Store::sqlite_beside(folder.path()).unwrap(), private());
    beside.hook("acme", receiver.url("200")).await;
    let count = async |world: &World| world.happens("acme", "coil.wound", "coil_1").await == 1;
    tokio::time::timeout(Duration::from_secs(3), world.until(count)).await.unwrap();
    receiver.told().await;
}
