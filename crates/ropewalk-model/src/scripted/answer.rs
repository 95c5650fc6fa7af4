//! What the scripted model says.

use ropewalk_types::ToolCall;
use serde_json::Value;

use super::{plan::Exchange, words};

/// What every answer begins with.
const LABEL: &str = "[scripted model, not a language model] ";
/// Most characters of somebody else's text in an answer.
const MAX_QUOTED: usize = 1_000;

pub(super) fn text(exchange: &Exchange<'_>) -> String {
    let outputs: Vec<(&ToolCall, &str)> =
        exchange.calls.iter().filter_map(|(call, output)| Some((*call, (*output)?))).collect();
    let mut shares = words::shares(&exchange.text);
    // One number of shares is meant for all, several for one price each.
    if let [only] = shares[..] {
        shares = vec![only; outputs.len()];
    }
    let mut sentences: Vec<String> = (0..)
        .zip(&outputs)
        .map(|(position, (call, output))| sentence(call, output, shares.get::<usize>(position).copied()))
        .collect();
    if sentences.is_empty() {
        sentences.push(match exchange.text.trim() {
            "" => "There is nothing to answer yet.".to_owned(),
            text => format!("You said: {}", shortened(text)),
        });
    }
    format!("{LABEL}{}", sentences.join(" "))
}

fn sentence(call: &ToolCall, output: &str, shares: Option<f64>) -> String {
    let subject = subject(call);
    let made = format!("{}({})", call.function.name, subject.as_deref().unwrap_or_default());
    let json = serde_json::from_str::<Value>(output).unwrap_or_else(|_| output.into());
    if let Some(error) = error(&json) {
        return format!("{made} failed: {}", shortened(&error));
    }
    let Some(price) = json.get("price").and_then(number) else {
        return format!("{made} gave: {}", shortened(output.trim()));
    };
    let currency =
        json.get("currency").and_then(Value::as_str).map(|currency| format!(" {}", shortened(currency)));
    let currency = currency.unwrap_or_default();
    let quote = format!("{} trades at {}{currency}.", subject.unwrap_or(made), words::grouped(price, 2));
    match shares {
        Some(1.0) | None => quote,
        Some(shares) => {
            let decimals = if shares.fract() == 0.0 { 0 } else { 2 };
            let (count, worth) = (words::grouped(shares, decimals), words::grouped(shares * price, 2));
            format!("{quote} {count} shares would be worth {worth}{currency}.")
        }
    }
}

/// What a call was about: its first argument that is a text.
fn subject(call: &ToolCall) -> Option<String> {
    let arguments = call.function.arguments.parse::<Value>().ok()?;
    arguments.as_object()?.values().find_map(Value::as_str).map(shortened)
}

/// The error that an output tells of: in a key of that name, or as a text that begins so.
fn error(output: &Value) -> Option<String> {
    let is_error = |text: &&str| text.get(..5).is_some_and(|start| start.eq_ignore_ascii_case("error"));
    match output.get("error") {
        None | Some(Value::Null | Value::Bool(false)) => output.as_str().filter(is_error).map(str::to_owned),
        Some(Value::String(text)) => Some(text.clone()),
        Some(error) => {
            Some(error.get("message").and_then(Value::as_str).map_or(error.to_string(), str::to_owned))
        }
    }
}

fn number(value: &Value) -> Option<f64> {
    value.as_f64().or_else(|| value.as_str()?.trim().parse().ok()).filter(|number| number.is_finite())
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(MAX_QUOTED) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
