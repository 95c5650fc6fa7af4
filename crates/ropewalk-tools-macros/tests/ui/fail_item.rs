use ropewalk_tools::tool;

/// No function.
#[tool]
struct State;

fn main() {}
