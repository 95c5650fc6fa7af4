//! Members of a JSON object taken out, and the rest left byte for byte as it was.

use std::ops::Range;

use bytes::Bytes;

/// The object without the members of these names, and with one more if it is given. It must be valid JSON, else it
/// stays as it is.
pub(super) fn without(object: Bytes, names: &[&str], more: Option<(&str, &str)>) -> Bytes {
    let members = members(&object);
    let keeps = |name: &str| !names.contains(&name);
    if more.is_none() && members.iter().all(|(name, _)| keeps(name)) {
        return object;
    }
    let kept = members.iter().filter(|(name, _)| keeps(name)).map(|(_, span)| &object[span.clone()]);
    let more = more.map(|(name, value)| format!("{}:{}", json(name), json(value)));
    let kept: Vec<&[u8]> = kept.chain(more.as_deref().map(str::as_bytes)).collect();
    [b"{", kept.join(&b',').as_slice(), b"}"].concat().into()
}

fn json(text: &str) -> serde_json::Value {
    text.into()
}

/// The name of each member, and where it stands, its name included.
fn members(object: &[u8]) -> Vec<(String, Range<usize>)> {
    let mut members = Vec::new();
    let (mut depth, mut start, mut name) = (0_usize, 0, None);
    let mut place = 0;
    while let Some(&byte) = object.get(place) {
        let here = place;
        place += 1;
        match byte {
            b'"' => {
                place = end_of_text(object, place);
                if depth == 1 && name.is_none() {
                    start = here;
                    name =
                        object.get(here..place).and_then(|text| serde_json::from_slice::<String>(text).ok());
                }
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if (byte == b',' && depth == 1) || (byte == b'}' && depth == 0) {
            members.extend(name.take().map(|name| (name, start..here)));
        }
    }
    members
}

/// Where a text ends that has begun before `place`: behind its quote.
fn end_of_text(object: &[u8], mut place: usize) -> usize {
    while let Some(&byte) = object.get(place) {
        match byte {
            b'"' => return place + 1,
            b'\\' => place += 2,
            _ => place += 1,
        }
    }
    object.len()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Map, Value};

    use super::*;

    fn text(object: &str, names: &[&str], more: Option<(&str, &str)>) -> String {
        String::from_utf8(without(Bytes::copy_from_slice(object.as_bytes()), names, more).to_vec()).unwrap()
    }

    #[test]
    fn what_stays_is_as_it_was_written() {
        let object = "\n{ \"a\" : 1e2,\"store\":{\"a\":[\"}\\\"\"]} , \"b\\\"\":[ {\"store\":1} ],\"\\u0073tore\":true }\n";
        assert_eq!(text(object, &["store"], None), "{\"a\" : 1e2,\"b\\\"\":[ {\"store\":1} ]}");
        assert_eq!(text(object, &["c"], None), object);
        assert_eq!(text("{}", &["a"], Some(("model", "\"m"))), r#"{"model":"\"m"}"#);
        assert_eq!(text(r#"{"a":1}"#, &["a"], None), "{}");
    }

    fn json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            "[a\"\\\\{}\\[\\],:é ]{0,6}".prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map("[a-c\"\\\\,{}]{0,3}", inner, 0..4)
                    .prop_map(|fields| fields.into_iter().collect::<Map<_, _>>().into()),
            ]
        })
    }

    proptest! {
        /// Taking members out of the text is taking them out of the object.
        #[test]
        fn an_object_loses_its_members_and_nothing_else(
            fields in prop::collection::btree_map("[a-c\"\\\\,{}]{0,3}", json(), 0..6),
            pretty in any::<bool>(),
        ) {
            let mut object: Map<String, Value> = fields.into_iter().collect();
            let written = if pretty { serde_json::to_string_pretty(&object) } else { serde_json::to_string(&object) };
            let left: Map<String, Value> = serde_json::from_str(&text(&written.unwrap(), &["a", "b,"], None)).unwrap();
            object.retain(|name, _| name != "a" && name != "b,");
            prop_assert_eq!(left, object);
        }

        #[test]
        fn what_is_no_object_does_no_harm(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            let _ = without(bytes.into(), &["a"], Some(("b", "c")));
        }
    }
}
