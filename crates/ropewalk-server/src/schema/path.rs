use std::fmt;

/// Where a value stands in a request: `tools[0].function.name`. Made on the way down, written only for an error.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Path<'a> {
    above: Option<&'a Path<'a>>,
    step: Step<'a>,
}

#[derive(Debug, Clone, Copy)]
enum Step<'a> {
    Root,
    Field(&'a str),
    Item(usize),
}

impl<'a> Path<'a> {
    pub(crate) const ROOT: Path<'static> = Path { above: None, step: Step::Root };

    pub(crate) fn field(&'a self, name: &'a str) -> Self {
        Self { above: Some(self), step: Step::Field(name) }
    }

    pub(crate) fn item(&'a self, position: usize) -> Self {
        Self { above: Some(self), step: Step::Item(position) }
    }

    pub(crate) fn is_root(&self) -> bool {
        self.above.is_none()
    }
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(above) = self.above {
            above.fmt(f)?;
        }
        match self.step {
            Step::Root => Ok(()),
            Step::Item(position) => write!(f, "[{position}]"),
            Step::Field(name) => {
                let dot = if self.above.is_none_or(Path::is_root) { "" } else { "." };
                write!(f, "{dot}{}", shown(name))
            }
        }
    }
}

/// The beginning of a text from a request, short enough for an error.
pub(crate) fn shown(text: &str) -> &str {
    const MOST: usize = 200;
    text.char_indices().nth(MOST).map_or(text, |(end, _)| &text[..end])
}
