//! What the scripted model makes out in a text. It reads English, and little of it.

use std::iter;

/// Words in capitals that are seldom meant as tickers.
const NO_TICKERS: [&str; 16] = [
    "AI", "AND", "API", "CEO", "ETF", "EU", "EUR", "GBP", "IPO", "JSON", "NYSE", "OK", "UK", "US", "USA",
    "USD",
];

/// The text cut behind each blank: the size of piece that it is streamed in.
pub(super) fn pieces(text: &str) -> impl Iterator<Item = &str> {
    text.split_inclusive(' ')
}

/// How many words a text has; they stand for tokens.
pub(super) fn count(text: &str) -> u64 {
    text.split_whitespace().count() as u64
}

/// The words without their punctuation; numbers like `1,000.50` stay whole.
pub(super) fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphanumeric() && !".,$".contains(c))
        .map(|word| word.trim_matches(['.', ',']))
        .flat_map(|word| {
            let is_whole = number(word).is_some();
            word.split(move |c| c == ',' && !is_whole)
        })
        .filter(|word| !word.is_empty())
}

/// A number as people write it: `1000`, `1,000.5`, `$12`.
fn number(word: &str) -> Option<f64> {
    let word = word.strip_prefix('$').unwrap_or(word);
    let (whole, fraction) = word.split_once('.').unwrap_or((word, "0"));
    let mut groups = whole.split(',');
    let first = groups.next()?;
    let is_grouped = groups.all(|group| group.len() == 3) && (first.len() <= 3 || !whole.contains(','));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    (is_grouped && digits(&whole.replace(',', "")) && digits(fraction))
        .then(|| word.replace(',', "").parse().ok())
        .flatten()
}

/// All numbers of a text, in order.
pub(super) fn numbers(text: &str) -> Vec<f64> {
    words(text).filter_map(number).collect()
}

/// All stock tickers of a text, each once: two to five capitals (`AAPL`, `BRK.B`), or any with a dollar sign (`$F`).
pub(super) fn tickers(text: &str) -> Vec<String> {
    distinct(words(text).filter_map(ticker).map(str::to_owned))
}

fn ticker(word: &str) -> Option<&str> {
    let (name, shortest) = word.strip_prefix('$').map_or((word, 2), |name| (name, 1));
    let (base, class) = name.split_once('.').unwrap_or((name, "A"));
    let capitals = |text: &str| text.bytes().all(|byte| byte.is_ascii_uppercase());
    ((shortest..=5).contains(&base.len()) && class.len() == 1 && capitals(base) && capitals(class))
        .then_some(name)
        .filter(|name| !NO_TICKERS.contains(name))
}

/// All places of a text: the capitalised words behind `in`, `at`, `near`, `for`, and what `and` adds to them.
pub(super) fn places(text: &str) -> Vec<String> {
    let words: Vec<&str> = words(text).collect();
    let is_name = |word: &&&str| {
        word.starts_with(char::is_uppercase) && !["And", "Or"].contains(word) && ticker(word).is_none()
    };
    let behind = |position: usize| {
        let names: Vec<&str> = words[position + 1..].iter().take_while(is_name).copied().collect();
        names.join(" ")
    };
    let mut found = Vec::new();
    for (position, word) in words.iter().enumerate() {
        let leads = ["in", "In", "at", "near", "for"].contains(word);
        if leads || (!found.is_empty() && ["and", "or"].contains(word)) {
            found.push(behind(position));
        }
    }
    distinct(found.into_iter().filter(|place| !place.is_empty()))
}

/// What stands in double quotes.
pub(super) fn quoted(text: &str) -> Vec<String> {
    let parts = text.split(['"', '“', '”']).skip(1).step_by(2);
    distinct(parts.map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned))
}

/// How many shares a text speaks of: the numbers at most three words ahead of `shares`.
pub(super) fn shares(text: &str) -> Vec<f64> {
    let words: Vec<&str> = words(text).collect();
    let is_share = |word: &str| ["share", "shares"].contains(&word.to_lowercase().as_str());
    let positions = words.iter().enumerate().filter(|(_, word)| is_share(word)).map(|(position, _)| position);
    positions
        .filter_map(|end| words[end.saturating_sub(3)..end].iter().rev().find_map(|word| number(word)))
        .collect()
}

/// `1234567.5` with `decimals` 2 as `1,234,567.50`.
pub(super) fn grouped(number: f64, decimals: usize) -> String {
    let plain = format!("{:.decimals$}", number.abs());
    let (whole, fraction) = plain.split_once('.').unwrap_or((&plain, ""));
    let sign = if number < 0.0 { "-" } else { "" };
    let mut text = sign.to_owned();
    for (position, digit) in whole.chars().enumerate() {
        if position > 0 && (whole.len() - position) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text.extend(iter::once(".").chain([fraction]).filter(|_| !fraction.is_empty()));
    text
}

fn distinct(values: impl Iterator<Item = String>) -> Vec<String> {
    values.fold(Vec::new(), |mut all, value| {
        if !all.contains(&value) {
            all.push(value);
        }
        all
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tickers_numbers_places_and_quotes_are_made_out() {
        let text = "What's AAPL's price (and MSFT,GOOGL, $F or BRK.B in USD), I own 1,000.5 of AAPL.";
        assert_eq!(tickers(text), ["AAPL", "MSFT", "GOOGL", "F", "BRK.B"]);
        assert_eq!(numbers("1,000.50, 3 and 1,2; $7. v1.2.3 4,0000"), [1000.5, 3.0, 1.0, 2.0, 7.0, 4.0, 0.0]);
        assert_eq!(
            places("How warm is it in New York and Oslo, and for AAPL in May?"),
            ["New York", "Oslo", "May"]
        );
        assert_eq!(quoted(r#"Find "old rope" and “tar”."#), ["old rope", "tar"]);
    }

    #[test]
    fn shares_are_the_number_just_ahead() {
        assert_eq!(shares("what 1000 shares would be worth"), [1000.0]);
        assert_eq!(shares("2 tips: 1,500 AAPL shares, 1 share of MSFT, no shares"), [1500.0, 1.0]);
    }

    #[test]
    fn thousands_are_grouped() {
        let cases =
            [(0.0, "0.00"), (999.994, "999.99"), (237_500.0, "237,500.00"), (-1_234_567.5, "-1,234,567.50")];
        for (number, text) in cases {
            assert_eq!(grouped(number, 2), text);
        }
        assert_eq!(grouped(1000.0, 0), "1,000");
    }
}
