use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens;

/// Collects what is wrong, so that the author reads it all at once.
#[derive(Default)]
pub(crate) struct Mistakes(Option<syn::Error>);

impl Mistakes {
    /// Notes that `what` is wrong, at its span.
    pub(crate) fn add(&mut self, what: impl ToTokens, message: &str) {
        self.push(syn::Error::new_spanned(what, message));
    }

    /// Notes a mistake that has its span already.
    pub(crate) fn push(&mut self, mistake: syn::Error) {
        match &mut self.0 {
            Some(earlier) => earlier.combine(mistake),
            none => *none = Some(mistake),
        }
    }

    /// `value` if nothing is wrong.
    pub(crate) fn or<T>(self, value: T) -> syn::Result<T> {
        self.0.map_or(Ok(value), Err)
    }
}

/// The first `&` in `tokens`, groups included: a borrow somewhere in a type.
pub(crate) fn borrow_in(tokens: TokenStream) -> Option<TokenTree> {
    tokens.into_iter().find_map(|token| match token {
        TokenTree::Punct(ref punct) if punct.as_char() == '&' => Some(token),
        TokenTree::Group(group) => borrow_in(group.stream()),
        _ => None,
    })
}
