use proc_macro2::{Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::{ItemFn, ReturnType, spanned::Spanned};

use crate::tool_fn::{Argument, ToolFn};

/// The code that takes the function's place; `support` is the module with the helpers it calls.
pub(crate) fn expand(tool: &ToolFn, support: &TokenStream) -> TokenStream {
    let ToolFn { name, docs, arguments, fallible, function } = tool;
    let ItemFn { attrs, vis, sig, block, .. } = function;
    let ident = &sig.ident;

    let properties = arguments.iter().filter_map(|argument| match argument {
        Argument::Property { name, docs, ty } => Some(quote!(.argument::<#ty>(#name, &[#(#docs),*]))),
        Argument::Context => None,
    });
    let values = arguments.iter().map(|argument| match argument {
        Argument::Property { name, ty, .. } => quote_spanned!(at(ty)=> call.argument(#name)?),
        Argument::Context => quote!(call.context()),
    });
    let wait = sig.asyncness.map(|_| quote!(.await));
    let answer = if *fallible { "result" } else { "value" };
    let answer = match &sig.output {
        ReturnType::Type(_, ty) => format_ident!("{answer}", span = at(ty)),
        ReturnType::Default => format_ident!("{answer}"),
    };
    let mut method = sig.clone();
    method.ident = format_ident!("call", span = ident.span());

    quote! {
        #(#[doc = #docs])*
        #[allow(non_camel_case_types)]
        #[derive(Debug, Clone, Copy)]
        #vis struct #ident;

        impl #ident {
            #(#attrs)*
            #vis #method #block
        }

        #[#support::async_trait]
        impl #support::Tool for #ident {
            fn definition(&self) -> #support::Function {
                #support::Parameters::new()
                    #(#properties)*
                    .function(#name, &[#(#docs),*])
            }

            async fn call(
                &self,
                arguments: #support::Value,
                context: &#support::ToolContext,
            ) -> ::core::result::Result<#support::Value, #support::ToolError> {
                let call = #support::TypedCall::new(arguments, context);
                call.#answer(Self::call(#(#values),*)#wait)
            }
        }
    }
}

/// Where the compiler points when `tokens` is a type that will not do.
fn at(tokens: &impl Spanned) -> Span {
    tokens.span().resolved_at(Span::call_site())
}

#[cfg(test)]
mod tests {
    use quote::quote;

    use super::*;

    /// How the tool is written out, formatted.
    fn expanded(attribute: TokenStream, item: TokenStream) -> String {
        let code = crate::run(attribute, item, quote!(::ropewalk_tools::__private));
        prettyplease::unparse(&syn::parse2(code).unwrap())
    }

    #[test]
    fn an_async_function_keeps_its_body_and_becomes_a_tool() {
        insta::assert_snapshot!(expanded(
            quote!(),
            quote! {
                /// Current weather for a city.
                ///
                /// In degrees Celsius.
                #[must_use]
                pub(crate) async fn weather(
                    /// City and country, e.g. `Oslo, Norway`.
                    city: String,
                    mut days: Option<u8>,
                    context: ToolContext,
                ) -> Result<Weather, ToolError> {
                    forecast(city, days.take(), context).await
                }
            }
        ));
    }

    #[test]
    fn a_plain_function_may_have_a_name_of_its_own_and_no_arguments() {
        insta::assert_snapshot!(expanded(
            quote!(name = "what-time"),
            quote! {
                #[doc = include_str!("time.md")]
                fn r#type() -> u64 { 0 }
            }
        ));
    }

    #[test]
    fn all_mistakes_are_reported_at_once() {
        insta::assert_snapshot!(expanded(
            quote!(title = "x"),
            quote! { unsafe fn f<T>(&self, (a, b): (u8, u8), text: Vec<&str>) -> ! {} }
        ));
    }
}
