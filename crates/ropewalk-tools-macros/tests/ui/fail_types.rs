use ropewalk_tools::tool;

struct Opaque;

/// Takes and returns what has no JSON form.
#[tool]
fn opaque(argument: Opaque) -> Opaque {
    argument
}

fn main() {}
