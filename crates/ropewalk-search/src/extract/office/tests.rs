use std::io::Write;

use flate2::{Compression, write::DeflateEncoder};
use proptest::{prelude::*, sample::Index};

use super::*;

/// A ZIP archive of these entries, deflated.
fn package(entries: &[(&str, &[u8])]) -> Vec<u8> {
    listed(entries, 1)
}

/// One that lists its entries so many times.
fn listed(entries: &[(&str, &[u8])], times: usize) -> Vec<u8> {
    let (mut bytes, mut directory) = (Vec::new(), Vec::new());
    for (name, content) in entries {
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(content).unwrap();
        let packed = encoder.finish().unwrap();

        let sizes = [packed.len() as u32, content.len() as u32].map(u32::to_le_bytes).concat();
        // Version, flags, method 8, time, date, checksum; then the sizes and the lengths of name and extra field.
        let head =
            [&[20, 0, 0, 0, 8, 0][..], &[0; 8], &sizes, &(name.len() as u16).to_le_bytes(), &[0; 2]].concat();
        let at = (bytes.len() as u32).to_le_bytes();
        directory.push([b"PK\x01\x02\x14\0", &head[..], &[0; 10], &at, name.as_bytes()].concat());
        bytes.extend([b"PK\x03\x04", &head[..], name.as_bytes(), &packed].concat());
    }
    let (start, directory) = (bytes.len() as u32, directory.concat().repeat(times));
    let count = (entries.len() as u16).to_le_bytes();
    let size = (directory.len() as u32).to_le_bytes();
    [&bytes, &directory[..], b"PK\x05\x06", &[0; 4], &count, &count, &size, &start.to_le_bytes(), &[0; 2]]
        .concat()
}

fn document(body: &str) -> Vec<u8> {
    let xml =
        format!("<?xml version=\"1.0\"?><w:document xmlns:w=\"w\"><w:body>{body}</w:body></w:document>");
    package(&[("[Content_Types].xml", b"<Types/>"), ("word/document.xml", xml.as_bytes())])
}

#[test]
fn a_word_file_reads_as_on_paper() {
    let body = "<w:p><w:pPr><w:tabs><w:tab w:pos=\"1\"/></w:tabs></w:pPr><w:r><w:t>Hemp &amp; </w:t></w:r>\
        <w:r><w:t>jute</w:t><w:tab/><w:t xml:space=\"preserve\"> &#x1F9F5;</w:t></w:r></w:p>\n  <w:p/>\
        <w:del><w:r><w:delText>gone</w:delText></w:r></w:del>\
        <mc:AlternateContent><mc:Choice><w:p><w:r><w:t>once</w:t></w:r></w:p></mc:Choice>\
        <mc:Fallback><w:p><w:r><w:t>twice</w:t></w:r></w:p></mc:Fallback></mc:AlternateContent>\
        <w:tbl><w:tr><w:tc><w:p><w:r><w:t>a</w:t><w:br/><w:t><![CDATA[<b>]]></w:t></w:r></w:p></w:tc></w:tr></w:tbl>";
    assert_eq!(docx(&document(body)).unwrap(), "Hemp & jute\t 🧵\n\nonce\na\n<b>");
}

#[test]
fn slides_come_in_order_each_with_its_notes() {
    let slide =
        |text: &str| format!("<p:sld><a:p><a:r><a:t>{text}</a:t></a:r><a:br/></a:p></p:sld>").into_bytes();
    let slides = [("slides/slide10", "ten"), ("slides/slide2", "two"), ("notesSlides/notesSlide2", "note")];
    let entries: Vec<_> =
        slides.iter().map(|(name, text)| (format!("ppt/{name}.xml"), slide(text))).collect();
    let entries: Vec<_> = entries.iter().map(|(name, xml)| (name.as_str(), xml.as_slice())).collect();
    assert_eq!(pptx(&package(&entries)).unwrap(), "two\n\nnote\n\nten");
}

#[test]
fn a_file_packed_to_burst_is_refused() {
    let bomb = [&b"<x>"[..], &vec![b' '; 4 << 20], b"</x>"].concat();
    let file = listed(&[("word/document.xml", &bomb)], MAX_XML_BYTES as usize >> 22);
    assert!(file.len() < 1 << 16);
    assert!(matches!(docx(&file), Err(ExtractError::TooLarge)));
    assert!(matches!(docx(&listed(&[("x", b"")], 10_001)), Err(ExtractError::TooLarge)));
}

#[test]
fn what_is_no_word_file_is_refused() {
    let whole = document("<w:p><w:r><w:t>text</w:t></w:r></w:p>");
    let mut encrypted = whole.clone();
    let entry = memchr::memmem::find(&whole, b"PK\x01\x02").unwrap();
    let entry = entry + 4 + memchr::memmem::find(&whole[entry + 4..], b"PK\x01\x02").unwrap();
    encrypted[entry + 8] = 1;
    let files = [
        b"plain text".to_vec(),
        whole[..whole.len() / 2].to_vec(),
        encrypted,
        package(&[("ppt/slides/slide1.xml", b"<a/>")]),
        package(&[("word/document.xml", b"<w:p><w:t>never closed")]),
        package(&[("word/document.xml", b"<w:p></w:t>")]),
        package(&[("word/document.xml", b"<w:t>caf\xe9</w:t>")]),
    ];
    for (number, file) in files.iter().enumerate() {
        assert!(matches!(docx(file), Err(ExtractError::Damaged(_))), "file {number}: {:?}", docx(file));
    }
}

#[test]
fn depth_costs_no_stack() {
    let deep = format!("{}x{}", "<w:t>".repeat(100_000), "</w:t>".repeat(100_000));
    assert_eq!(docx(&document(&deep)).unwrap(), "x");
}

proptest! {
    #[test]
    fn damage_never_panics(at in any::<Index>(), byte in any::<u8>(), length in any::<Index>()) {
        let mut file = document("<w:p><w:r><w:t>text &lt; text</w:t></w:r></w:p>");
        let at = at.index(file.len());
        file[at] = byte;
        let _ = docx(&file);
        let _ = pptx(&file[..length.index(file.len())]);
    }

    #[test]
    fn any_bytes_are_answered(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(docx(&bytes).is_err());
    }
}
