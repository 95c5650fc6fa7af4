use ropewalk_tools::tool;

/// Has it all wrong.
#[tool(title = "x")]
const unsafe extern "C" fn wrong<'a, T: Clone>(
    /// A method.
    &self,
    (a, b): (u8, u8),
    text: &'a str,
    texts: Vec<(&str, T)>,
    any: impl Clone,
) -> impl Clone
where
    T: Copy,
{
}

fn main() {}
