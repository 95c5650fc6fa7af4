use serde::de::DeserializeOwned;
use serde_json::Value;

/// Reads a `T` that a model wrote to a strict schema.
///
/// Strict form has no optional properties, only nullable ones, so `null` is how a model says "the default". serde
/// takes the default for a key that is missing, hence keys that are `null` are left out first. Types that need an
/// explicit `null` get it in a second try.
///
/// # Errors
///
/// What is wrong and where, of the first try.
pub(crate) fn read<T: DeserializeOwned>(
    value: &Value,
) -> Result<T, serde_path_to_error::Error<serde_json::Error>> {
    serde_path_to_error::deserialize(without_nulls(value))
        .or_else(|error| T::deserialize(value).map_err(|_| error))
}

/// `value` without the keys of its objects that are `null`.
fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Array(items) => items.iter().map(without_nulls).collect(),
        Value::Object(members) => (members.iter())
            .filter(|(_, member)| !member.is_null())
            .map(|(name, member)| (name.clone(), without_nulls(member)))
            .collect(),
        scalar => scalar.clone(),
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde_json::json;

    use super::*;

    #[derive(Debug, PartialEq, Deserialize)]
    struct Page {
        #[serde(default = "ten")]
        limit: u32,
        #[serde(default)]
        tags: Vec<Option<String>>,
        after: Option<String>,
    }

    fn ten() -> u32 {
        10
    }

    #[derive(Debug, PartialEq, Deserialize)]
    struct Search {
        page: Page,
    }

    #[test]
    fn a_null_or_missing_key_means_the_default() {
        for absent in [json!({}), json!({"limit": null, "tags": null, "after": null})] {
            assert_eq!(read::<Page>(&absent).unwrap(), Page { limit: 10, tags: vec![], after: None });
        }
    }

    #[test]
    fn a_type_that_needs_an_explicit_null_gets_it() {
        #[derive(Deserialize)]
        struct Done {
            #[serde(deserialize_with = "Option::deserialize")]
            at: Option<u64>,
        }

        assert_eq!(read::<Done>(&json!({"at": null})).unwrap().at, None);
        assert_eq!(
            read::<Done>(&json!({})).map(|done| done.at).unwrap_err().to_string(),
            "missing field `at`"
        );
    }

    #[test]
    fn nulls_in_lists_stay() {
        assert_eq!(read::<Vec<Option<u8>>>(&json!([1, null])).unwrap(), [Some(1), None]);
        assert_eq!(read::<Option<u8>>(&Value::Null).unwrap(), None);
    }

    #[test]
    fn what_is_wrong_is_told_with_its_path() {
        let error = read::<Search>(&json!({"page": {"limit": 5.5}})).unwrap_err();
        assert_eq!(error.to_string(), "page.limit: invalid type: floating point `5.5`, expected u32");
    }
}
