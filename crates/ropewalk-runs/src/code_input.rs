//! The code of a code_interpreter call, read out of its arguments while the model still writes them.

/// Reads the first string of a JSON object, piece by piece. Models are not always right about JSON: an unknown escape and a line
/// break within the string stand for themselves, a bare string and bare code are code too.
#[derive(Debug, Clone, Default)]
pub(crate) struct CodeReader {
    place: Place,
    /// The first half of a surrogate pair.
    high: Option<u32>,
}

#[derive(Debug, Clone, Copy, Default)]
enum Place {
    /// Before anything.
    #[default]
    Start,
    /// Before the object's first key.
    Object,
    /// Inside of the key.
    Key { escaped: bool },
    /// Between key and value.
    BeforeValue,
    /// Inside of the code.
    Code,
    /// Behind a backslash.
    Escape,
    /// Inside of `\uXXXX`: the digits read, their value.
    Unicode { digits: u8, value: u32 },
    /// No JSON at all.
    Bare,
    /// Behind the code, or there is none.
    Over,
}

impl CodeReader {
    /// Reads on; gives what `piece` adds to the code.
    pub(crate) fn read(&mut self, piece: &str) -> String {
        let mut code = String::new();
        for c in piece.chars() {
            self.place = self.step(c, &mut code);
        }
        code
    }

    fn step(&mut self, c: char, code: &mut String) -> Place {
        match self.place {
            Place::Start | Place::Object | Place::BeforeValue if c.is_ascii_whitespace() => self.place,
            Place::Start => match c {
                '{' => Place::Object,
                '"' => Place::Code,
                _ => {
                    code.push(c);
                    Place::Bare
                }
            },
            Place::Object if c == '"' => Place::Key { escaped: false },
            Place::Key { escaped: true } => Place::Key { escaped: false },
            Place::Key { .. } => match c {
                '"' => Place::BeforeValue,
                c => Place::Key { escaped: c == '\\' },
            },
            Place::BeforeValue => match c {
                ':' => Place::BeforeValue,
                '"' => Place::Code,
                _ => Place::Over,
            },
            Place::Code => match c {
                '\\' => Place::Escape,
                '"' => {
                    self.lone_half(code);
                    Place::Over
                }
                c => {
                    self.lone_half(code);
                    code.push(c);
                    Place::Code
                }
            },
            Place::Escape => self.escape(c, code),
            Place::Unicode { digits, value } => self.unicode(c, digits, value, code),
            Place::Bare => {
                code.push(c);
                Place::Bare
            }
            Place::Object | Place::Over => Place::Over,
        }
    }

    fn escape(&mut self, c: char, code: &mut String) -> Place {
        if c == 'u' {
            return Place::Unicode { digits: 0, value: 0 };
        }
        self.lone_half(code);
        match c {
            'n' => code.push('\n'),
            't' => code.push('\t'),
            'r' => code.push('\r'),
            'b' => code.push('\u{8}'),
            'f' => code.push('\u{c}'),
            '"' | '\\' | '/' | '\'' => code.push(c),
            c => code.extend(['\\', c]),
        }
        Place::Code
    }

    fn unicode(&mut self, c: char, digits: u8, value: u32, code: &mut String) -> Place {
        let Some(digit) = c.to_digit(16) else {
            self.lone_half(code);
            code.push(char::REPLACEMENT_CHARACTER);
            self.place = Place::Code;
            return self.step(c, code);
        };
        let value = value * 16 + digit;
        if digits < 3 {
            return Place::Unicode { digits: digits + 1, value };
        }
        match (self.high.take(), value) {
            (Some(high), 0xDC00..0xE000) => {
                let whole = 0x10000 + ((high - 0xD800) << 10) + (value - 0xDC00);
                code.push(char::from_u32(whole).unwrap_or(char::REPLACEMENT_CHARACTER));
            }
            (high, 0xD800..0xDC00) => {
                code.extend(high.map(|_| char::REPLACEMENT_CHARACTER));
                self.high = Some(value);
            }
            (high, value) => {
                code.extend(high.map(|_| char::REPLACEMENT_CHARACTER));
                code.push(char::from_u32(value).unwrap_or(char::REPLACEMENT_CHARACTER));
            }
        }
        Place::Code
    }

    /// Half of a surrogate pair whose other half does not come.
    fn lone_half(&mut self, code: &mut String) {
        code.extend(self.high.take().map(|_| char::REPLACEMENT_CHARACTER));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(arguments: &str) -> String {
        CodeReader::default().read(arguments)
    }

    proptest! {
        /// However JSON writes a text and however it is cut, the text comes out.
        #[test]
        fn json_is_read_as_json(code in any::<String>(), ascii in any::<bool>(), cuts in any::<Vec<prop::sample::Index>>()) {
            let mut arguments = serde_json::json!({ "code": &code }).to_string();
            if ascii {
                let mut units = [0; 2];
                let escaped = |c: char| match c {
                    c if c.is_ascii() => c.to_string(),
                    c => c.encode_utf16(&mut units).iter().map(|unit| format!("\\u{unit:04x}")).collect(),
                };
                arguments = arguments.chars().map(escaped).collect();
            }
            let chars: Vec<char> = arguments.chars().collect();
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(chars.len() + 1)).chain([0, chars.len()]).collect();
            cuts.sort_unstable();
            let mut reader = CodeReader::default();
            let pieces = cuts.windows(2).map(|cut| chars[cut[0]..cut[1]].iter().collect::<String>());
            let read: String = pieces.map(|piece| reader.read(&piece)).collect();
            prop_assert_eq!(read, code);
        }

        #[test]
        fn anything_is_read_without_a_panic(arguments in any::<String>()) {
            read(&arguments);
            read(&format!("{{\"code\":\"{arguments}"));
        }
    }

    #[test]
    fn what_is_not_quite_json_is_code_too() {
        let cases = [
            ("print(1)\nprint(2)", "print(1)\nprint(2)"),
            (r#""print(1)""#, "print(1)"),
            ("{\"code\": \"a\nb\"}", "a\nb"),
            (r#"{ "input" : "a" , "x": "b" }"#, "a"),
            (r#"{"code":"re.match(r'\d', x)"}"#, r"re.match(r'\d', x)"),
            (r#"{"a\"b":"it\'s"}"#, "it's"),
            (r#"{"code":"\ud83dx\ude00\uzz"}"#, "\u{fffd}x\u{fffd}\u{fffd}zz"),
            (r#"{"code":7}"#, ""),
            ("{}", ""),
        ];
        for (arguments, code) in cases {
            assert_eq!(read(arguments), code, "{arguments}");
        }
    }
}
