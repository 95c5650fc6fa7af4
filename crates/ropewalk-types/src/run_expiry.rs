use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// When an unfinished run turns `expired`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
#[non_exhaustive]
pub struct RunExpiry {
    /// What the seconds are counted from.
    pub anchor: RunExpiryAnchor,
    /// 1 to 2,592,000, which is 30 days.
    #[schemars(range(min = 1, max = 2_592_000))]
    pub seconds: i64,
}

/// What the life of a run is counted from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum RunExpiryAnchor {
    /// When it was made.
    CreatedAt,
}

impl RunExpiry {
    /// Expires `seconds` after the run was made; 1 to 2,592,000.
    pub fn seconds(seconds: i64) -> Self {
        Self { anchor: RunExpiryAnchor::CreatedAt, seconds }
    }
}
