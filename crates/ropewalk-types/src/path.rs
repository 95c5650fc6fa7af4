use crate::Id;

/// The ids in an endpoint's path, as `()`, one id, or a tuple of ids.
///
/// Segments in braces (`/threads/{thread_id}`) stand for ids, from left to right.
pub trait PathParams: Sized {
    /// Writes the ids into `template`, percent-encoded.
    fn fill(&self, template: &str) -> String;

    /// Reads the ids from `values`, which belong to the names in `template`, both from left to right.
    ///
    /// # Errors
    ///
    /// [`PathError`] if a value cannot be an id of its kind.
    fn parse(template: &str, values: &[&str]) -> Result<Self, PathError>;
}

/// A path segment that cannot be an id of its kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{value}` cannot be a `{name}`: one begins with `{prefix}`")]
pub struct PathError {
    /// The name in the template: `thread_id`.
    pub name: String,
    /// What was given.
    pub value: String,
    /// What such an id begins with.
    pub prefix: &'static str,
}

fn fill(template: &str, ids: &[&dyn std::fmt::Display]) -> String {
    let mut ids = ids.iter();
    let mut path = String::with_capacity(template.len() + 32);
    for segment in template.split('/').skip(1) {
        path.push('/');
        match segment.starts_with('{').then(|| ids.next()).flatten() {
            Some(id) => encode(&id.to_string(), &mut path),
            None => path.push_str(segment),
        }
    }
    path
}

/// Percent-encodes all but the unreserved characters of RFC 3986, so that no id can leave its segment.
fn encode(text: &str, path: &mut String) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            path.push(char::from(byte));
        } else {
            path.push_str(&format!("%{byte:02X}"));
        }
    }
}

fn parse<I: Id>(template: &str, values: &[&str], position: usize) -> Result<I, PathError> {
    let value = values.get(position).copied().unwrap_or_default();
    value.parse().map_err(|_| PathError {
        name: template
            .split('/')
            .filter_map(|segment| segment.strip_prefix('{')?.strip_suffix('}'))
            .nth(position)
            .unwrap_or("id")
            .to_owned(),
        value: value.to_owned(),
        prefix: I::PREFIX,
    })
}

impl PathParams for () {
    fn fill(&self, template: &str) -> String {
        fill(template, &[])
    }

    fn parse(_: &str, _: &[&str]) -> Result<Self, PathError> {
        Ok(())
    }
}

impl<A: Id> PathParams for (A,) {
    fn fill(&self, template: &str) -> String {
        fill(template, &[&self.0])
    }

    fn parse(template: &str, values: &[&str]) -> Result<Self, PathError> {
        Ok((parse(template, values, 0)?,))
    }
}

impl<A: Id, B: Id> PathParams for (A, B) {
    fn fill(&self, template: &str) -> String {
        fill(template, &[&self.0, &self.1])
    }

    fn parse(template: &str, values: &[&str]) -> Result<Self, PathError> {
        Ok((parse(template, values, 0)?, parse(template, values, 1)?))
    }
}

impl<A: Id, B: Id, C: Id> PathParams for (A, B, C) {
    fn fill(&self, template: &str) -> String {
        fill(template, &[&self.0, &self.1, &self.2])
    }

    fn parse(template: &str, values: &[&str]) -> Result<Self, PathError> {
        Ok((parse(template, values, 0)?, parse(template, values, 1)?, parse(template, values, 2)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{RunId, ThreadId};

    #[test]
    fn ids_go_into_a_path_and_come_out_again() {
        let template = "/threads/{thread_id}/runs/{run_id}";
        let ids = (ThreadId::new("thread_a"), RunId::new("run_b"));
        assert_eq!(ids.fill(template), "/threads/thread_a/runs/run_b");
        assert_eq!(<(ThreadId, RunId)>::parse(template, &["thread_a", "run_b"]), Ok(ids));
        let wrong = <(ThreadId, RunId)>::parse(template, &["thread_a", "undefined"]).unwrap_err();
        assert_eq!((wrong.name.as_str(), wrong.prefix), ("run_id", "run_"));
    }

    #[test]
    fn an_id_cannot_leave_its_segment() {
        let id = (ThreadId::new("thread_/../../models?x=é"),);
        assert_eq!(id.fill("/threads/{thread_id}"), "/threads/thread_%2F..%2F..%2Fmodels%3Fx%3D%C3%A9");
    }
}
