use std::io::{BufRead, Read};

use quick_xml::{Reader, events::Event};

use super::{ExtractError, MAX_TEXT_BYTES, entity::resolve, package::Package};

/// Most bytes of XML that are unpacked of a file.
const MAX_XML_BYTES: u64 = 128 << 20;

/// Elements whose text was said already, was taken back, or is none: other forms of the same, moved text, tab stops.
const SKIPPED: [&str; 3] = ["Fallback", "moveFrom", "pPr"];

/// What a part is; a file must have a main one.
const MAIN: u8 = 0;
const NOTES: u8 = 1;

/// The text of a Word file, its notes last.
pub(super) fn docx(bytes: &[u8]) -> Result<String, ExtractError> {
    parts(bytes, |name| match name {
        "word/document.xml" => Some((0, MAIN)),
        "word/footnotes.xml" => Some((1, NOTES)),
        "word/endnotes.xml" => Some((2, NOTES)),
        _ => None,
    })
}

/// The text of a PowerPoint file, each slide with its notes.
pub(super) fn pptx(bytes: &[u8]) -> Result<String, ExtractError> {
    let numbered =
        |name: &str, start: &str| name.strip_prefix(start)?.strip_suffix(".xml")?.parse::<u32>().ok();
    parts(bytes, |name| {
        let slide = numbered(name, "ppt/slides/slide").map(|number| (number, MAIN));
        slide.or_else(|| numbered(name, "ppt/notesSlides/notesSlide").map(|number| (number, NOTES)))
    })
}

/// The text of the parts that have a place, in the order of their places.
fn parts(bytes: &[u8], place: impl Fn(&str) -> Option<(u32, u8)>) -> Result<String, ExtractError> {
    let package = Package::new(bytes)?;
    let mut parts: Vec<_> =
        package.entries()?.into_iter().filter_map(|entry| Some((place(entry.name)?, entry))).collect();
    parts.sort_by_key(|(place, _)| *place);
    if parts.iter().all(|((_, kind), _)| *kind != MAIN) {
        return Err(ExtractError::damaged("its main part is missing"));
    }
    let (mut text, mut budget) = (String::new(), MAX_XML_BYTES);
    for (_, entry) in parts {
        let mut part = package.open(&entry)?.take(budget);
        let read = read(&mut part, &mut text);
        budget = part.limit();
        // Too long a part looks cut off to its reader: the budget says which it was.
        if budget == 0 || text.len() > MAX_TEXT_BYTES {
            return Err(ExtractError::TooLarge);
        }
        read?;
    }
    Ok(text.trim_end().to_owned())
}

/// Adds the text of one part, a line for each paragraph.
fn read(part: &mut impl BufRead, text: &mut String) -> Result<(), ExtractError> {
    let mut reader = Reader::from_reader(part);
    reader.config_mut().expand_empty_elements = true;
    let (mut buffer, mut skipped) = (Vec::new(), Vec::new());
    let (mut open, mut in_text) = (0_usize, false);
    while text.len() <= MAX_TEXT_BYTES {
        buffer.clear();
        match reader.read_event_into(&mut buffer).map_err(ExtractError::damaged)? {
            Event::Start(tag) if SKIPPED.contains(&tag.local_name().as_ref()) => {
                reader.read_to_end_into(tag.name(), &mut skipped).map_err(ExtractError::damaged)?;
            }
            Event::Start(tag) => {
                open += 1;
                match tag.local_name().as_ref() {
                    "t" => in_text = true,
                    "tab" => text.push('\t'),
                    "br" | "cr" => text.push('\n'),
                    _ => {}
                }
            }
            Event::End(tag) => {
                open -= 1;
                match tag.local_name().as_ref() {
                    "t" => in_text = false,
                    "p" => text.push('\n'),
                    _ => {}
                }
            }
            Event::Text(piece) if in_text => text.push_str(&piece),
            Event::CData(piece) if in_text => text.push_str(&piece),
            Event::GeneralRef(name) if in_text => text.push_str(&resolve(&name).unwrap_or_default()),
            Event::Eof if open > 0 => return Err(ExtractError::damaged("a part is cut off")),
            Event::Eof => break,
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
