//! Outputs that come when their run is over.

use ropewalk_types::{StepDetails, ToolCallRecord, ToolOutput};

use super::{Change, Effects, Machine};

impl Machine {
    /// Keeps those of `outputs` whose calls have none, on their step and nowhere else: the run stays as it ended. Says
    /// whether there were any.
    pub(crate) fn keep_late_outputs(&mut self, outputs: &[ToolOutput], effects: &mut Effects) -> bool {
        let calls_tools = |details: &StepDetails| matches!(details, StepDetails::ToolCalls { .. });
        let Some(step) = self.steps.iter_mut().rev().find(|step| calls_tools(&step.step_details)) else {
            return false;
        };
        let StepDetails::ToolCalls { tool_calls } = &mut step.step_details else { return false };
        let mut kept = false;
        for call in tool_calls {
            if let ToolCallRecord::Function { id, function } = call
                && function.output.is_none()
                && let Some(output) = outputs.iter().find(|output| output.tool_call_id == *id)
            {
                function.output = Some(output.output.clone().unwrap_or_default());
                kept = true;
            }
        }
        if kept {
            effects.changes.push(Change::Step(step.clone()));
        }
        kept
    }
}
