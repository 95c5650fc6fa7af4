use bpe_openai::Tokenizer;

use crate::Windows;

/// How a model reads text: its dictionary of tokens.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Encoding {
    /// `cl100k_base`: gpt-4, gpt-3.5 and the embedding models.
    Cl100k,
    /// `o200k_base`: gpt-4o and all that came after it.
    #[default]
    O200k,
}

impl Encoding {
    /// The longest token of either dictionary, in bytes.
    pub(crate) const LONGEST_TOKEN: usize = 128;

    /// The encoding of a model, by its name. Fine-tuned models (`ft:gpt-4-0613:rope::1`), names with their maker ahead
    /// (`openai/gpt-4`) and Azure's spelling (`gpt-35-turbo`) are understood.
    ///
    /// A model that nobody here knows gets [`Encoding::O200k`]: its counts are then an estimate.
    pub fn for_model(model: &str) -> Self {
        let model = model.strip_prefix("ft:").unwrap_or(model);
        let model = model.rsplit_once('/').map_or(model, |(_, name)| name).to_ascii_lowercase();
        let is = |name| {
            model.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with(['-', ':']))
        };
        let old = ["gpt-4", "gpt-3.5", "gpt-35", "text-embedding", "davinci-002", "babbage-002"];
        if old.into_iter().any(is) { Self::Cl100k } else { Self::O200k }
    }

    /// How many tokens `text` has.
    pub fn count(self, text: &str) -> usize {
        let tokenizer = self.tokenizer();
        tokenizer.split(text).map(|word| tokenizer.bpe.count(word.as_bytes())).sum()
    }

    /// How many tokens `text` has, if that is at most `limit`.
    ///
    /// The work is bounded by the limit, not by the text: at most 128 bytes for each token of it are looked at.
    pub fn count_up_to(self, text: &str, limit: usize) -> Option<usize> {
        if text.len() > limit.saturating_mul(Self::LONGEST_TOKEN) {
            return None;
        }
        let tokenizer = self.tokenizer();
        tokenizer.split(text).try_fold(0, |before, word| {
            let count = before + tokenizer.bpe.count(word.as_bytes());
            (count <= limit).then_some(count)
        })
    }

    /// The longest beginning of `text` that the first `max_tokens` tokens spell, cut between characters.
    ///
    /// It is empty if not even the first character fits. The work is bounded as in [`Encoding::count_up_to`].
    pub fn truncate(self, text: &str, max_tokens: usize) -> &str {
        let end = text.floor_char_boundary(max_tokens.saturating_mul(Self::LONGEST_TOKEN));
        let first = self.windows(&text[..end], max_tokens, 0).next().map_or("", |range| &text[range]);
        if self.count_up_to(first, max_tokens).is_some() { first } else { "" }
    }

    /// Cuts `text` into windows of up to `max_tokens` tokens, each beginning with the last `overlap` tokens of the one
    /// before it. See [`Windows`].
    pub fn windows(self, text: &str, max_tokens: usize, overlap: usize) -> Windows<'_> {
        Windows::new(self, text, max_tokens, overlap)
    }

    pub(crate) fn tokenizer(self) -> &'static Tokenizer {
        match self {
            Self::Cl100k => bpe_openai::cl100k_base(),
            Self::O200k => bpe_openai::o200k_base(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn models_have_the_encoding_that_their_maker_names() {
        let cl100k = [
            "gpt-4",
            "gpt-4-turbo",
            "gpt-4-0613",
            "gpt-4-32k",
            "gpt-3.5-turbo",
            "gpt-35-turbo-16k",
            "GPT-4",
            "ft:gpt-3.5-turbo-0125:rope::x",
            "openai/gpt-4",
            "text-embedding-3-large",
            "ft:davinci-002:rope::x",
        ];
        let o200k = [
            "gpt-4o",
            "gpt-4o-mini-2024-07-18",
            "gpt-4.1-nano",
            "gpt-4.5-preview",
            "gpt-5",
            "gpt-5-mini",
            "o1",
            "o3-mini",
            "o4-mini",
            "chatgpt-4o-latest",
            "ft:gpt-4o-2024-08-06:rope::x",
            "openai/gpt-4o",
            "gpt-oss-20b",
            "llama-3",
            "",
        ];
        assert!(cl100k.iter().all(|name| Encoding::for_model(name) == Encoding::Cl100k));
        assert!(o200k.iter().all(|name| Encoding::for_model(name) == Encoding::O200k));
    }

    #[test]
    fn no_token_is_longer_than_the_bound_says() {
        for encoding in [Encoding::Cl100k, Encoding::O200k] {
            let bpe = &encoding.tokenizer().bpe;
            let longest = (0..bpe.num_tokens()).map(|id| bpe.token_len(id as u32)).max();
            assert_eq!(longest, Some(Encoding::LONGEST_TOKEN));
        }
    }
}
