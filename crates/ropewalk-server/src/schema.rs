//! Requests are checked against the JSON schemas of their types, in the API's own words (contract: BEHAVIOUR 3.1).
//!
//! The schemas are those of the served OpenAPI document, so that both say the same. A schema becomes a tree of
//! rules once an endpoint; a body is read to JSON, walked along the tree, and only then turned into its type. The
//! first fault is the answer: an unknown field, then a missing one, then a wrong value, each in the order of
//! their names.

mod check;
mod compile;
mod fault;
mod form;
mod parse;
mod path;
mod pattern;
mod rule;
#[cfg(test)]
mod tests;

use std::{marker::PhantomData, sync::OnceLock};

use ropewalk_types::{Endpoint, request_schemas};
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::api_error::ApiError;
pub(crate) use fault::bad_id;
use path::Path;
use rule::Rules;

/// What the requests of one endpoint are checked against; made when the first one comes.
pub(crate) struct RequestSchema<E> {
    query: OnceLock<Rules>,
    body: OnceLock<Rules>,
    endpoint: PhantomData<fn() -> E>,
}

impl<E: Endpoint> RequestSchema<E> {
    pub(crate) fn new() -> Self {
        Self { query: OnceLock::new(), body: OnceLock::new(), endpoint: PhantomData }
    }

    /// Reads a JSON body. A key given twice is refused: which of its values counts would be a guess.
    pub(crate) fn read_body(&self, body: &[u8]) -> Result<E::Body, ApiError> {
        let rules = self.body.get_or_init(rules::<E::Body>);
        if rules.take_nothing() {
            // Some clients send `{}` to endpoints that have no body.
            return read(rules, Value::Null);
        }
        let absent = body.is_empty() && E::INFO.body_optional;
        read(rules, if absent { Value::Object(Map::new()) } else { parse::parse(body)? })
    }

    /// Reads a query string. Parameters that the endpoint does not know are ignored, as some clients add their own,
    /// unless its type denies them.
    pub(crate) fn read_query(&self, query: &str) -> Result<E::Query, ApiError> {
        let rules = self.query.get_or_init(rules::<E::Query>);
        let value = form::value(rules, form_urlencoded::parse(query.as_bytes()))?;
        read(rules, value)
    }

    /// Reads the text fields of a `multipart/form-data` body, in which `a[b]` is the field `b` of `a`.
    pub(crate) fn read_form<'a>(
        &self,
        fields: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<E::Body, ApiError> {
        let rules = self.body.get_or_init(rules::<E::Body>);
        let value = form::value(rules, fields.into_iter().map(|(name, text)| (name.into(), text.into())))?;
        read(rules, value)
    }
}

/// What bodies are checked against of which the server reads less than their endpoint takes.
pub(crate) struct BodySchema<T> {
    rules: OnceLock<Rules>,
    body: PhantomData<fn() -> T>,
}

impl<T: JsonSchema + DeserializeOwned> BodySchema<T> {
    pub(crate) const fn new() -> Self {
        Self { rules: OnceLock::new(), body: PhantomData }
    }

    /// Reads a JSON body, as [`RequestSchema::read_body`] does.
    pub(crate) fn read(&self, body: &[u8]) -> Result<T, ApiError> {
        read(self.rules.get_or_init(rules::<T>), parse::parse(body)?)
    }
}

fn rules<T: JsonSchema>() -> Rules {
    let mut generator = request_schemas();
    let root = generator.subschema_for::<T>().to_value();
    compile::compile(&root, &generator.take_definitions(true))
}

fn read<T: DeserializeOwned>(rules: &Rules, value: Value) -> Result<T, ApiError> {
    check::check(rules, &value)?;
    // What passed the check fits the type; a gap between the two is still the request's refusal, not a fault.
    T::deserialize(value).map_err(|error| {
        tracing::warn!(error = &error as &dyn std::error::Error, "a checked request does not fit its type");
        fault::unreadable(&Path::ROOT)
    })
}
