use quick_xml::escape::resolve_html5_entity;

/// The text of an entity by what stands between `&` and `;`: a name of HTML, or the number of a character.
pub(super) fn resolve(name: &str) -> Option<String> {
    let number = |digits, radix| u32::from_str_radix(digits, radix).ok().and_then(char::from_u32);
    match name.strip_prefix('#') {
        Some(code) => match code.strip_prefix(['x', 'X']) {
            Some(hex) => number(hex, 16).map(String::from),
            None => number(code, 10).map(String::from),
        },
        None => resolve_html5_entity(name).map(str::to_owned),
    }
}
