use super::ExtractError;

/// Text in UTF-8, or in UTF-16 with a byte order mark. The mark is left out.
pub(super) fn text(bytes: &[u8]) -> Result<String, ExtractError> {
    let text = match bytes {
        [0xff, 0xfe, rest @ ..] => utf16(rest, u16::from_le_bytes),
        [0xfe, 0xff, rest @ ..] => utf16(rest, u16::from_be_bytes),
        [0xef, 0xbb, 0xbf, rest @ ..] => str::from_utf8(rest).ok().map(str::to_owned),
        _ => str::from_utf8(bytes).ok().map(str::to_owned),
    };
    // Zeros are the sign of a binary file, or of UTF-16 that does not say so.
    text.filter(|text| !text.contains('\0')).ok_or(ExtractError::NotText)
}

fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Option<String> {
    let (pairs, rest) = bytes.as_chunks::<2>();
    let units = pairs.iter().map(|pair| unit(*pair));
    if rest.is_empty() { char::decode_utf16(units).collect::<Result<_, _>>().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_text_is_read_in_any_of_its_encodings(words in "[^\0\u{feff}]\\PC{0,20}") {
            let bytes = |mark: &[u8], unit: fn(u16) -> [u8; 2]| {
                [mark, &words.encode_utf16().flat_map(unit).collect::<Vec<_>>()].concat()
            };
            prop_assert_eq!(text(words.as_bytes()).unwrap(), words.clone());
            prop_assert_eq!(text(&[b"\xef\xbb\xbf", words.as_bytes()].concat()).unwrap(), words.clone());
            prop_assert_eq!(text(&bytes(b"\xff\xfe", u16::to_le_bytes)).unwrap(), words.clone());
            prop_assert_eq!(text(&bytes(b"\xfe\xff", u16::to_be_bytes)).unwrap(), words);
        }
    }

    #[test]
    fn what_is_no_text_is_refused() {
        for bytes in [&b"caf\xe9"[..], b"\x89PNG\0", b"a\0b\0", b"\xff\xfea", b"\xff\xfe\x00\xd8"] {
            assert!(matches!(text(bytes), Err(ExtractError::NotText)), "{bytes:?}");
        }
    }
}
