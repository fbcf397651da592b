//! The words behind a verb of a ladder: `202 codecs=8 nosdp {Require: timer} x3`.

/// They.
#[derive(Clone, Debug, Default)]
pub struct Words {
    /// The first that is neither a flag nor `name=value`: a number dialled, the method of a response.
    pub argument: Option<String>,
    /// `x3`
    pub times: usize,
    values: Vec<(String, String)>,
    flags: Vec<String>,
    /// `{Name: value}`
    pub headers: Vec<(String, String)>,
}

const FLAGS: &[&str] = &["nosdp", "sdp", "badsdp", "bare", "wrong", "zero", "shut", "early", "nocontact", "anew"];

impl Words {
    pub fn read(text: &str) -> Words {
        let mut words = Words { times: 1, ..Words::default() };
        let mut rest = text.trim();
        while !rest.is_empty() {
            if let Some(inside) = rest.strip_prefix('{') {
                let (header, behind) = inside.split_once('}').unwrap_or_else(|| panic!("`{text}`: no end of a header"));
                let (name, value) = header.split_once(':').unwrap_or((header, ""));
                words.headers.push((name.trim().to_owned(), value.trim().to_owned()));
                rest = behind.trim_start();
                continue;
            }
            let (word, behind) = match rest.find('[') {
                // `contact=[..]` holds blanks.
                Some(start) if !rest[..start].contains(' ') => {
                    let end = rest.find(']').unwrap_or_else(|| panic!("`{text}`: no end of a value"));
                    (format!("{}{}", &rest[..start], &rest[start + 1..end]), &rest[end + 1..])
                }
                _ => {
                    let (word, behind) = rest.split_once(' ').unwrap_or((rest, ""));
                    (word.to_owned(), behind)
                }
            };
            rest = behind.trim_start();
            if FLAGS.contains(&word.as_str()) {
                words.flags.push(word);
            } else if let Some(times) = word.strip_prefix('x').and_then(|times| times.parse().ok()) {
                words.times = times;
            } else if let Some((name, value)) = word.split_once('=').filter(|(name, _)| !name.contains(':')) {
                words.values.push((name.to_owned(), value.to_owned()));
            } else {
                assert!(words.argument.is_none(), "`{text}`: what is `{word}`?");
                words.argument = Some(word);
            }
        }
        words
    }

    pub fn has(&self, flag: &str) -> bool {
        self.flags.iter().any(|known| known == flag)
    }

    /// Each value of that name.
    pub fn each(&self, name: &str) -> impl Iterator<Item = &str> {
        self.values.iter().filter(move |(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub fn value(&self, name: &str) -> Option<&str> {
        self.values.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// A message with these headers put in, each in the place of one of its name.
    pub fn with_headers(&self, text: String) -> String {
        let Some((head, body)) = text.split_once("\r\n\r\n").filter(|_| !self.headers.is_empty()) else { return text };
        let mut lines: Vec<String> = head.split("\r\n").map(str::to_owned).collect();
        for (name, _) in &self.headers {
            lines.retain(|line| !line.to_ascii_lowercase().starts_with(&format!("{}:", name.to_ascii_lowercase())));
        }
        let headers = self.headers.iter().filter(|(_, value)| value != "none");
        lines.extend(headers.map(|(name, value)| format!("{name}: {value}")));
        format!("{}\r\n\r\n{body}", lines.join("\r\n"))
    }
}
