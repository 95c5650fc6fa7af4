use ropewalk_tools::tool;

#[tool]
fn undescribed(number: u8) -> u8 {
    number
}

///
#[tool(name = "not a name")]
fn blank() {}

/// Has a name that the API would not take.
#[tool]
fn größe() {}

fn main() {}
