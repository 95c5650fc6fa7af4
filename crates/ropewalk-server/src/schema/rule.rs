use super::pattern::Pattern;

/// A schema, ready to walk: rules that name each other by their place.
#[derive(Debug)]
pub(crate) struct Rules {
    pub(super) rules: Vec<Rule>,
    pub(super) root: Node,
}

impl Rules {
    /// Whether `null` alone fits, as for an endpoint that has no body.
    pub(super) fn take_nothing(&self) -> bool {
        let Rule { any, null, boolean, integer, decimal, text, array, forms, .. } = self.get(self.root);
        let some = *any || *boolean || integer.is_some() || decimal.is_some() || text.is_some();
        *null && !some && array.is_none() && forms.is_empty()
    }

    pub(super) fn get(&self, node: Node) -> &Rule {
        &self.rules[node.0]
    }
}

/// The place of a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Node(pub(super) usize);

/// What a value may be: for each kind of JSON value, whether it fits and how. A union is all its kinds at once.
#[derive(Debug, Clone, Default)]
pub(crate) struct Rule {
    /// Anything at all.
    pub(super) any: bool,
    pub(super) null: bool,
    pub(super) boolean: bool,
    pub(super) integer: Option<Bounds<i128>>,
    pub(super) decimal: Option<Bounds<f64>>,
    pub(super) text: Option<Text>,
    pub(super) array: Option<Array>,
    /// The forms that an object may have.
    pub(super) forms: Vec<Form>,
    /// The field whose words tell several forms apart.
    pub(super) tag: Option<String>,
}

#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Bounds<T> {
    pub(super) min: Option<T>,
    pub(super) max: Option<T>,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Text {
    /// In characters.
    pub(super) min: usize,
    /// In characters.
    pub(super) max: Option<usize>,
    pub(super) pattern: Option<Pattern>,
    /// The words that it may be; any if there are none.
    pub(super) words: Vec<String>,
}

#[derive(Debug, Clone)]
pub(crate) struct Array {
    pub(super) min: usize,
    pub(super) max: Option<usize>,
    pub(super) item: Node,
}

/// One form of an object.
#[derive(Debug, Clone)]
pub(crate) struct Form {
    /// The required fields that may only be certain words, which may tell it from other forms.
    pub(super) tags: Vec<(String, Vec<String>)>,
    /// By name.
    pub(super) fields: Vec<Field>,
    pub(super) others: Others,
    pub(super) max_fields: Option<usize>,
    /// Most characters of a name.
    pub(super) max_name: Option<usize>,
}

impl Form {
    /// The words that its field `tag` may be.
    pub(super) fn tag_words(&self, tag: &str) -> &[String] {
        self.tags.iter().find(|(name, _)| name == tag).map_or(&[], |(_, words)| words)
    }

    pub(super) fn field(&self, name: &str) -> Option<&Field> {
        let place = self.fields.binary_search_by(|field| field.name.as_str().cmp(name)).ok()?;
        self.fields.get(place)
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Field {
    pub(super) name: String,
    pub(super) required: bool,
    pub(super) rule: Node,
}

/// What fields may stand in an object beside those with a name of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Others {
    Refused,
    Ignored,
    Like(Node),
}
