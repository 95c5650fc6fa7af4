use proc_macro2::TokenStream;
use quote::ToTokens;
use syn::{
    Attribute, Expr, ExprLit, FnArg, ItemFn, Lit, LitStr, Meta, Pat, PatIdent, PatType, ReturnType, Safety,
    Signature, Type, ext::IdentExt, parse::Parser,
};

use crate::mistakes::{Mistakes, borrow_in};

/// A function that can be a tool.
pub(crate) struct ToolFn {
    /// What the model calls it.
    pub(crate) name: String,
    /// Its doc comment, an expression a line.
    pub(crate) docs: Vec<Expr>,
    /// Its arguments, in order.
    pub(crate) arguments: Vec<Argument>,
    /// Whether it returns a `Result`.
    pub(crate) fallible: bool,
    /// The function without the docs of its arguments, which rustc rejects.
    pub(crate) function: ItemFn,
}

/// What an argument is filled with.
pub(crate) enum Argument {
    /// The property `name` of the arguments.
    Property { name: String, docs: Vec<Expr>, ty: Box<Type> },
    /// The `ToolContext`.
    Context,
}

impl ToolFn {
    pub(crate) fn parse(attribute: TokenStream, item: TokenStream) -> syn::Result<Self> {
        let mut function: ItemFn = syn::parse2(item)
            .map_err(|error| syn::Error::new(error.span(), "`#[tool]` belongs on a function"))?;
        let mut mistakes = Mistakes::default();

        check_signature(&function.sig, &mut mistakes);
        let name = name(attribute, &function.sig, &mut mistakes);
        let docs = docs(&function.attrs);
        if docs.iter().all(is_blank) {
            mistakes.add(&function.sig.ident, "the model needs a description: add a doc comment");
        }
        let arguments = (function.sig.inputs.iter_mut())
            .filter_map(|input| match input {
                FnArg::Receiver(receiver) => {
                    mistakes.add(
                        receiver,
                        "a tool is a free function: keep state with `tool_fn` or your own `Tool`",
                    );
                    None
                }
                FnArg::Typed(argument) => Some(Argument::parse(argument, &mut mistakes)),
            })
            .collect();
        let fallible = matches!(&function.sig.output, ReturnType::Type(_, ty) if is_named(ty, "Result"));

        mistakes.or(Self { name, docs, arguments, fallible, function })
    }
}

impl Argument {
    /// Reads an argument and takes its docs off it.
    fn parse(argument: &mut PatType, mistakes: &mut Mistakes) -> Self {
        let docs = docs(&argument.attrs);
        argument.attrs.retain(|attribute| !attribute.path().is_ident("doc"));

        if let Some(borrow) = borrow_in(argument.ty.to_token_stream()) {
            mistakes.add(borrow, "a tool owns its arguments: take `String` for `&str`, `T` for `&T`");
        }
        if let Type::ImplTrait(ty) = &*argument.ty {
            mistakes.add(ty, "name the type: the schema is made from it");
        }
        match &*argument.pat {
            _ if is_named(&argument.ty, "ToolContext") => Self::Context,
            Pat::Ident(PatIdent { by_ref: None, subpat: None, ident, .. }) => {
                Self::Property { name: ident.unraw().to_string(), docs, ty: argument.ty.clone() }
            }
            pattern => {
                mistakes.add(pattern, "give the argument a plain name: it names the property in the schema");
                Self::Context
            }
        }
    }
}

/// Notes what a tool's signature cannot have, but for its arguments.
fn check_signature(signature: &Signature, mistakes: &mut Mistakes) {
    const PLAIN: &str = "a tool is a plain `fn` or an `async fn`";
    if let Some(constness) = &signature.constness {
        mistakes.add(constness, PLAIN);
    }
    if !matches!(signature.safety, Safety::Default) {
        mistakes.add(&signature.safety, PLAIN);
    }
    if let Some(abi) = &signature.abi {
        mistakes.add(abi, PLAIN);
    }
    if let Some(variadic) = &signature.variadic {
        mistakes.add(variadic, PLAIN);
    }
    const GENERIC: &str = "a tool cannot be generic: the model is shown one schema";
    if !signature.generics.params.is_empty() {
        mistakes.add(&signature.generics, GENERIC);
    }
    if let Some(clause) = &signature.generics.where_clause {
        mistakes.add(clause, GENERIC);
    }
    if let ReturnType::Type(_, ty) = &signature.output
        && matches!(**ty, Type::ImplTrait(_) | Type::Never(_))
    {
        mistakes.add(ty, "return a type that implements `Serialize`, or a `Result` of one");
    }
}

/// The name in `name = "…"`, or the function's own.
fn name(attribute: TokenStream, signature: &Signature, mistakes: &mut Mistakes) -> String {
    let mut given: Option<LitStr> = None;
    let parser = syn::meta::parser(|meta| {
        if !meta.path.is_ident("name") {
            return Err(meta.error("the one option is `name = \"…\"`"));
        }
        given = Some(meta.value()?.parse()?);
        Ok(())
    });
    if let Err(mistake) = parser.parse2(attribute) {
        mistakes.push(mistake);
    }

    const NAME: &str = "a tool's name has 1 to 64 characters of `a-z A-Z 0-9 _ -`";
    let name = given.as_ref().map_or_else(|| signature.ident.unraw().to_string(), LitStr::value);
    let is_good = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    if name.is_empty() || name.len() > 64 || !name.bytes().all(is_good) {
        match &given {
            Some(literal) => mistakes.add(literal, NAME),
            None => mistakes.add(&signature.ident, &format!("{NAME}: give one by `#[tool(name = \"…\")]`")),
        }
    }
    name
}

/// The values of all `doc` attributes.
fn docs(attributes: &[Attribute]) -> Vec<Expr> {
    (attributes.iter())
        .filter_map(|attribute| match &attribute.meta {
            Meta::NameValue(meta) if meta.path.is_ident("doc") => Some(meta.value.clone()),
            _ => None,
        })
        .collect()
}

fn is_blank(doc: &Expr) -> bool {
    matches!(doc, Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) if text.value().trim().is_empty())
}

/// Whether the last segment of the path `ty` is `name`.
fn is_named(ty: &Type, name: &str) -> bool {
    matches!(ty, Type::Path(path) if path.path.segments.last().is_some_and(|last| last.ident == name))
}
