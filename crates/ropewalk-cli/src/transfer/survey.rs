use std::{borrow::Cow, io, path::Path};

use anyhow::Context;
use serde::Deserialize;
use serde_json::{Value, value::RawValue};

use super::{
    direction::Direction,
    inputs::{Input, Inputs},
    lines::Lines,
    report::{Origin, Report},
    sort::{BySort, Sort},
};

/// Where an object stands in its file.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry {
    /// In bytes.
    pub(super) offset: u64,
    pub(super) bytes: u32,
    pub(super) line: u32,
}

/// What one file holds.
#[derive(Debug, Default)]
struct Contents {
    entries: BySort<Vec<Entry>>,
    directions: BySort<Direction>,
}

/// Where all objects of the input stand: 16 bytes an object, whatever its size.
#[derive(Debug)]
pub(super) struct Survey(Vec<Contents>);

/// As much of a line as tells what it is.
#[derive(Deserialize)]
struct Head<'a> {
    #[serde(borrow)]
    object: Option<Cow<'a, str>>,
    #[serde(default)]
    id: Value,
    #[serde(default)]
    created_at: Value,
    #[serde(default)]
    thread_id: Value,
    #[serde(default)]
    run_id: Value,
    #[serde(default)]
    vector_store_id: Value,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
}

impl Head<'_> {
    fn parent(&self, sort: Sort) -> Option<String> {
        let id = match sort {
            Sort::Message | Sort::Run => &self.thread_id,
            Sort::RunStep => &self.run_id,
            Sort::VectorStoreFile => &self.vector_store_id,
            _ => return None,
        };
        id.as_str().map(str::to_owned)
    }
}

impl Survey {
    /// Reads everything once, and reports what is no object of any sort.
    pub(super) fn of(inputs: &Inputs, report: &mut Report) -> anyhow::Result<Self> {
        let read = |input: &Input| {
            contents(&input.path, report).with_context(|| format!("{} cannot be read", input.path.display()))
        };
        inputs.found.iter().map(read).collect::<anyhow::Result<_>>().map(Self)
    }

    pub(super) fn objects(&self) -> u64 {
        let entries = self.0.iter().flat_map(|contents| &contents.entries);
        entries.map(|entries| entries.len() as u64).sum()
    }

    /// All entries of a sort with the number of their input, oldest first within a parent.
    pub(super) fn oldest_first(&self, sort: Sort) -> impl Iterator<Item = (usize, Entry)> {
        let direction = |contents: &'_ Contents| contents.directions[sort as usize].clone();
        let directions: Vec<Direction> = self.0.iter().map(direction).collect();
        let all = Direction::of_all(directions.iter());
        // Pages of one list in several files stand in the direction of their rows.
        let mut order: Vec<usize> = (0..self.0.len()).collect();
        if all.newest_first(&all) {
            order.reverse();
        }
        order.into_iter().flat_map(move |number| {
            let entries = self.0[number].entries[sort as usize].iter();
            let newest_first = directions[number].newest_first(&all);
            let (back, forth) =
                if newest_first { (Some(entries.rev()), None) } else { (None, Some(entries)) };
            let rows = back.into_iter().flatten().chain(forth.into_iter().flatten());
            rows.map(move |entry| (number, *entry))
        })
    }
}

fn contents(path: &Path, report: &mut Report) -> io::Result<Contents> {
    let (mut lines, mut contents) = (Lines::open(path)?, Contents::default());
    while let Some(line) = lines.next()? {
        let origin = Origin { path, line: line.number };
        let Some(text) = line.text else {
            report.refuse(origin, None, "the line has more than 64 MiB")?;
            continue;
        };
        // Windows' mark of UTF-8, which JSON does not have.
        let mark = if line.offset == 0 && text.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
        let blank = text[mark..].iter().take_while(|byte| byte.is_ascii_whitespace()).count();
        let text = text[mark + blank..].trim_ascii_end();
        if text.is_empty() {
            continue;
        }
        let place = Place { origin, offset: line.offset + (mark + blank) as u64, in_page: false };
        contents.see(text, place, report)?;
    }
    Ok(contents)
}

#[derive(Clone, Copy)]
struct Place<'a> {
    origin: Origin<'a>,
    offset: u64,
    in_page: bool,
}

impl Contents {
    fn see(&mut self, text: &[u8], place: Place<'_>, report: &mut Report) -> io::Result<()> {
        if !text.starts_with(b"{") {
            return report.refuse(place.origin, None, "this is no object in JSON");
        }
        let head: Head<'_> = match serde_json::from_slice(text) {
            Ok(head) => head,
            Err(error) => {
                return report.refuse(place.origin, None, &format!("this is no object in JSON: {error}"));
            }
        };
        match (head.object.as_deref(), head.data) {
            (Some("list"), Some(data)) if !place.in_page => return self.see_page(text, data, place, report),
            (Some(word), _) => {
                let Some(sort) = Sort::of(word) else {
                    let reason = format!("objects of the kind `{word}` are not taken");
                    return report.refuse(place.origin, head.id.as_str(), &reason);
                };
                let time = head.created_at.as_i64().unwrap_or_default();
                self.directions[sort as usize].see(head.parent(sort), time, place.in_page);
                let bytes = u32::try_from(text.len()).unwrap_or(u32::MAX);
                let entry = Entry { offset: place.offset, bytes, line: place.origin.line };
                self.entries[sort as usize].push(entry);
            }
            (None, _) => {
                report.refuse(place.origin, head.id.as_str(), "it has no `object` that says what it is")?
            }
        }
        Ok(())
    }

    fn see_page(
        &mut self,
        text: &[u8],
        data: &RawValue,
        place: Place<'_>,
        report: &mut Report,
    ) -> io::Result<()> {
        let rows: Vec<&RawValue> = match serde_json::from_str(data.get()) {
            Ok(rows) => rows,
            Err(error) => {
                return report.refuse(place.origin, None, &format!("`data` of the page is no list: {error}"));
            }
        };
        for row in rows {
            // Raw values lie in the line that they were read from.
            let within = row.get().as_ptr().addr().saturating_sub(text.as_ptr().addr());
            let place = Place { offset: place.offset + within as u64, in_page: true, ..place };
            self.see(row.get().as_bytes(), place, report)?;
        }
        Ok(())
    }
}
