#![doc = include_str!("../README.md")]

mod expand;
mod mistakes;
mod tool_fn;

use proc_macro2::TokenStream;
use quote::quote;

use crate::{expand::expand, tool_fn::ToolFn};

/// Makes a function a tool that a model can call.
///
/// `#[tool] async fn weather(…)` leaves a unit struct `weather` that implements `Tool`, so `registry.add(weather)`
/// works, and `weather::call(…)`, which is the function as it was written.
///
/// - The name is the function's, or the one in `#[tool(name = "…")]`.
/// - The description is the doc comment, which must be there.
/// - Each argument is a property of the schema, described by its own doc comment. Its type implements
///   `serde::de::DeserializeOwned` and `schemars::JsonSchema`; `Option<T>` may be left out or `null`.
/// - An argument of type `ToolContext` is no part of the schema: it says which run, thread and call this is.
/// - The result implements `serde::Serialize`, or is a `Result` of such a type and an error that converts into
///   `Box<dyn Error + Send + Sync>`. It is read off the name: an alias has to be called `Result` too.
///
/// A plain `fn` runs on the caller's task and cannot be timed out; what blocks belongs in an `async fn`, on a
/// thread of its own.
///
/// # Errors
///
/// Methods, generics, borrowed arguments, patterns for names, `impl Trait`, `const`, `unsafe` and `extern`
/// functions, and functions without a doc comment do not compile.
#[proc_macro_attribute]
pub fn tool(attribute: proc_macro::TokenStream, item: proc_macro::TokenStream) -> proc_macro::TokenStream {
    run(attribute.into(), item.into(), quote!(::ropewalk_tools::__private)).into()
}

/// [`macro@tool`] for programs that depend on the facade alone; it is exported there under that name.
#[proc_macro_attribute]
pub fn facade_tool(
    attribute: proc_macro::TokenStream,
    item: proc_macro::TokenStream,
) -> proc_macro::TokenStream {
    run(attribute.into(), item.into(), quote!(::ropewalk::__private)).into()
}

/// Expands to the tool, or to one `compile_error!` a mistake; `support` is where the emitted code finds its helpers.
fn run(attribute: TokenStream, item: TokenStream, support: TokenStream) -> TokenStream {
    match ToolFn::parse(attribute, item) {
        Ok(tool) => expand(&tool, &support),
        Err(mistakes) => mistakes.into_compile_error(),
    }
}
