use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Which events of a run. Beyond the original: the hosted service had no way back into a stream.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RunEventsQuery {
    /// Only events behind the one with this number, as the `id` of an event has it; all of them if absent. The header
    /// `Last-Event-ID` wins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 9_007_199_254_740_991_u64), extend("default" = 0))]
    pub starting_after: Option<u64>,
}

impl RunEventsQuery {
    /// The events behind the one with this number; 0 for all.
    pub fn starting_after(number: u64) -> Self {
        Self { starting_after: Some(number) }
    }
}
