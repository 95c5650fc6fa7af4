use std::{collections::HashMap, time::Duration};

use ropewalk_webhooks::NewEndpoint;
use serde_json::json;

use crate::{receiver::Receiver, world::World};

#[tokio::test]
async fn an_event_is_told_once_signed_and_whole() {
    let (mut world, receiver) = (World::new(), Receiver::new().await);
    let made = world.hook("acme", receiver.url("200")).await;
    world.work();
    assert_eq!(world.happens("acme", "coil.wound", "coil_1").await, 1);

    let told = receiver.told().await;
    told.assert_signed(&made.secret);
    let expected =
        json!({ "type": "coil.wound", "timestamp": "2023-11-14T22:13:20Z", "data": { "id": "coil_1" } });
    assert_eq!(told.json(), expected);
    assert_eq!(told.header("content-type"), "application/json");
    assert_eq!(told.header("webhook-timestamp"), "1700000000");
    assert!(told.header("webhook-id").starts_with("msg_") && !told.header("webhook-id").contains('.'));
    assert!(told.header("user-agent").starts_with("ropewalk-webhooks/"));

    world.until(async |world| world.stored("acme", &made.endpoint.id).await == 0).await;
    assert!(receiver.is_quiet());
    assert_eq!(world.webhooks.stats().delivered, 1);
}

#[tokio::test]
async fn nobody_hears_of_another_organisation_or_of_what_they_did_not_ask_for() {
    let (mut world, receiver) = (World::new(), Receiver::new().await);
    assert_eq!(world.happens("acme", "coil.wound", "coil_0").await, 0, "before there is a webhook");
    world.hook("acme", receiver.url("200")).await;
    world.hook("other", receiver.url("201")).await;
    let one = NewEndpoint::new("acme", receiver.url("202")).event("coil.sold");
    world.endpoints.create(one, world.now()).await.unwrap();
    world.webhooks.refresh().await.unwrap();
    world.work();

    assert_eq!(world.happens("acme", "coil.wound", "coil_1").await, 1);
    assert_eq!(receiver.told().await.path, "200");
    assert_eq!(world.happens("acme", "coil.sold", "coil_2").await, 2);
    let both = [receiver.told().await, receiver.told().await];
    let mut paths = both.each_ref().map(|told| told.path.as_str());
    paths.sort_unstable();
    assert_eq!(paths, ["200", "202"]);
    assert_eq!(both[0].header("webhook-id"), both[1].header("webhook-id"), "one message");
    assert_eq!(world.happens("nobody", "coil.sold", "coil_3").await, 0);
    assert_eq!(world.happens("other", "coil.sold", "coil_4").await, 1);
    assert_eq!(receiver.told().await.path, "201");
}

/// A delivery that somebody smuggled into another organisation is not sent.
#[tokio::test]
async fn a_delivery_in_the_wrong_organisation_goes_nowhere() {
    use ropewalk_store::{Batch, Organization};
    let (mut world, receiver) = (World::new(), Receiver::new().await);
    let made = world.hook("acme", receiver.url("200")).await;
    let puts = world.webhooks.announce(&Organization::new("acme"), "a", "x", || b"{}".to_vec());
    let batch = puts.into_iter().fold(Batch::new(), Batch::put);
    world.store.scope(Organization::new("other")).commit(batch).await.unwrap();
    world.work();
    world.until(async |world| world.stored("other", &made.endpoint.id).await == 0).await;
    assert!(receiver.is_quiet());
}

#[tokio::test]
async fn what_fails_is_tried_on_the_schedule_under_one_id_and_then_given_up() {
    let (mut world, receiver) = (World::new(), Receiver::new().await);
    let made = world.hook("acme", receiver.url("503")).await;
    let id = made.endpoint.id.as_str();
    world.work();
    world.happens("acme", "coil.wound", "coil_1").await;
    let mut tries = vec![receiver.told().await];
    for seconds in [5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400] {
        let failed = tries.len() as u64;
        world
            .until(async |world| {
                world.webhooks.stats().failed_tries == failed && world.waiting("acme", id).await == 1
            })
            .await;
        world.until(async |world| world.webhooks.stats().under_way == 0).await;
        world.pass(Duration::from_millis(seconds * 1000 - 1));
        tokio::task::yield_now().await;
        assert!(receiver.is_quiet(), "not before its time");
        world.pass(Duration::from_millis(seconds * 100 + 1));
        tries.push(receiver.told().await);
    }
    world.until(async |world| world.stored("acme", id).await == 0).await;
    assert_eq!(world.waiting("acme", id).await, 0);
    let stats = world.webhooks.stats();
    assert_eq!((stats.delivered, stats.failed_tries, stats.dropped), (0, 10, 1));
    for told in &tries {
        told.assert_signed(&made.secret);
        assert_eq!(told.header("webhook-id"), tries[0].header("webhook-id"));
        assert_eq!(told.body, tries[0].body);
    }
    assert!(
        tries.is_sorted_by_key(|told| told.header("webhook-timestamp").to_owned()),
        "signed anew each time"
    );
}

#[tokio::test]
async fn a_receiver_that_comes_back_is_told() {
    let (mut world, receiver) = (World::new(), Receiver::new().await);
    let made = world.hook("acme", receiver.url("next")).await;
    let id = made.endpoint.id.as_str();
    receiver.answer(500);
    world.work();
    world.happens("acme", "coil.wound", "coil_1").await;
    receiver.told().await;
    world.until(async |world| world.waiting("acme", id).await == 1).await;
    receiver.answer(204);
    world.pass(Duration::from_secs(6));
    receiver.told().await;
    world.until(async |world| world.stored("acme", id).await == 0).await;
    assert_eq!(world.waiting("acme", id).await, 0);
}

#[tokio::test]
async fn a_redirect_is_a_failure_and_nobody_goes_there() {
    let (mut world, receiver) = (World::new(), Receiver::new().await);
    for status in ["301", "302", "303", "307", "308"] {
        world.hook("acme", receiver.url(status)).await;
    }
    world.work();
    world.happens("acme", "coil.wound", "coil_1").await;
    for _ in 0..5 {
        assert_ne!(receiver.told().await.path, "200");
    }
    world.until(async |world| world.webhooks.stats().failed_tries == 5).await;
    assert!(receiver.is_quiet());
}

#[tokio::test]
async fn gone_switches_a_webhook_off_and_what_waits_for_it_is_dropped() {
    let (mut world, receiver) = (World::new(), Receiver::new().await);
    let made = world.hook("acme", receiver.url("next")).await;
    let id = made.endpoint.id.as_str();
    receiver.answer(500);
    world.work();
    world.happens("acme", "coil.wound", "coil_1").await;
    receiver.told().await;
    world.until(async |world| world.waiting("acme", id).await == 1).await;
    receiver.answer(410);
    world.pass(Duration::from_secs(2));
    world.happens("acme", "coil.wound", "coil_2").await;
    receiver.told().await;
    world.until(async |world| !world.endpoints.list().await.unwrap()[0].enabled).await;
    world.webhooks.refresh().await.unwrap();
    assert_eq!(world.happens("acme", "coil.wound", "coil_3").await, 0);
    world.pass(Duration::from_secs(10));
    world.until(async |world| world.stored("acme", id).await == 0).await;
    assert_eq!(world.waiting("acme", id).await, 0);
    assert!(receiver.is_quiet());

    world.endpoints.set_enabled(id, true).await.unwrap();
    world.webhooks.refresh().await.unwrap();
    receiver.answer(200);
    world.happens("acme", "coil.wound", "coil_4").await;
    assert_eq!(receiver.told().await.object(), "coil_4");
}

#[tokio::test]
async fn a_receiver_that_hangs_holds_up_nobody_else() {
    let (mut world, receiver) = (World::new(), Receiver::new().await);
    let hangs = world.hook("acme", receiver.url("hang")).await;
    world.work();
    for number in 0..40 {
        world.happens("acme", "coil.wound", &format!("coil_{number}")).await;
    }
    for _ in 0..4 {
        assert_eq!(receiver.told().await.path, "hang");
    }
    world.until(async |world| world.waiting("acme", &hangs.endpoint.id).await == 20).await;
    assert_eq!(world.webhooks.stats().under_way, 4);
    world.hook("other", receiver.url("200")).await;
    for number in 0..20 {
        world.happens("other", "coil.wound", &format!("coil_{number}")).await;
    }
    let mut heard = 0;
    while heard < 20 {
        // The line of the other moves on with the clock.
        world.pass(Duration::from_millis(50));
        if let Ok(told) = tokio::time::timeout(Duration::from_millis(50), receiver.told()).await {
            assert_eq!(told.path, "200");
            heard += 1;
        }
    }
    receiver.let_go();
}

#[tokio::test]
async fn a_receiver_that_never_answers_fails_in_time() {
    let receiver = Receiver::new().await;
    let mut options = crate::world::private();
    options.timeout = Duration::from_millis(50);
    let mut world = World::over(ropewalk_store::Store::in_memory(), options);
    let made = world.hook("acme", receiver.url("hang")).await;
    world.work();
    world.happens("acme", "coil.wound", "coil_1").await;
    receiver.told().await;
    world.until(async |world| world.waiting("acme", &made.endpoint.id).await == 1).await;
    assert_eq!(world.webhooks.stats().failed_tries, 1);
}

#[tokio::test]
async fn what_is_told_of_each_object_is_told_in_order() {
    let (mut world, receiver) = (World::new(), Receiver::new().await);
    world.hook("acme", receiver.url("200")).await;
    world.work();
    for number in 0..8 {
        for object in ["coil_a", "coil_b"] {
            world.happens("acme", &format!("turn.{number}"), object).await;
        }
    }
    let mut heard: HashMap<String, Vec<String>> = HashMap::new();
    for _ in 0..16 {
        let told = receiver.told().await;
        let name = told.json()["type"].as_str().unwrap().to_owned();
        heard.entry(told.object()).or_default().push(name);
    }
    let expected: Vec<String> = (0..8).map(|number| format!("turn.{number}")).collect();
    assert!(heard.len() == 2 && heard.values().all(|names| *names == expected), "{heard:?}");
}

#[tokio::test]
async fn what_waits_for_a_webhook_is_bounded_and_the_newest_is_dropped() {
    let receiver = Receiver::new().await;
    let mut options = crate::world::private();
    options.max_waiting = 3;
    let mut world = World::over(ropewalk_store::Store::in_memory(), options);
    let made = world.hook("acme", receiver.url("next")).await;
    let id = made.endpoint.id.as_str();
    receiver.answer(500);
    world.work();
    for number in 0..8 {
        world.happens("acme", "coil.wound", &format!("coil_{number}")).await;
        world
            .until(async |world| {
                world.waiting("acme", id).await + world.webhooks.stats().dropped as i64 == number + 1
            })
            .await;
    }
    assert_eq!((world.stored("acme", id).await, world.webhooks.stats().dropped), (3, 5));
    receiver.answer(200);
    let mut objects = vec![receiver.told().await.object()];
    while objects.len() < 4 {
        world.pass(Duration::from_secs(1));
        if let Ok(told) = tokio::time::timeout(Duration::from_millis(50), receiver.told()).await {
            objects.push(told.object());
        }
    }
    objects.remove(0);
    objects.sort();
    assert_eq!(objects, ["coil_0", "coil_1", "coil_2"]);
    world.until(async |world| world.waiting("acme", id).await == 0).await;
}

#[tokio::test]
async fn an_event_that_is_too_large_is_told_to_nobody() {
    use ropewalk_store::Organization;
    use ropewalk_webhooks::Webhooks;
    let world = World::new();
    world.hook("acme", "https://example.com/").await;
    let told =
        |bytes| world.webhooks.announce(&Organization::new("acme"), "a", "x", || vec![b' '; bytes]).len();
    assert_eq!(told(Webhooks::MAX_DATA_BYTES), 1);
    assert_eq!(told(Webhooks::MAX_DATA_BYTES + 1), 0);
}
