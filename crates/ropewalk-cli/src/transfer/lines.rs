use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read},
    path::Path,
};

/// Most bytes of a line: a page of 100 messages of 256,000 characters fits.
pub(super) const MAX_LINE: u64 = 64 << 20;

/// The lines of a file, one at a time in memory.
pub(super) struct Lines {
    reader: BufReader<File>,
    offset: u64,
    number: u32,
    text: Vec<u8>,
}

/// One line of a file.
pub(super) struct Line<'a> {
    /// Where it begins, in bytes.
    pub(super) offset: u64,
    /// 1 is the first.
    pub(super) number: u32,
    /// `None` if it is longer than [`MAX_LINE`].
    pub(super) text: Option<&'a [u8]>,
}

impl Lines {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let reader = BufReader::with_capacity(256 * 1024, File::open(path)?);
        Ok(Self { reader, offset: 0, number: 0, text: Vec::new() })
    }

    pub(super) fn next(&mut self) -> io::Result<Option<Line<'_>>> {
        self.text.clear();
        let mut read = (&mut self.reader).take(MAX_LINE + 1).read_until(b'\n', &mut self.text)? as u64;
        if read == 0 {
            return Ok(None);
        }
        let fits = read <= MAX_LINE || self.text.last() == Some(&b'\n');
        if !fits {
            read += self.reader.skip_until(b'\n')? as u64;
        }
        let offset = self.offset;
        self.offset += read;
        self.number = self.number.saturating_add(1);
        Ok(Some(Line { offset, number: self.number, text: fits.then_some(&self.text) }))
    }
}
