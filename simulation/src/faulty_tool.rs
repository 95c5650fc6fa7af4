//! The tools of the server as one process sees them.

use std::{panic::resume_unwind, sync::Arc};

use async_trait::async_trait;
use ropewalk_runs::{BuiltInTool, Failure, ServerTool, ToolAnswer, ToolCallContext, ToolError, ToolProgress};
use ropewalk_store::Scope;
use ropewalk_types::{FileId, Function, Run};

use crate::{faulty_model::MeantPanic, process::Process};

#[derive(Debug)]
struct FaultyTool {
    process: Arc<Process>,
    tool: BuiltInTool,
}

pub(crate) fn tools(process: &Arc<Process>) -> Vec<Arc<dyn ServerTool>> {
    let tool = |tool| -> Arc<dyn ServerTool> { Arc::new(FaultyTool { process: process.clone(), tool }) };
    BuiltInTool::ALL.into_iter().map(tool).collect()
}

#[async_trait]
impl ServerTool for FaultyTool {
    fn tool(&self) -> BuiltInTool {
        self.tool
    }

    async fn function(&self, _: &Scope, _: &Run) -> Function {
        Function::new(self.tool.name())
    }

    async fn call(&self, call: ToolCallContext) -> Result<ToolAnswer, ToolError> {
        let (process, world) = (&self.process, &self.process.world);
        let name = || format!("{} {} of {}", self.tool.name(), call.id, call.run.id);
        process.passes(|| format!("before {}", name())).await;
        world.say(|| format!("{process:?} calls {}", name()));
        world.ledger.lock().tool_called(process, &call.run, call.id.as_str());
        let answer =
            || Ok(ToolAnswer::text(format!("answer to {} at {}", call.id, world.clock.elapsed_ms())));
        process.takes(world.random.ms(0..150)).await;
        if self.tool == BuiltInTool::CodeInterpreter {
            for piece in 0..world.random.below(4) {
                call.tell(ToolProgress::Logs(format!("{piece} of {}\n", call.id))).await;
                process.passes(|| format!("in {}", name())).await;
            }
            call.tell(ToolProgress::Image(FileId::new(format!("file-{}", call.id)))).await;
        }
        let done = if world.strikes(world.weather.tool_faults) {
            match world.random.below(6) {
                0 => Err(ToolError::broken("it broke")),
                1 => Err(ToolError::Run(Failure::server("it cannot go on"))),
                2 => resume_unwind(Box::new(MeantPanic)),
                3 => std::future::pending().await,
                _ => {
                    process.takes(world.random.ms(1_000..12_000)).await;
                    answer()
                }
            }
        } else {
            answer()
        };
        process.passes(|| format!("after {}", name())).await;
        done
    }
}
