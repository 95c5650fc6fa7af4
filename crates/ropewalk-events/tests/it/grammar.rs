use proptest::{collection::vec, prelude::*};
use ropewalk_events::{Event, Grammar, IllegalEvent};
use ropewalk_types::{ErrorObject, MessageStatus, RunStatus, RunStepStatus};
use serde_json::json;

use crate::story::{Story, delta, run};

/// How a stream begins.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Start {
    Run,
    ThreadAndRun,
    Outputs,
}

/// What the end of a run cuts off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CutOff {
    Nothing,
    Message,
    CallsAndText,
}

/// How a stream ends; `bool` says whether it cuts off an open step.
#[derive(Debug, Clone)]
pub(crate) enum End {
    Completed,
    Incomplete,
    RequiresAction,
    Stopped(RunStatus, CutOff),
    Broken(bool),
}

pub(crate) fn grammar(start: Start) -> Grammar {
    match start {
        Start::Run => Grammar::create_run(),
        Start::ThreadAndRun => Grammar::create_thread_and_run(),
        Start::Outputs => Grammar::submit_tool_outputs(),
    }
}

/// A legal stream of turns, each a number of deltas of a message or of tool calls.
pub(crate) fn legal(start: Start, turns: &[(bool, usize)], end: &End) -> Vec<Event> {
    let story = match start {
        Start::Run => Story::default().made(),
        Start::ThreadAndRun => Story::default().with_thread().made(),
        Start::Outputs => Story::default().stepped(RunStepStatus::Completed, vec![]),
    };
    let mut story = story.queued().working();
    for (writes, deltas) in turns {
        let open = if *writes { begin_message(story, *deltas) } else { begin_calls(story, *deltas) };
        let open = if *writes { open.written(MessageStatus::Completed, vec![]) } else { open };
        story = open.stepped(RunStepStatus::Completed, vec![]);
    }
    let story = match end {
        End::Completed => story.run(RunStatus::Completed),
        End::Incomplete => begin_message(story, 1)
            .written(MessageStatus::Incomplete, vec![])
            .stepped(RunStepStatus::Completed, vec![])
            .run(RunStatus::Incomplete),
        End::RequiresAction => begin_calls(story, 2).run(RunStatus::RequiresAction),
        End::Stopped(status, cut_off) => {
            let story = if *cut_off == CutOff::Message { begin_message(story, 1) } else { story };
            let cancelled = *status == RunStatus::Cancelled;
            let story = if cancelled { story.run(RunStatus::Cancelling) } else { story };
            let step = match status {
                RunStatus::Failed => RunStepStatus::Failed,
                RunStatus::Cancelled => RunStepStatus::Cancelled,
                _ => RunStepStatus::Expired,
            };
            let cut =
                |story: Story| story.written(MessageStatus::Incomplete, vec![]).stepped(step.clone(), vec![]);
            // What the model wrote behind calls that are cut off is cut off in a step of its own.
            let calls = |story| begin_message(begin_calls(story, 1).stepped(step.clone(), vec![]), 1);
            let story = match cut_off {
                CutOff::Nothing => story,
                CutOff::Message => cut(story),
                CutOff::CallsAndText => cut(calls(story)),
            };
            story.run(status.clone())
        }
        End::Broken(cut_off) => {
            let story = if *cut_off { begin_calls(story, 1) } else { story };
            story.tell([Event::Error(Box::new(ErrorObject::server("Sorry, something went wrong.")))])
        }
    };
    story.done().events
}

fn begin_message(story: Story, deltas: usize) -> Story {
    (0..deltas).fold(story.message(), |story, _| story.text("a"))
}

fn begin_calls(story: Story, deltas: usize) -> Story {
    (0..deltas).fold(story.calls(), |story, _| {
        story.call(json!([{ "index": 0, "type": "function", "function": { "arguments": "1" } }]))
    })
}

pub(crate) fn starts() -> impl Strategy<Value = Start> {
    prop_oneof![Just(Start::Run), Just(Start::ThreadAndRun), Just(Start::Outputs)]
}

pub(crate) fn ends() -> impl Strategy<Value = End> {
    let stopped = prop_oneof![Just(RunStatus::Failed), Just(RunStatus::Cancelled), Just(RunStatus::Expired)];
    let cut_off = prop_oneof![Just(CutOff::Nothing), Just(CutOff::Message), Just(CutOff::CallsAndText)];
    prop_oneof![
        Just(End::Completed),
        Just(End::Incomplete),
        Just(End::RequiresAction),
        (stopped, cut_off).prop_map(|(status, cut_off)| End::Stopped(status, cut_off)),
        any::<bool>().prop_map(End::Broken),
    ]
}

fn accept(mut grammar: Grammar, events: &[Event]) -> Result<bool, IllegalEvent> {
    events.iter().try_for_each(|event| grammar.accept(event))?;
    Ok(grammar.is_finished())
}

/// Whether the stream may have any number of such events, or have them elsewhere.
fn is_free(event: &Event) -> bool {
    matches!(event, Event::RunStepDelta(_) | Event::MessageDelta(_) | Event::RunCancelling(_))
}

proptest! {
    #[test]
    fn every_legal_stream_is_accepted_and_finished_at_its_end_alone(
        start in starts(), turns in vec((any::<bool>(), 0..3usize), 0..4), end in ends(),
    ) {
        let events = legal(start, &turns, &end);
        let mut grammar = grammar(start);
        for (at, event) in events.iter().enumerate() {
            let over = matches!(end, End::Broken(_)) && at + 1 == events.len();
            prop_assert_eq!(grammar.is_finished(), over);
            grammar.accept(event)?;
        }
        prop_assert!(grammar.is_finished());
        let unknown = Event::Unknown { event: "thread.run.novel".into(), data: "{}".into() };
        for event in events.iter().chain([&unknown]) {
            prop_assert!(grammar.accept(event).is_err());
        }
    }

    #[test]
    fn unknown_events_are_legal_anywhere_before_the_end(
        start in starts(), turns in vec((any::<bool>(), 0..3usize), 0..3), end in ends(),
    ) {
        let unknown = Event::Unknown { event: "thread.run.novel".into(), data: "{}".into() };
        let events: Vec<_> = legal(start, &turns, &end).into_iter().flat_map(|event| [unknown.clone(), event]).collect();
        prop_assert_eq!(accept(grammar(start), &events), Ok(true));
    }

    #[test]
    fn an_event_that_is_missing_is_missed(
        start in starts(), turns in vec((any::<bool>(), 0..3usize), 0..4), end in ends(), at: prop::sample::Index,
    ) {
        let mut events = legal(start, &turns, &end);
        let missing = events.remove(at.index(events.len()));
        // A run may also stop in the queue, and an error may come at any time.
        let in_queue = turns.is_empty()
            && match end {
                End::Stopped(_, CutOff::Nothing) => true,
                // One that goes on may have text to be cut off there.
                End::Stopped(_, CutOff::Message) => matches!(start, Start::Outputs),
                _ => false,
            };
        prop_assume!(!(in_queue && matches!(missing, Event::RunInProgress(_))));
        prop_assume!(!is_free(&missing) && !matches!(end, End::Broken(_)));
        prop_assert_ne!(accept(grammar(start), &events), Ok(true), "without {}", missing.name());
    }

    #[test]
    fn an_event_that_comes_twice_is_illegal(
        start in starts(), turns in vec((any::<bool>(), 0..3usize), 0..4), end in ends(), at: prop::sample::Index,
    ) {
        let mut events = legal(start, &turns, &end);
        let at = at.index(events.len());
        prop_assume!(matches!(events[at], Event::RunCancelling(_)) || !is_free(&events[at]));
        events.insert(at, events[at].clone());
        prop_assert!(accept(grammar(start), &events).is_err(), "{} twice", events[at].name());
    }

    #[test]
    fn neighbours_in_the_wrong_order_are_illegal(
        start in starts(), turns in vec((any::<bool>(), 0..3usize), 0..4), end in ends(), at: prop::sample::Index,
    ) {
        let mut events = legal(start, &turns, &end);
        let at = at.index(events.len() - 1);
        let free = |at: usize| is_free(&events[at]);
        let cancelling = |at: usize| matches!(events[at], Event::RunCancelling(_));
        prop_assume!(!(cancelling(at) || cancelling(at + 1) || free(at) && free(at + 1)));
        prop_assume!(!matches!(events[at + 1], Event::Error(_)));
        events.swap(at, at + 1);
        prop_assert!(accept(grammar(start), &events).is_err(), "{} first", events[at].name());
    }
}

/// What is wrong with `story`.
fn fault(mut grammar: Grammar, story: Story) -> String {
    let fault = story.events.iter().find_map(|event| grammar.accept(event).err());
    fault.unwrap().to_string()
}

#[test]
fn what_is_written_in_the_queue_is_cut_off() {
    let queued = || Story::default().stepped(RunStepStatus::Completed, vec![]).queued().message();
    let cut_off = queued().written(MessageStatus::Incomplete, vec![]).stepped(RunStepStatus::Failed, vec![]);
    let cut_off = cut_off.run(RunStatus::Failed).done();
    assert_eq!(accept(Grammar::submit_tool_outputs(), &cut_off.events), Ok(true));

    let written = queued().written(MessageStatus::Completed, vec![]);
    let completed =
        queued().written(MessageStatus::Incomplete, vec![]).stepped(RunStepStatus::Completed, vec![]);
    for story in [written, completed] {
        let fault = fault(Grammar::submit_tool_outputs(), story);
        assert!(fault.ends_with("only a run at work completes what it writes"), "{fault}");
    }
}

#[test]
fn the_rule_that_is_broken_is_named() {
    let mut other_run = run(RunStatus::Completed);
    other_run.id = "run_2".into();
    let faults = [
        Story::default().queued(),
        Story::begun().working(),
        Story::begun().calls().calls(),
        Story::begun().message().stepped(RunStepStatus::Completed, vec![]),
        Story::begun().calls().run(RunStatus::Completed),
        Story::begun().run(RunStatus::RequiresAction),
        Story::begun().message().run(RunStatus::RequiresAction),
        Story::begun().run(RunStatus::Cancelled),
        Story::begun().calls().stepped(RunStepStatus::Failed, vec![]).run(RunStatus::Completed),
        Story::begun().tell([delta("thread.message.delta", "msg_9", json!({}))]),
        Story::begun().tell([Event::RunCompleted(Box::new(run(RunStatus::Failed)))]),
        Story::begun().tell([Event::of_run(other_run)]),
        Story::begun().done(),
    ]
    .map(|story| fault(Grammar::create_run(), story));
    insta::assert_snapshot!(faults.join("\n"));
}
