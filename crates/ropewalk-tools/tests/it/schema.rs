//! `strict_schema`: what has a strict form, and what has none.

#![expect(dead_code, reason = "the types are only described")]

use std::collections::{BTreeMap, BTreeSet};

use ropewalk_tools::{SchemaError, strict_schema};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

/// An order.
#[derive(Deserialize, JsonSchema)]
struct Order {
    /// Who pays.
    customer: Customer,
    /// What is ordered.
    #[schemars(length(min = 1))]
    items: Vec<Item>,
    /// How it is sent.
    delivery: Option<Delivery>,
    gift: Option<Customer>,
    #[serde(default)]
    priority: Priority,
    /// At most how many parcels.
    #[serde(default = "two")]
    parcels: u8,
    tags: BTreeSet<String>,
    #[serde(flatten)]
    note: Note,
}

fn two() -> u8 {
    2
}

/// A customer.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Customer {
    full_name: String,
    #[schemars(email)]
    mail_address: Option<String>,
}

#[derive(Deserialize, JsonSchema)]
struct Item {
    /// Article number.
    #[schemars(regex(pattern = "^[A-Z]{2}[0-9]+$"))]
    article: String,
    #[schemars(range(min = 1, max = 99))]
    count: u32,
}

/// Where the parcel goes.
#[derive(Deserialize, JsonSchema)]
#[serde(tag = "by", rename_all = "snake_case")]
enum Delivery {
    /// To the door.
    Post { street: String },
    /// To the shop.
    Pickup,
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Priority {
    /// When there is time.
    #[default]
    Low,
    High,
}

#[derive(Deserialize, JsonSchema)]
struct Note {
    text: String,
}

/// A branch of a tree.
#[derive(Deserialize, JsonSchema)]
struct Branch {
    name: String,
    /// Smaller ones.
    branches: Vec<Branch>,
    /// The one it grows from.
    parent: Option<Box<Branch>>,
    sum: Sum,
}

#[derive(Deserialize, JsonSchema)]
enum Sum {
    Number(f64),
    Plus {
        /// On the left.
        left: Box<Sum>,
        right: Box<Sum>,
    },
}

#[test]
fn nested_structs_enums_options_and_lists_have_a_strict_form() {
    insta::assert_json_snapshot!(strict_schema::<Order>().unwrap());
}

#[test]
fn recursive_types_keep_their_definitions() {
    insta::assert_json_snapshot!(strict_schema::<Branch>().unwrap());
}

#[derive(Deserialize, JsonSchema)]
struct Of<T> {
    value: T,
}

#[derive(Deserialize, JsonSchema)]
struct Flattened<T> {
    name: String,
    #[serde(flatten)]
    rest: T,
}

#[test]
fn what_has_no_strict_form_is_told_by_path() {
    fn error<T: JsonSchema>() -> String {
        let error: SchemaError = strict_schema::<T>().unwrap_err();
        error.to_string()
    }
    insta::assert_snapshot!(
        [
            error::<Of<BTreeMap<String, u8>>>(),
            error::<Of<Vec<Of<Option<BTreeMap<String, u8>>>>>>(),
            error::<Of<(u8, u8)>>(),
            error::<Of<Vec<Value>>>(),
            error::<Of<Vec<(u8, String)>>>(),
            error::<Flattened<BTreeMap<String, u8>>>(),
            error::<Flattened<Delivery>>(),
            error::<Delivery>(),
            error::<String>(),
        ]
        .join("\n")
    );
}
