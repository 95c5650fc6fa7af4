//! The model as one process sees it: it says anything, at any pace, and may not end.

mod turn;

use std::{panic::resume_unwind, sync::Arc};

use async_trait::async_trait;
use futures_util::stream;
use ropewalk_model::{Model, ModelError, ModelErrorKind, ModelEvent, ModelRequest, ModelStream};
use ropewalk_types::ModelId;

use crate::process::Process;
use turn::{Beat, turn};

#[derive(Debug)]
pub(crate) struct FaultyModel(pub(crate) Arc<Process>);

/// What a panic of foreign code carries that is meant.
#[derive(Debug)]
pub(crate) struct MeantPanic;

#[async_trait]
impl Model for FaultyModel {
    async fn stream(&self, request: &ModelRequest) -> Result<ModelStream, ModelError> {
        let (process, world) = (&self.0, &self.0.world);
        process.passes(|| format!("before it calls the model for {}", request.model)).await;
        let number = world.ledger.lock().model_called(process, request);
        let before = world.ledger.lock().calls_before(number);
        let beats = turn(world, number, before, request);
        world.say(|| format!("{process:?} calls the model for {}: {beats:?}", request.model));
        let call = OpenCall { process: process.clone(), number };
        let mut beats = beats.into_iter();
        if let [Beat::Fail(kind), ..] = beats.as_slice() {
            process.takes(world.random.ms(0..50)).await;
            return Err(error(*kind));
        }
        Ok(Box::pin(stream::unfold(call, move |call| {
            let next: Vec<Beat> = take_until_said(&mut beats);
            async move {
                for beat in next {
                    if let Some(item) = call.play(beat).await {
                        return Some((item, call));
                    }
                }
                None
            }
        })))
    }

    async fn models(&self) -> Result<Vec<ropewalk_types::Model>, ModelError> {
        Ok(Vec::new())
    }

    async fn model(&self, _: &ModelId) -> Result<Option<ropewalk_types::Model>, ModelError> {
        Ok(None)
    }
}

fn error(kind: ModelErrorKind) -> ModelError {
    ModelError::new(kind).with_upstream_message("this is simulated")
}

/// The next beats up to the first that gives an item.
fn take_until_said(beats: &mut impl Iterator<Item = Beat>) -> Vec<Beat> {
    let mut taken = Vec::new();
    for beat in beats {
        let said = !matches!(beat, Beat::Pause(_));
        taken.push(beat);
        if said {
            break;
        }
    }
    taken
}

/// A call whose stream is open until this is dropped.
struct OpenCall {
    process: Arc<Process>,
    number: usize,
}

impl OpenCall {
    async fn play(&self, beat: Beat) -> Option<Result<ModelEvent, ModelError>> {
        let world = &self.process.world;
        self.process.passes(|| format!("while it waits for c{}", self.number)).await;
        match beat {
            Beat::Pause(time) => {
                self.process.takes(time).await;
                None
            }
            Beat::Say(event) => {
                if let (ModelEvent::Usage(usage), Some(call)) =
                    (&event, world.ledger.lock().call_mut(self.number))
                {
                    call.usage = Some(*usage);
                }
                Some(Ok(event))
            }
            Beat::Fail(kind) => Some(Err(error(kind))),
            Beat::Stall => std::future::pending().await,
            Beat::Panic => resume_unwind(Box::new(MeantPanic)),
        }
    }
}

impl Drop for OpenCall {
    fn drop(&mut self) {
        let world = &self.process.world;
        let now = world.clock.elapsed_ms();
        if let Some(call) = world.ledger.lock().call_mut(self.number) {
            call.closed_ms = Some(now);
        }
    }
}
