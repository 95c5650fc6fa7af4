//! Writes what follows from the endpoint table: the client's methods and the reference page.
//!
//! All is rendered as rustfmt would leave it, so that the check needs no tool but this one.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, ensure};
use ropewalk_types::{ENDPOINTS, EndpointInfo};

use crate::{openapi, reference};

const NOTE: &str = "Written by `cargo xtask codegen`; do not edit.";
/// The module of the client's groups, and the folder of their files.
const MODULE: &str = "crates/ropewalk-client/src/generated.rs";
const FOLDER: &str = "crates/ropewalk-client/src/generated";
const REFERENCE: &str = "docs/reference.md";
/// The OpenAPI document, which the server carries.
pub(crate) const DOCUMENT: &str = "crates/ropewalk-server/openapi.json";
/// The query that only asks for more of a reply: the methods go without, `Client::call` takes it.
const EXTRAS: &str = "types::IncludeQuery";
/// `max_width` of rustfmt.toml.
const WIDTH: usize = 110;

/// Writes what follows from the endpoint table; with `check`, only proves it fresh.
#[expect(clippy::print_stdout, reason = "a command says what it did")]
pub(crate) fn run(check: bool) -> anyhow::Result<()> {
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    let files = render(ENDPOINTS);
    let mut stale: Vec<&str> = Vec::new();
    for (path, text) in &files {
        if fs::read_to_string(root.join(path)).ok().as_ref() != Some(text) {
            stale.push(path);
        }
    }
    let left_over = left_over(root, &files)?;
    let fresh = stale.is_empty() && left_over.is_empty();
    ensure!(!check || fresh, "stale, run `cargo xtask codegen`: {stale:?} {left_over:?}");
    for path in &stale {
        let file = root.join(path);
        file.parent().map_or(Ok(()), fs::create_dir_all)?;
        fs::write(&file, &files[*path]).with_context(|| format!("{path} cannot be written"))?;
        println!("wrote {path}");
    }
    for path in &left_over {
        fs::remove_file(path).with_context(|| format!("{} cannot be removed", path.display()))?;
        println!("removed {}", path.display());
    }
    println!("{} generated files are fresh", files.len());
    Ok(())
}

/// Files of groups that the table no longer has.
fn left_over(root: &Path, files: &BTreeMap<String, String>) -> anyhow::Result<Vec<PathBuf>> {
    let Ok(folder) = fs::read_dir(root.join(FOLDER)) else { return Ok(Vec::new()) };
    let mut left_over = Vec::new();
    for entry in folder {
        let entry = entry?;
        if !files.contains_key(&format!("{FOLDER}/{}", entry.file_name().to_string_lossy())) {
            left_over.push(entry.path());
        }
    }
    Ok(left_over)
}

/// All generated files, by their path below the root.
fn render(endpoints: &[EndpointInfo]) -> BTreeMap<String, String> {
    let mut groups: BTreeMap<&str, Vec<&EndpointInfo>> = BTreeMap::new();
    // Bodies in parts, raw replies and events are no matter of types alone: the client has these calls by hand.
    for row in endpoints.iter().filter(|row| row.multipart.is_none() && !row.raw && !row.events) {
        groups.entry(row.group).or_default().push(row);
    }
    let mut files: BTreeMap<String, String> = groups
        .iter()
        .map(|(group, rows)| (format!("{FOLDER}/{group}.rs"), group_file(group, rows)))
        .collect();
    files.insert(MODULE.to_owned(), module(groups.keys().copied()));
    let document = openapi::document();
    files.insert(REFERENCE.to_owned(), reference::render(NOTE, endpoints, &document));
    files.insert(DOCUMENT.to_owned(), format!("{document:#}\n"));
    files
}

fn module<'a>(groups: impl Iterator<Item = &'a str> + Clone) -> String {
    let modules: String = groups.clone().map(|group| format!("mod {group};\n")).collect();
    let uses: String = groups.map(|group| format!("pub use {group}::{};\n", type_name(group))).collect();
    format!("// {NOTE}\n\n{modules}\n{uses}")
}

fn group_file(group: &str, rows: &[&EndpointInfo]) -> String {
    let name = type_name(group);
    let streams = rows.iter().any(|row| row.streams);
    let pages = rows.iter().any(|row| row_type(row).is_some());
    let events = if streams { "use ropewalk_events::Event;\n" } else { "" };
    let chunks = rows.iter().any(|row| row.chunks.is_some());
    let reply_stream = if streams || chunks || pages { ", ReplyStream" } else { "" };
    let rows_fn = if pages { ", rows::rows" } else { "" };
    let methods: Vec<String> = rows.iter().flat_map(|row| methods(row)).collect();
    format!(
        "// {NOTE}

{events}use ropewalk_types::{{self as types, endpoint}};

use crate::{{Client, ClientError{reply_stream}{rows_fn}}};

/// What [`Client::{group}`] offers.
///
/// Each method is one request and fails as [`Client::call`] does.
#[derive(Debug, Clone, Copy)]
pub struct {name}<'a>(pub(crate) &'a Client);

impl Client {{
    /// The endpoints of {words}.
    pub fn {group}(&self) -> {name}<'_> {{
        {name}(self)
    }}
}}

impl {name}<'_> {{
{methods}}}
",
        words = group.replace('_', " "),
        methods = methods.join("\n"),
    )
}

/// The method of an endpoint, and what goes with it: the whole list for a page, the events for a run.
fn methods(row: &EndpointInfo) -> Vec<String> {
    let EndpointInfo { name, verb, response, .. } = row;
    let path = path_arguments(row);
    let (let_path, path_value) = path_value(&path);
    let query = match row.query {
        "()" => "()",
        EXTRAS => "Default::default()",
        _ => "query.into()",
    };
    let body = if row.body == "()" { "()" } else { "body" };
    let arguments = format!("({path_value}, {query}, {body}).await");
    let doc = format!("{}\n\n`{} {}`", row.doc.trim(), row.method.as_str(), row.path);

    let may_stream = row.streams || row.chunks.is_some();
    let set_stream = |stream: &str| may_stream.then(|| format!("body.stream = {stream};"));
    let call = format!("self.0.call::<endpoint::{name}>{arguments}");
    let plain = Method {
        doc: &doc,
        head: format!("pub async fn {verb}"),
        parameters: parameters(row, &path),
        reply: format!("Result<{response}, ClientError>"),
        body: [set_stream("None"), let_path.clone(), Some(call)],
    };
    let mut methods = vec![plain.render()];
    if row.streams {
        let call = format!("self.0.stream::<endpoint::{name}>{arguments}");
        let stream = Method {
            doc: &format!("As [`{verb}`](Self::{verb}), with the run's events as they happen."),
            head: format!("pub async fn {verb}_stream"),
            parameters: parameters(row, &path),
            reply: "Result<ReplyStream<Event>, ClientError>".to_owned(),
            body: [set_stream("Some(true)"), let_path.clone(), Some(call)],
        };
        methods.push(stream.render());
    }
    if let Some(chunk) = row.chunks {
        let call = format!("self.0.chunks::<endpoint::{name}>{arguments}");
        let stream = Method {
            doc: &format!("As [`{verb}`](Self::{verb}), piece by piece."),
            head: format!("pub async fn {verb}_stream"),
            parameters: parameters(row, &path),
            reply: format!("Result<ReplyStream<{chunk}>, ClientError>"),
            body: [set_stream("Some(true)"), let_path.clone(), Some(call)],
        };
        methods.push(stream.render());
    }
    if let Some(item) = row_type(row) {
        let all = Method {
            doc: &format!(
                "All rows of [`{verb}`](Self::{verb}), page after page; `limit` is that of a page."
            ),
            head: "pub fn all".to_owned(),
            parameters: parameters(row, &path),
            reply: format!("ReplyStream<{item}>"),
            body: [
                None,
                let_path,
                Some(format!("rows::<endpoint::{name}, _>(self.0, {path_value}, query.into())")),
            ],
        };
        methods.push(all.render());
    }
    methods
}

struct Method<'a> {
    doc: &'a str,
    head: String,
    parameters: Vec<String>,
    reply: String,
    body: [Option<String>; 3],
}

impl Method<'_> {
    fn render(&self) -> String {
        let Self { doc, head, parameters, reply, body } = self;
        let mut text = String::new();
        for line in doc.lines() {
            text.push_str(format!("    /// {line}").trim_end());
            text.push('\n');
        }
        let one_line = format!("    {head}({}) -> {reply} {{\n", parameters.join(", "));
        if one_line.trim_end().len() <= WIDTH {
            text.push_str(&one_line);
        } else {
            let lines: String =
                parameters.iter().map(|parameter| format!("        {parameter},\n")).collect();
            text.push_str(&format!("    {head}(\n{lines}    ) -> {reply} {{\n"));
        }
        for line in body.iter().flatten() {
            text.push_str(&format!("        {line}\n"));
        }
        text + "    }\n"
    }
}

/// Names and types of the ids in the path.
fn path_arguments(row: &EndpointInfo) -> Vec<(String, String)> {
    let names = row
        .path
        .split('/')
        .filter_map(|segment| segment.strip_prefix('{')?.strip_suffix('}'))
        .map(str::to_owned);
    names.zip(row.path_types.iter().map(|name| format!("types::{name}"))).collect()
}

/// The ids as the endpoint's path: a `let` if there is more than one word to say, and the value.
fn path_value(path: &[(String, String)]) -> (Option<String>, &'static str) {
    let ids: Vec<String> = path.iter().map(|(name, _)| format!("{name}.into()")).collect();
    match &ids[..] {
        [] => (None, "()"),
        [id] => (Some(format!("let path = ({id},);")), "path"),
        ids => (Some(format!("let path = ({});", ids.join(", "))), "path"),
    }
}

fn parameters(row: &EndpointInfo, path: &[(String, String)]) -> Vec<String> {
    let mut parameters = vec!["self".to_owned()];
    parameters.extend(path.iter().map(|(name, of)| format!("{name}: impl Into<{of}>")));
    if !["()", EXTRAS].contains(&row.query) {
        parameters.push(format!("query: impl Into<{}>", row.query));
    }
    if row.body != "()" {
        let mutable = if row.streams || row.chunks.is_some() { "mut " } else { "" };
        parameters.push(format!("{mutable}body: {}", row.body));
    }
    parameters
}

/// The type of the rows, if the reply is a page of them.
fn row_type(row: &EndpointInfo) -> Option<&'static str> {
    row.response.strip_prefix("types::Page<")?.strip_suffix('>')
}

/// `run_steps` as `RunSteps`.
fn type_name(group: &str) -> String {
    let words = group.split('_').map(|word| word[..1].to_uppercase() + &word[1..]);
    words.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_generated_is_fresh() {
        run(true).unwrap();
    }

    #[test]
    fn no_line_of_code_is_too_long() {
        for (path, text) in render(ENDPOINTS) {
            let long = text.lines().find(|line| line.len() > WIDTH);
            assert!(!path.ends_with(".rs") || long.is_none(), "{path}: {long:?}");
        }
    }
}
