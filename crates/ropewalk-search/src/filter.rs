use ropewalk_types::{
    AttributeValue, Attributes, Comparison, ComparisonFilter, CompoundFilter, Filter, FilterValue, Junction,
    ListedValue,
};

/// Deeper than any filter that arrives as JSON can be.
const MAX_DEPTH: usize = 128;

/// Whether a file with these attributes passes the filter.
///
/// Numbers, texts (by their characters' order) and booleans are compared with their own kind only: across kinds two
/// values are unequal, and neither is greater. Booleans have no order. An attribute that is not there is unequal to
/// every value, in no list, and neither greater nor less. What stands deeper than 128 filters does not hold.
///
/// ```
/// # use ropewalk_types::{AttributeValue, Attributes, Filter};
/// let filter: Filter = serde_json::from_value(serde_json::json!({
///     "type": "and",
///     "filters": [
///         { "type": "gte", "key": "year", "value": 1800 },
///         { "type": "in", "key": "city", "value": ["Bergen", "Hull"] },
///     ],
/// }))?;
/// let mut attributes = Attributes::from([("year".to_owned(), AttributeValue::Number(1803.0))]);
/// assert!(!ropewalk_search::matches(&filter, &attributes));
/// attributes.insert("city".to_owned(), AttributeValue::Text("Hull".to_owned()));
/// assert!(ropewalk_search::matches(&filter, &attributes));
/// # Ok::<(), serde_json::Error>(())
/// ```
pub fn matches(filter: &Filter, attributes: &Attributes) -> bool {
    holds(filter, attributes, MAX_DEPTH)
}

fn holds(filter: &Filter, attributes: &Attributes, depth: usize) -> bool {
    let Some(depth) = depth.checked_sub(1) else { return false };
    match filter {
        Filter::Compound(CompoundFilter { kind: Junction::And, filters }) => {
            filters.iter().all(|filter| holds(filter, attributes, depth))
        }
        Filter::Compound(CompoundFilter { kind: Junction::Or, filters }) => {
            filters.iter().any(|filter| holds(filter, attributes, depth))
        }
        Filter::Comparison(comparison) => compares(comparison, attributes.get(&comparison.key)),
    }
}

fn compares(
    ComparisonFilter { kind, value, .. }: &ComparisonFilter,
    attribute: Option<&AttributeValue>,
) -> bool {
    let equal = || attribute.is_some_and(|attribute| is_one_of(attribute, value));
    let ordered = |wanted: fn(std::cmp::Ordering) -> bool| {
        let FilterValue::One(value) = value else { return false };
        let order = match (attribute, value) {
            (Some(AttributeValue::Number(left)), AttributeValue::Number(right)) => left.partial_cmp(right),
            (Some(AttributeValue::Text(left)), AttributeValue::Text(right)) => Some(left.cmp(right)),
            _ => None,
        };
        order.is_some_and(wanted)
    };
    match kind {
        Comparison::Eq | Comparison::In => equal(),
        Comparison::Ne | Comparison::Nin => !equal(),
        Comparison::Gt => ordered(std::cmp::Ordering::is_gt),
        Comparison::Gte => ordered(std::cmp::Ordering::is_ge),
        Comparison::Lt => ordered(std::cmp::Ordering::is_lt),
        Comparison::Lte => ordered(std::cmp::Ordering::is_le),
    }
}

/// Whether it is the value, or in the list: one value is a list of one.
fn is_one_of(attribute: &AttributeValue, value: &FilterValue) -> bool {
    match value {
        FilterValue::One(value) => attribute == value,
        FilterValue::Many(values) => values.iter().any(|value| match (attribute, value) {
            (AttributeValue::Text(left), ListedValue::Text(right)) => left == right,
            (AttributeValue::Number(left), ListedValue::Number(right)) => left == right,
            _ => false,
        }),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn passes(filter: Value) -> bool {
        let attributes = json!({ "year": 1803, "city": "Hull", "wet": true });
        matches(&serde_json::from_value(filter).unwrap(), &serde_json::from_value(attributes).unwrap())
    }

    fn compared(kind: &str, key: &str, value: Value) -> bool {
        passes(json!({ "type": kind, "key": key, "value": value }))
    }

    #[test]
    fn values_are_compared_with_their_own_kind() {
        let holding = [
            ("eq", "year", json!(1803)),
            ("eq", "year", json!(1803.0)),
            ("eq", "wet", json!(true)),
            ("ne", "year", json!("1803")),
            ("ne", "city", json!("Bergen")),
            ("gt", "year", json!(1802.5)),
            ("gte", "year", json!(1803)),
            ("lt", "city", json!("Oslo")),
            ("lte", "city", json!("Hull")),
            ("in", "city", json!(["Bergen", "Hull", 5])),
            ("nin", "city", json!(["Bergen", 1803])),
        ];
        for (kind, key, value) in holding {
            assert!(compared(kind, key, value.clone()), "{key} {kind} {value}");
        }
        let failing = [
            ("eq", "year", json!("1803")),
            ("ne", "year", json!(1803)),
            ("gt", "year", json!(1803)),
            ("gt", "year", json!("1")),
            ("lt", "city", json!(9999)),
            ("gte", "wet", json!(true)),
            ("in", "city", json!([])),
            ("in", "year", json!(["1803"])),
            ("nin", "city", json!(["Hull"])),
        ];
        for (kind, key, value) in failing {
            assert!(!compared(kind, key, value.clone()), "{key} {kind} {value}");
        }
    }

    #[test]
    fn an_absent_attribute_differs_from_all_and_has_no_order() {
        for (kind, holds) in
            [("eq", false), ("ne", true), ("gt", false), ("gte", false), ("lt", false), ("lte", false)]
        {
            assert_eq!(compared(kind, "age", json!(1)), holds, "{kind}");
        }
        assert!(!compared("in", "age", json!([1])));
        assert!(compared("nin", "age", json!([1])));
    }

    #[test]
    fn filters_are_joined_by_and_and_or() {
        let yes = json!({ "type": "eq", "key": "city", "value": "Hull" });
        let no = json!({ "type": "eq", "key": "city", "value": "Oslo" });
        assert!(passes(json!({ "type": "and", "filters": [yes, { "type": "or", "filters": [no, yes] }] })));
        assert!(!passes(json!({ "type": "and", "filters": [yes, no] })));
        assert!(passes(json!({ "type": "and", "filters": [] })));
        assert!(!passes(json!({ "type": "or", "filters": [] })));
    }

    #[test]
    fn a_filter_without_a_floor_does_not_hold() {
        let leaf = serde_json::from_value(json!({ "type": "ne", "key": "age", "value": 1 })).unwrap();
        let deep = (0..5_000).fold(leaf, |filter, _| {
            Filter::Compound(CompoundFilter { kind: Junction::And, filters: vec![filter] })
        });
        assert!(!matches(&deep, &Attributes::new()));
    }
}
