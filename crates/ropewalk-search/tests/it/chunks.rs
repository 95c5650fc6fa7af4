use proptest::{collection::vec, prelude::*, sample::select};
use ropewalk_search::{ChunkSizeError, Chunker};
use ropewalk_tokens::Encoding;
use ropewalk_types::StaticChunking;

fn size(max: u32, overlap: u32) -> StaticChunking {
    StaticChunking { max_chunk_size_tokens: max, chunk_overlap_tokens: overlap }
}

#[test]
fn sizes_are_those_of_the_api() {
    assert_eq!(Chunker::default().size(), size(800, 400));
    for (max, overlap) in [(100, 0), (100, 50), (101, 50), (4096, 2048)] {
        assert!(Chunker::new(size(max, overlap)).is_ok(), "{max}, {overlap}");
    }
    for max in [0, 99, 4097, u32::MAX] {
        assert_eq!(Chunker::new(size(max, 0)), Err(ChunkSizeError::Size));
    }
    for (max, overlap) in [(100, 51), (101, 51), (4096, 2049), (800, u32::MAX)] {
        assert_eq!(Chunker::new(size(max, overlap)), Err(ChunkSizeError::Overlap));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Each word is one token and stands nowhere else, so what neighbours share can be read off the text.
    #[test]
    fn chunks_cover_the_text_fit_and_overlap_as_asked(words in 0..900_usize, max in 100..300_u32, share in 0..=50_u32) {
        let overlap = max * share / 100;
        let text: String = (0..words).map(|number| if number % 2 == 0 { " rope" } else { " walk" }).collect();
        let chunks: Vec<&str> = Chunker::new(size(max, overlap)).unwrap().chunks(&text).collect();

        let mut covered = String::new();
        for (place, chunk) in chunks.iter().enumerate() {
            prop_assert!(Encoding::Cl100k.count(chunk) <= max as usize);
            let shared = if place == 0 { 0 } else { overlap as usize * 5 };
            prop_assert_eq!(covered.get(covered.len() - shared..), chunk.get(..shared));
            covered.push_str(&chunk[shared..]);
        }
        prop_assert_eq!(covered, text);
    }

    #[test]
    fn chunks_of_any_text_cover_it_and_fit(pieces in vec(prop_oneof![
        any::<String>(),
        select(vec!["🧵縄を綯う", "don't ", "   \n\n", "veryLongIdentifierOf42Words", "=>"]).prop_map(|piece| piece.repeat(30)),
    ], 0..20)) {
        let text = pieces.concat();
        let chunks: Vec<&str> = Chunker::new(size(100, 50)).unwrap().chunks(&text).collect();
        let mut end = 0;
        for chunk in chunks {
            prop_assert!(Encoding::Cl100k.count(chunk) <= 100);
            let start = chunk.as_ptr() as usize - text.as_ptr() as usize;
            prop_assert!(start <= end && start + chunk.len() > end);
            end = start + chunk.len();
        }
        prop_assert_eq!(end, text.len());
    }
}
