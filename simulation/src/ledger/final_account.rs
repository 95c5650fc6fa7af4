//! What must be true when everything is over.

use ropewalk_runs::record;
use ropewalk_types::{RunStatus, RunStepStatus, StepDetails, ThreadId};

use super::{Ledger, model_calls::said_by, writes::outputs};
use crate::world::World;

impl Ledger {
    /// Judges a world in which nothing happens any more.
    pub(crate) fn close(&self, world: &World) {
        self.keeps_promises(world);
        for (id, facts) in &self.runs {
            let (run, spent) = (&facts.run, facts.usage);
            if !run.status.is_terminal() {
                world.broken(format!("{id} is still {}", run.status));
            } else if run.usage != Some(spent) {
                world.broken(format!("{id} used {spent:?}, and says {:?}", run.usage));
            }
            self.all_counted(world, id);
        }
        for thread in self.threads.keys() {
            self.judge_thread(world, thread);
        }
        for (number, call) in self.calls.iter().enumerate() {
            let lives = world.process(call.process).is_some_and(|process| process.is_alive());
            if lives && call.closed_ms.is_none() {
                world.broken(format!("call c{number} of {} was never ended", call.run));
            }
            let late = self.cancel_heard_by(&call.run).filter(|heard| call.closed_ms > Some(*heard));
            if let Some(heard) = late.filter(|_| world.weather.store_is_sound()) {
                world.broken(format!(
                    "call c{number} of {} goes on after {heard} ms, though cancelled",
                    call.run
                ));
            }
        }
    }

    /// The usage of each call whose turn was committed is counted.
    fn all_counted(&self, world: &World, run: &str) {
        let Some(facts) = self.runs.get(run) else { return };
        let steps = || facts.steps.iter().filter_map(|step| self.steps.get(step));
        let mut taken: Vec<usize> = steps()
            .filter(|facts| facts.step.status == RunStepStatus::Completed)
            .flat_map(|facts| {
                let calls = facts.server_calls.iter().map(|call| call.id.as_str());
                outputs(&facts.step).map(|(id, _)| id).chain(calls)
            })
            .filter_map(|id| said_by(id.strip_prefix("call_")?))
            .collect();
        if facts.run.status == RunStatus::Completed {
            // What was said last was said in the turn that ended the run.
            let last = facts.steps.last().and_then(|step| self.steps.get(step)).map(|facts| &facts.step);
            let last = last.filter(|last| last.status == RunStepStatus::Completed);
            if let Some(StepDetails::MessageCreation { message_creation }) =
                last.map(|last| &last.step_details)
            {
                let message = self.messages.get(message_creation.message_id.as_str());
                taken.extend(message.and_then(|message| said_by(&message.text())));
            }
        }
        for number in taken {
            let used = self.calls.get(number).is_some_and(|call| call.run == run && call.usage.is_some());
            if used && !facts.counted.contains(&number) {
                world.broken(format!("{run} went on with its call c{number}, and does not count its usage"));
            }
        }
    }

    /// A thread is free, and its counters are the sums of its runs.
    fn judge_thread(&self, world: &World, thread: &str) {
        let id = ThreadId::new(thread);
        let prefix = record::thread_counters(&id);
        let counter = |name: &str| world.disk.counter(&world.organization, &format!("{prefix}{name}"));
        if world.disk.is_locked(&world.organization, record::thread_lock(&id)) {
            world.broken(format!("{thread} is locked, and no run of it is active"));
        }
        if counter("wait") != 0 {
            world.broken(format!("{} runs wait for {thread}, all of which are over", counter("wait")));
        }
        let runs = self.runs.values().filter(|facts| facts.run.thread_id == id);
        let (tokens, calls) = runs.fold((0, 0), |(tokens, calls), facts| {
            (tokens + facts.usage.total_tokens, calls + facts.model_calls)
        });
        for (name, sum) in [("spent/tokens", tokens), ("spent/calls", calls)] {
            let counted = counter(name);
            if counted != sum.cast_signed() {
                world.broken(format!("{thread} counts {counted} as {name}, and its runs {sum}"));
            }
        }
    }
}
