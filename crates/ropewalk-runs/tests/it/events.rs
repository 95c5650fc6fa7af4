//! Reading a run's events from anywhere, at any time.

use futures_util::StreamExt;
use ropewalk_events::{Event, EventStream, Grammar, Snapshot};
use ropewalk_model::{FinishReason, ModelEvent, ScriptedModel, Turn};
use ropewalk_runs::{Engine, RunError, RunStream, record};
use ropewalk_store::Batch;
use ropewalk_store::Kind;
use ropewalk_types::{RunId, RunStatus, ToolOutput};

use crate::world::{World, names};

fn long() -> Turn {
    let words = (0..1000).map(|n| ModelEvent::Text(format!("word {n} ")));
    words.fold(Turn::new(), Turn::event).event(ModelEvent::Finish(FinishReason::Stop))
}

async fn attach(world: &World, engine: &Engine, run: &RunId, after: u64) -> RunStream {
    engine.events(&world.scope, &world.thread, run, after).await.unwrap()
}

async fn text(stream: RunStream) -> String {
    let bytes: Vec<_> = stream.collect().await;
    String::from_utf8(bytes.concat()).unwrap()
}

/// The frames, each with its number.
fn frames(text: &str) -> Vec<(u64, &str)> {
    let number = |frame: &str| {
        let id = frame.lines().find_map(|line| line.strip_prefix("id: "))?;
        Some(id.parse().unwrap())
    };
    text.split_inclusive("\n\n").filter_map(|frame| Some((number(frame)?, frame))).collect()
}

async fn events(text: &str) -> Vec<Event> {
    let bytes = futures_util::stream::iter([Ok::<_, std::io::Error>(text.to_owned().into())]);
    EventStream::new(bytes).map(Result::unwrap).collect().await
}

#[tokio::test(start_paused = true)]
async fn whoever_comes_later_reads_what_the_first_reader_read() {
    let world = World::new().await;
    let engine = world.engine([long()]);
    let started = world.start(&engine, true).await;
    let id = started.run.id.clone();
    let first = text(started.stream.unwrap()).await;
    let told = frames(&first);
    let numbers: Vec<u64> = told.iter().map(|(number, _)| *number).collect();
    assert_eq!(numbers, (1..=told.len() as u64).collect::<Vec<_>>());
    assert_eq!(text(attach(&world, &engine, &id, 0).await).await, first);
    for after in [1, 2, 7, 130, 131, 500, told.len() - 1, told.len()] {
        let rest = text(attach(&world, &engine, &id, after as u64).await).await;
        let expected: String = told[after..].iter().map(|(_, frame)| *frame).collect();
        assert_eq!(rest, expected + "event: done\ndata: [DONE]\n\n", "behind {after}");
    }
    // Behind what was told so far there is nothing, however far.
    assert_eq!(text(attach(&world, &engine, &id, u64::MAX).await).await, "event: done\ndata: [DONE]\n\n");
}

#[tokio::test(start_paused = true)]
async fn many_read_along_each_from_where_it_left_off() {
    let world = World::new().await;
    let engine = world.engine([long()]);
    let run = world.start(&engine, false).await.run.id;
    let readers = (0..20_u64).map(async |reader| {
        let (mut whole, mut after) = (String::new(), 0);
        loop {
            // Leaves after a few pieces, comes back behind what it has.
            let mut stream = attach(&world, &engine, &run, after).await;
            for _ in 0..=reader {
                match stream.next().await {
                    Some(some) => whole.push_str(std::str::from_utf8(&some).unwrap()),
                    None => return whole,
                }
            }
            after = frames(&whole).last().unwrap().0;
            if whole.ends_with("[DONE]\n\n") {
                return whole;
            }
        }
    });
    let read = futures_util::future::join_all(readers).await;
    assert!(frames(&read[0]).len() > 1000);
    for reader in &read {
        assert_eq!(reader, &read[0]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_reader_stays_while_a_run_waits_for_outputs() {
    let world = World::new().await;
    let engine = world.engine([Turn::calls([("f", "{}")]), Turn::text("Done.")]);
    let started = world.start(&engine, true).await;
    let id = started.run.id.clone();
    let watcher = tokio::spawn(text(attach(&world, &engine, &id, 0).await));
    let mut told = text(started.stream.unwrap()).await;
    let outputs = [ToolOutput::new("call_0", "1")];
    let submitted = engine.submit(&world.scope, &world.thread, &id, &outputs, true).await.unwrap();
    told.push_str(&text(submitted.stream.unwrap()).await);
    let watched = watcher.await.unwrap();
    // Each part says `done`; the watcher hears it once.
    assert_eq!(frames(&told), frames(&watched));
    assert_eq!(watched.matches("event: done").count(), 1);
    let events = events(&watched).await;
    insta::assert_json_snapshot!(names(&events));
    let mut grammar = Grammar::whole_run();
    events.iter().for_each(|event| grammar.accept(event).unwrap());
    assert!(grammar.is_finished());
}

#[tokio::test(start_paused = true)]
async fn a_reader_is_led_over_the_death_of_a_process() {
    let world = World::new().await;
    let words = (0..300).map(|n| ModelEvent::Text(format!("lost {n} ")));
    let dead = world.engine([words.fold(Turn::new(), Turn::event).stall()]);
    let started = world.start(&dead, true).await;
    let id = started.run.id.clone();
    let mut stream = started.stream.unwrap();
    let mut told = String::new();
    while !told.contains("lost 299") {
        told.push_str(std::str::from_utf8(&stream.next().await.unwrap()).unwrap());
    }
    let next = world.engine([Turn::text("A whole answer.")]);
    let _work = world.work(&next);
    let last = frames(&told).last().unwrap().0;
    let rest = text(attach(&world, &next, &id, last).await).await;
    let whole = text(attach(&world, &next, &id, 0).await).await;
    told.push_str(&rest);
    for story in [&told, &whole] {
        let numbers: Vec<u64> = frames(story).iter().map(|(number, _)| *number).collect();
        assert!(numbers.is_sorted_by(|a, b| a < b), "{numbers:?}");
        let (mut grammar, mut snapshot) = (Grammar::whole_run(), Snapshot::new());
        for event in events(story).await {
            grammar.accept(&event).unwrap();
            snapshot.apply(&event).unwrap();
        }
        assert!(grammar.is_finished());
        let messages = world.messages().await;
        for message in snapshot.messages() {
            assert!(messages.contains(message));
        }
    }
    // What is kept of the lost answer is what is kept of its deltas.
    let mut deltas = Snapshot::new();
    for event in events(&whole).await.iter().take_while(|event| event.name() != "thread.message.incomplete") {
        deltas.apply(event).unwrap();
    }
    let cut = world.messages().await[1].text();
    assert_eq!(deltas.current_message().unwrap().text(), cut);
    assert!(cut.contains("lost 255") || cut.contains("lost 120"), "{cut}");
}

#[tokio::test(start_paused = true)]
async fn a_run_without_stored_events_is_told_of_as_it_ended() {
    let world = World::new().await;
    let engine = world.engine([]);
    let mut run = world.run();
    run.status = RunStatus::Completed;
    world.scope.commit(Batch::new().put(record::put_finished_run(&run))).await.unwrap();
    let told = text(attach(&world, &engine, &run.id, 0).await).await;
    assert_eq!(names(&events(&told).await), ["thread.run.completed", "done"]);
    let behind = text(attach(&world, &engine, &run.id, 1).await).await;
    assert_eq!(names(&events(&behind).await), ["done"]);
}

#[tokio::test(start_paused = true)]
async fn readers_of_a_deleted_run_are_told_so_and_strangers_find_none() {
    let world = World::new().await;
    let engine = world.engine([Turn::calls([("f", "{}")])]);
    let run = world.start(&engine, false).await.run.id;
    world.until(&run, |run| run.status == RunStatus::RequiresAction).await;
    let watcher = tokio::spawn(text(attach(&world, &engine, &run, 0).await));
    tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    world.scope.commit(Batch::new().delete_tree(Kind::Thread, world.thread.as_str())).await.unwrap();
    assert!(watcher.await.unwrap().contains("was deleted"));
    let stranger = world.store.scope(ropewalk_store::Organization::new("org-b"));
    let refused = engine.events(&stranger, &world.thread, &run, 0).await;
    assert!(matches!(refused, Err(RunError::NoRun(_))));
    assert!(world.scope.get(Kind::RunEvents, &format!("{run}/2")).await.unwrap().is_none());
}

#[tokio::test(start_paused = true)]
async fn streams_of_waiting_runs_end_when_the_engine_stops() {
    let world = World::new().await;
    let model = ScriptedModel::with_turns([Turn::calls([("f", "{}")])]);
    let engine = world.engine_over(&model);
    let run = world.start(&engine, false).await.run.id;
    world.until(&run, |run| run.status == RunStatus::RequiresAction).await;
    let watcher = tokio::spawn(text(attach(&world, &engine, &run, 0).await));
    tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    engine.stop();
    // Its reader comes back behind what it has, for nobody said `done`.
    assert!(watcher.await.unwrap().contains("requires_action"));
}
