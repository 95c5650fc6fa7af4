//! What the scripted model says, so that a piece, or a mixture of two, is known as one.

/// The words of answer `number`, which has `words` of them between its first and its last.
pub(crate) fn words(number: u64, words: usize) -> Vec<String> {
    let mut answer = vec![format!("answer-{number}")];
    answer.extend((0..words).map(|word| format!(" word-{word}")));
    answer.push(format!(" end-{number}-{words}"));
    answer
}

/// Whether `text` is an answer from its first word to its last, and nothing else.
pub(crate) fn is_whole(text: &str) -> bool {
    let end = text.rsplit(' ').next().and_then(|end| end.strip_prefix("end-")?.split_once('-'));
    let Some((number, count)) =
        end.and_then(|(number, count)| Some((number.parse().ok()?, count.parse().ok()?)))
    else {
        return false;
    };
    count < text.len() && words(number, count).concat() == text
}

/// What a client answers to a tool call.
pub(crate) fn output(call: &str) -> String {
    format!("output of {call}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_whole_answer_is_one() {
        let answer = words(7, 2);
        assert!(is_whole(&answer.concat()));
        assert!(!is_whole(&answer[..3].concat()), "cut off");
        assert!(!is_whole(&answer[1..].concat()), "begun late");
        assert!(!is_whole(&[&answer[..2], &words(8, 2)[..]].concat().concat()), "two in one");
        assert!(!is_whole(""));
    }
}
