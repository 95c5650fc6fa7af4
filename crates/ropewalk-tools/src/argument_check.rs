use jsonschema::{
    ValidationError, Validator,
    error::{TypeKind, ValidationErrorKind as Kind},
    paths::Location,
};
use ropewalk_types::Function;
use schemars::{
    Schema,
    transform::{Transform, transform_subschemas},
};
use serde_json::{Value, json};

use crate::{
    call_error::CallError, error::BoxError, near_json::mend, registry::MAX_BYTES, strict::admits_null,
};

/// Most mistakes told at once.
const MAX_MISTAKES: usize = 8;

/// Reads the arguments of one function and checks them against its schema.
pub(crate) struct ArgumentCheck(Validator);

impl ArgumentCheck {
    /// # Errors
    ///
    /// If the parameters are no JSON schema, or point outside of themselves.
    pub(crate) fn new(function: &Function) -> Result<Self, BoxError> {
        let none = || json!({"type": "object", "properties": {}, "additionalProperties": false});
        let mut schema = Schema::try_from(function.parameters.clone().unwrap_or_else(none))?;
        if function.strict == Some(true) {
            NullMayBeAbsent.transform(&mut schema);
        }
        let validator = jsonschema::options().offline().build(schema.as_value());
        validator.map(Self).map_err(|error| error.to_string().into())
    }

    /// The arguments that `text` holds, mended where its form is wrong; an empty text holds none.
    pub(crate) fn read(&self, text: &str) -> Result<Value, CallError> {
        if text.len() > MAX_BYTES {
            return Err(CallError::ArgumentsTooLong(text.len()));
        }
        let text = if text.trim().is_empty() { "{}" } else { text };
        let arguments: Value = serde_json::from_str(text).or_else(|error| {
            let mended = mend(text).and_then(|text| serde_json::from_str(&text).ok());
            mended.ok_or(CallError::NotJson(error))
        })?;
        if !arguments.is_object() {
            return Err(CallError::Wrong("they are not an object".to_owned()));
        }

        let mistakes = self.0.iter_errors(&arguments).take(MAX_MISTAKES);
        let mistakes: Vec<_> = mistakes.collect();
        if mistakes.is_empty() {
            Ok(arguments)
        } else {
            Err(CallError::Wrong(all(&mistakes, &Location::new())))
        }
    }
}

/// Takes nullable properties out of `required`: not all models know that strict form wants an explicit `null`.
struct NullMayBeAbsent;

impl Transform for NullMayBeAbsent {
    fn transform(&mut self, schema: &mut Schema) {
        transform_subschemas(self, schema);
        let properties = schema.get("properties").cloned().unwrap_or_default();
        if let Some(required) = schema.get_mut("required").and_then(Value::as_array_mut) {
            required
                .retain(|name| !name.as_str().and_then(|name| properties.get(name)).is_some_and(admits_null));
        }
    }
}

/// What is wrong, and where unless that is `here`.
fn located(error: &ValidationError<'_>, here: &Location) -> String {
    let path = error.instance_path();
    match error.kind() {
        Kind::AnyOf { context } | Kind::OneOfNotValid { context } => {
            let ways = closest(context, path);
            // If it is clear which way was meant, its mistakes stand for themselves.
            let from = if ways.len() == 1 { here } else { path };
            let ways: Vec<_> = ways.into_iter().map(|mistakes| all(mistakes, from)).collect();
            let ways = ways.join(" or ").replace(" or expected ", " or ");
            if from == path && path != here { format!("`{path}`: {ways}") } else { ways }
        }
        _ if path == here => wanted(error),
        _ => format!("`{path}`: {}", wanted(error)),
    }
}

/// All that is wrong with one way to read a value.
fn all(mistakes: &[ValidationError<'_>], here: &Location) -> String {
    mistakes.iter().map(|mistake| located(mistake, here)).collect::<Vec<_>>().join("; ")
}

/// What was expected in place of what is wrong.
fn wanted(error: &ValidationError<'_>) -> String {
    match error.kind() {
        Kind::Type { kind: TypeKind::Single(ty) } => format!("expected {ty}"),
        Kind::Type { kind: TypeKind::Multiple(types) } => {
            format!("expected {}", types.iter().map(|ty| ty.as_str()).collect::<Vec<_>>().join(" or "))
        }
        Kind::Constant { expected_value } => format!("expected {expected_value}"),
        Kind::Enum { options } => format!("expected one of {options}"),
        Kind::Required { property } => format!("{property} is missing"),
        Kind::AdditionalProperties { unexpected } => format!("there is no `{}`", unexpected.join("`, no `")),
        _ => error.masked().to_string(),
    }
}

/// The branches of a choice that the value at `here` comes closest to: of the right type if there are any, then with
/// the fewest mistakes. The model most likely meant one of them.
fn closest<'a>(
    branches: &'a [Vec<ValidationError<'static>>],
    here: &Location,
) -> Vec<&'a Vec<ValidationError<'static>>> {
    let is_other_type = |error: &ValidationError<'_>| {
        matches!(error.kind(), Kind::Type { .. }) && error.instance_path() == here
    };
    let distance = |branch: &Vec<_>| (branch.iter().any(is_other_type), branch.len());
    let least = branches.iter().map(distance).min();
    branches.iter().filter(|branch| Some(distance(branch)) == least).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a model is told about `arguments`.
    fn mistakes(properties: Value, arguments: Value) -> String {
        let names: Vec<_> = properties.as_object().unwrap().keys().cloned().collect();
        let mut function = Function::new("f").parameters(json!({
            "type": "object", "properties": properties, "required": names, "additionalProperties": false,
        }));
        function.strict = Some(true);
        let check = ArgumentCheck::new(&function).unwrap();
        check.read(&arguments.to_string()).map_or_else(|error| error.to_string(), |value| value.to_string())
    }

    #[test]
    fn a_mistake_is_told_with_its_path_and_what_was_expected() {
        let properties = json!({
            "city": {"type": "string"},
            "days": {"type": ["integer", "null"], "minimum": 1},
            "unit": {"anyOf": [{"const": "celsius"}, {"const": "fahrenheit"}]},
            "near": {"anyOf": [
                {
                    "type": "object",
                    "properties": {"km": {"type": "number"}, "of": {"type": "string"}},
                    "required": ["km", "of"],
                    "additionalProperties": false,
                },
                {"type": "null"},
            ]},
        });
        insta::assert_snapshot!(
            [
                json!({"city": 5, "unit": "kelvin"}),
                json!({"unit": "celsius"}),
                json!({"city": "Oslo", "unit": "celsius", "days": "two", "town": "Oslo"}),
                json!({"city": "Oslo", "unit": "celsius", "days": 0}),
                json!({"city": "Oslo", "unit": "celsius", "near": "Bergen"}),
                json!({"city": "Oslo", "unit": "celsius", "near": {"km": "five", "of": 5}}),
                json!({"city": "Oslo", "unit": "celsius", "near": null}),
                json!([]),
            ]
            .map(|arguments| format!("{arguments}\n    {}", mistakes(properties.clone(), arguments.clone())))
            .join("\n")
        );
    }

    #[test]
    fn a_schema_that_refers_to_itself_is_no_trap() {
        let function = |schema| Function::new("f").parameters(schema);
        let circle = ArgumentCheck::new(&function(json!({"$ref": "#"})));
        assert!(circle.is_err() || circle.is_ok_and(|check| check.read("{}").is_ok()));
        assert!(ArgumentCheck::new(&function(json!({"$ref": "https://example.com/schema.json"}))).is_err());
        assert!(ArgumentCheck::new(&function(json!("text"))).is_err());
    }

    #[test]
    fn text_that_nests_too_deep_is_refused() {
        let check = ArgumentCheck::new(&Function::new("f")).unwrap();
        for text in
            ["[".repeat(MAX_BYTES), "{\"a\":".repeat(100_000), format!("'{}", "[".repeat(MAX_BYTES - 1))]
        {
            assert!(matches!(check.read(&text), Err(CallError::NotJson(_))));
        }
        assert!(matches!(check.read(&" ".repeat(MAX_BYTES + 1)), Err(CallError::ArgumentsTooLong(_))));
    }
}
