use std::{
    fs::File,
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
};

use anyhow::Context;

use super::sort::{BySort, Sort};

/// Refusals that are shown if there is no report file.
const SHOWN: usize = 20;
/// Most characters of an id or a reason that are shown: both may quote the input.
const QUOTED: usize = 300;

/// How many of a sort came to what.
#[derive(Debug, Clone, Copy, Default)]
struct Row {
    taken: u64,
    there: u64,
    refused: u64,
}

/// What became of an object.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Taken,
    /// An object of this id is there already; it stays as it is.
    There,
    /// Not taken, because.
    Refused(String),
}

/// Where an object stands in the input.
#[derive(Debug, Clone, Copy)]
pub(super) struct Origin<'a> {
    pub(super) path: &'a Path,
    /// 0 stands for the file as a whole.
    pub(super) line: u32,
}

/// Counts what was taken, and says what was not.
#[derive(Debug)]
pub(super) struct Report {
    rows: BySort<Row>,
    /// Lines that are no object of any sort.
    other: u64,
    file: Option<(PathBuf, BufWriter<File>)>,
    shown: Vec<String>,
}

impl Report {
    pub(super) fn new(path: Option<PathBuf>) -> anyhow::Result<Self> {
        let open = |path: PathBuf| {
            let file =
                File::create(&path).with_context(|| format!("{} cannot be written", path.display()))?;
            anyhow::Ok((path, BufWriter::new(file)))
        };
        let file = path.map(open).transpose()?;
        Ok(Self { rows: BySort::default(), other: 0, file, shown: Vec::new() })
    }

    /// Notes what became of an object of this sort.
    pub(super) fn note(
        &mut self,
        sort: Sort,
        origin: Origin<'_>,
        id: Option<&str>,
        verdict: Verdict,
    ) -> io::Result<()> {
        let row = &mut self.rows[sort as usize];
        match verdict {
            Verdict::Taken => row.taken += 1,
            Verdict::There => row.there += 1,
            Verdict::Refused(reason) => {
                row.refused += 1;
                self.tell(origin, id, &reason)?;
            }
        }
        Ok(())
    }

    /// Notes something that is no object of any sort.
    pub(super) fn refuse(&mut self, origin: Origin<'_>, id: Option<&str>, reason: &str) -> io::Result<()> {
        self.other += 1;
        self.tell(origin, id, reason)
    }

    fn tell(&mut self, Origin { path, line }: Origin<'_>, id: Option<&str>, reason: &str) -> io::Result<()> {
        let mut said = path.display().to_string();
        if line > 0 {
            said.push_str(&format!(":{line}"));
        }
        if let Some(id) = id {
            said.push_str(": ");
            said.extend(shown(id));
        }
        said.push_str(": ");
        said.extend(shown(reason));
        match &mut self.file {
            Some((_, file)) => writeln!(file, "{said}"),
            None => {
                if self.shown.len() < SHOWN {
                    self.shown.push(said);
                }
                Ok(())
            }
        }
    }

    fn refused(&self) -> u64 {
        self.rows.iter().map(|row| row.refused).sum::<u64>() + self.other
    }

    /// Says it all, refusals on stderr and the table on stdout; gives how many were refused.
    pub(super) fn finish(mut self) -> anyhow::Result<u64> {
        let refused = self.refused();
        let mut chat = io::stderr().lock();
        for said in &self.shown {
            writeln!(chat, "not taken: {said}")?;
        }
        let more = refused.saturating_sub(self.shown.len() as u64);
        match &mut self.file {
            Some((path, file)) => {
                file.flush()?;
                if refused > 0 {
                    writeln!(chat, "what was not taken, and why, is in {}", path.display())?;
                }
            }
            None if more > 0 => writeln!(chat, "not taken: {more} more; --report FILE lists them all")?,
            None => {}
        }
        write!(io::stdout(), "{}", self.table())?;
        Ok(refused)
    }

    fn table(&self) -> String {
        let mut table = format!(
            "{:<20}{:>10}{:>10}{:>16}{:>12}\n",
            "KIND", "READ", "TAKEN", "ALREADY THERE", "NOT TAKEN"
        );
        let mut line = |name: &str, Row { taken, there, refused }| {
            let read = taken + there + refused;
            table.push_str(&format!("{name:<20}{read:>10}{taken:>10}{there:>16}{refused:>12}\n"));
        };
        for sort in Sort::ALL {
            line(sort.plural(), self.rows[sort as usize]);
        }
        if self.other > 0 {
            line("other", Row { refused: self.other, ..Row::default() });
        }
        table
    }
}

/// Whatever stands in a file, a line of the report stays a line, and a terminal unharmed.
fn shown(text: &str) -> impl Iterator<Item = char> {
    text.chars().take(QUOTED).map(|c| if c.is_control() { ' ' } else { c })
}
