//! Run with `cargo run -p ropewalk-tools --example stock_tool`.
//!
//! A tool with a small price table: what the model is told about it, and what it gets for good and bad calls.
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use ropewalk_tools::{Registry, ToolContext, ToolError, tool};
use ropewalk_types::{FunctionCall, ToolCall};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Closing prices in US dollars, last first.
const PRICES: [(&str, [f64; 3]); 3] =
    [("AAPL", [271.49, 266.25, 268.56]), ("ACME", [12.5, 12.25, 13.0]), ("NVDA", [178.88, 180.64, 186.52])];

/// What a price is quoted in.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Currency {
    Usd,
    Eur,
}

#[derive(Debug, Serialize)]
struct Quote {
    ticker: String,
    price: f64,
    currency: Currency,
}

/// Price of a share at the end of a trading day.
#[tool]
async fn get_stock_price(
    /// The ticker symbol, e.g. `AAPL`.
    ticker: String,
    /// How many trading days ago; today if left out.
    days_ago: Option<usize>,
    /// US dollars if left out.
    currency: Option<Currency>,
) -> Result<Quote, ToolError> {
    let Some((_, prices)) = PRICES.iter().find(|(name, _)| *name == ticker) else {
        let known = PRICES.map(|(name, _)| name).join(", ");
        return Err(format!("`{ticker}` is not listed; these are: {known}").into());
    };
    let price = prices.get(days_ago.unwrap_or(0)).ok_or("prices go back two trading days")?;
    let currency = currency.unwrap_or(Currency::Usd);
    let rate = if matches!(currency, Currency::Eur) { 0.87 } else { 1.0 };
    Ok(Quote { ticker, price: (price * rate * 100.0).round() / 100.0, currency })
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let registry = Registry::new().add(get_stock_price)?;
    println!("{}\n", serde_json::to_string_pretty(&registry.definitions())?);

    for arguments in [
        r#"{"ticker": "ACME", "days_ago": null, "currency": "eur"}"#,
        "{'ticker': 'NVDA', days_ago: 1,}",
        r#"{"ticker": "MSFT"}"#,
        r#"{"ticker": 500, "currency": "yen"}"#,
        r#"{"ticker": "AA"#,
    ] {
        let function = FunctionCall { name: "get_stock_price".into(), arguments: arguments.into() };
        let call = ToolCall { id: "call_1".into(), kind: Default::default(), function };
        let output = registry.call(&call, &ToolContext::default()).await;
        println!("{arguments}\n    {}", output.output.unwrap_or_default());
    }
    Ok(())
}
