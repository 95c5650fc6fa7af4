//! What the model is told: of the tool, and of a cell that ran.

use std::fmt::Write;

use ropewalk_interpreter::CellEnd;

use super::CodeInterpreterOptions;

/// Characters at each end of what a cell printed that the model is shown.
const END_CHARS: usize = 10_000;
/// Most files that the model is told the names of.
const MOST_NAMES: usize = 50;

/// How the model is told of the tool, with the names of the files that lie there.
pub(super) fn description(options: &CodeInterpreterOptions, files: &[String]) -> String {
    let mut text = format!(
        "Runs Python. Variables stay from call to call. What is printed, the value of the last expression, and figures of \
         matplotlib are shown; the user sees figures too. Files lie in /mnt/data: give one to the user by naming it as \
         sandbox:/mnt/data/NAME in the answer. There is no network, nothing can be installed, and a call may take {} \
         seconds.",
        options.cell.as_secs()
    );
    // Writing to a string cannot fail.
    if !options.packages.is_empty() {
        _ = write!(text, " Installed besides the standard library: {}.", options.packages.join(", "));
    }
    if !files.is_empty() {
        let names = files.iter().take(MOST_NAMES).map(|name| format!("/mnt/data/{name}"));
        _ = write!(text, " Files that are there: {}", names.collect::<Vec<_>>().join(", "));
        match files.len().saturating_sub(MOST_NAMES) {
            0 => text.push('.'),
            more => _ = write!(text, " and {more} more."),
        }
    }
    text
}

/// What a cell did, as the model is shown it.
#[derive(Debug, Default)]
pub(super) struct Transcript {
    before: Vec<String>,
    printed: String,
    figures: usize,
    behind: Vec<String>,
    ran: bool,
}

impl Transcript {
    /// The cell printed.
    pub(super) fn print(&mut self, text: &str) {
        self.printed.push_str(text);
    }

    /// The cell drew, and the user sees it.
    pub(super) fn drew(&mut self) {
        self.figures += 1;
    }

    /// Something that the model has to know beside that.
    pub(super) fn note(&mut self, note: impl Into<String>) {
        let notes = if self.ran { &mut self.behind } else { &mut self.before };
        notes.push(note.into());
    }

    /// The cell is over; gives what that adds to what it printed.
    pub(super) fn end(&mut self, end: &CellEnd) -> String {
        self.ran = true;
        let mut added = String::new();
        let said = match end {
            CellEnd::Failed { traceback } => traceback.trim_end(),
            CellEnd::TimedOut => {
                "The time limit was hit and the code was interrupted. Variables were kept. Do less in one call."
            }
            CellEnd::Lost { why } => {
                self.behind.push(
                    "Variables and imports are gone; the files in /mnt/data are kept. The next call begins a new session."
                        .to_owned(),
                );
                why
            }
            _ => return added,
        };
        if !self.printed.is_empty() && !self.printed.ends_with('\n') {
            added.push('\n');
        }
        added.push_str(said);
        added.push('\n');
        self.printed.push_str(&added);
        added
    }

    /// All of it.
    pub(super) fn shown(self) -> String {
        let mut parts = bracketed(self.before);
        match cut(self.printed.trim_end()) {
            printed if !printed.is_empty() => parts.push(printed),
            _ if self.figures == 0 => parts.push("[The code ran and printed nothing.]".to_owned()),
            _ => {}
        }
        parts.extend(match self.figures {
            0 => None,
            1 => Some("[A figure was shown to the user.]".to_owned()),
            figures => Some(format!("[{figures} figures were shown to the user.]")),
        });
        parts.extend(bracketed(self.behind));
        parts.join("\n")
    }
}

fn bracketed(notes: Vec<String>) -> Vec<String> {
    notes.into_iter().map(|note| format!("[{note}]")).collect()
}

/// The beginning and the end of a long text.
fn cut(text: &str) -> String {
    let length = text.chars().count();
    let Some(left_out) = length.checked_sub(2 * END_CHARS).filter(|left_out| *left_out > 0) else {
        return text.to_owned();
    };
    let begin: String = text.chars().take(END_CHARS).collect();
    let end: String = text.chars().skip(END_CHARS + left_out).collect();
    format!("{begin}\n[… {left_out} characters were left out here …]\n{end}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(printed: &str, figures: usize, end: &CellEnd) -> String {
        let mut transcript = Transcript::default();
        transcript.print(printed);
        (0..figures).for_each(|_| transcript.drew());
        transcript.end(end);
        transcript.shown()
    }

    #[test]
    fn the_model_is_told_plainly_what_a_cell_did() {
        let failed = CellEnd::Failed { traceback: "Traceback …\nKeyError: 'a'\n".to_owned() };
        let lost = CellEnd::Lost { why: "The session ended: too much memory." };
        let cells = [
            shown("42\n", 0, &CellEnd::Completed),
            shown("", 0, &CellEnd::Completed),
            shown("", 1, &CellEnd::Completed),
            shown("x", 2, &failed),
            shown("1\n", 0, &CellEnd::TimedOut),
            shown("", 0, &lost),
        ];
        insta::assert_snapshot!(cells.join("\n---\n"));
    }

    #[test]
    fn the_middle_of_a_long_text_is_left_out() {
        let text = cut(&"é".repeat(2 * END_CHARS + 7));
        assert!(text.contains("7 characters were left out"));
        assert_eq!(text.matches('é').count(), 2 * END_CHARS);
        assert_eq!(cut("short"), "short");
    }
}
