//! Bytes to JSON, within bounds.

use std::{cell::Cell, fmt};

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use super::{fault, path::Path};
use crate::api_error::ApiError;

/// Most levels of arrays and objects in a body.
const MAX_DEPTH: usize = 64;

/// Reads a JSON body in which no key stands twice and nothing is nested deeper than [`MAX_DEPTH`].
pub(super) fn parse(body: &[u8]) -> Result<Value, ApiError> {
    let fault = Cell::new(None);
    let mut reader = serde_json::Deserializer::from_slice(body);
    let value = Reader { path: &Path::ROOT, depth: 0, fault: &fault }.deserialize(&mut reader);
    let value = value.and_then(|value| reader.end().map(|()| value));
    value.map_err(|_| fault.take().unwrap_or_else(fault::not_json))
}

#[derive(Clone, Copy)]
struct Reader<'a> {
    path: &'a Path<'a>,
    depth: usize,
    /// What is wrong, if it is more than a breach of JSON's grammar.
    fault: &'a Cell<Option<ApiError>>,
}

impl Reader<'_> {
    fn refuse<E: Error>(&self, error: ApiError) -> E {
        self.fault.set(Some(error));
        E::custom("refused")
    }

    fn enter<E: Error>(&self) -> Result<(), E> {
        if self.depth < MAX_DEPTH { Ok(()) } else { Err(self.refuse(fault::too_deep(MAX_DEPTH))) }
    }
}

impl<'de> DeserializeSeed<'de> for Reader<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Reader<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        self.enter()?;
        let mut array = Vec::new();
        loop {
            let path = self.path.item(array.len());
            let reader = Reader { path: &path, depth: self.depth + 1, fault: self.fault };
            match items.next_element_seed(reader)? {
                Some(item) => array.push(item),
                None => return Ok(Value::Array(array)),
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Value, A::Error> {
        self.enter()?;
        let mut object = Map::new();
        while let Some(name) = fields.next_key::<String>()? {
            let path = self.path.field(&name);
            if object.contains_key(&name) {
                return Err(self.refuse(fault::duplicate(&path)));
            }
            let reader = Reader { path: &path, depth: self.depth + 1, fault: self.fault };
            let value = fields.next_value_seed(reader)?;
            object.insert(name, value);
        }
        Ok(Value::Object(object))
    }
}
