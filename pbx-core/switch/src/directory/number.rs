//! What dialled or delivered digits mean in France and its overseas departments, which dial alike: E.164, a short number, or nobody.

/// The first four digits of overseas numbers, and their country code (Arcep decision 2018-0881, annex 1). Number libraries read them
/// as mainland ones.
const OVERSEAS: &[(&str, &str)] = &[
    ("0262", "262"),
    ("0263", "262"),
    ("0269", "262"),
    ("0692", "262"),
    ("0693", "262"),
    ("0639", "262"),
    ("0508", "508"),
    ("0590", "590"),
    ("0690", "590"),
    ("0691", "590"),
    ("0594", "594"),
    ("0694", "594"),
    ("0596", "596"),
    ("0696", "596"),
    ("0697", "596"),
];

/// A number in E.164 with its `+`, or `None` for what is none: a masked caller, a short number, a machine's fourteen digits, nonsense.
/// Takes what phones and lines deliver: `05 55 …`, `+33 (0)5 55 …`, `0033…`, `33…`, a `sip:` or `tel:` URI.
pub fn normalise(text: &str) -> Option<String> {
    let digits = digits(text)?;
    if let Some(international) = digits.strip_prefix('+').or_else(|| digits.strip_prefix("00")) {
        return international_number(international);
    }
    if digits.len() == 10 && digits.starts_with('0') && !digits.starts_with("00") {
        // 06 39 98 is a range of the mainland within Mayotte's 06 39.
        let overseas = OVERSEAS.iter().find(|(prefix, _)| digits.starts_with(prefix) && !digits.starts_with("063998"));
        return Some(format!("+{}{}", overseas.map_or("33", |(_, code)| code), &digits[1..]));
    }
    if digits.len() == 11 && digits.starts_with("33") && !digits.starts_with("330") {
        return Some(format!("+{digits}"));
    }
    None
}

/// The digits of a number as a person or a URI writes it, with a leading `+` if there was one; `None` if it holds anything else.
pub fn digits(text: &str) -> Option<String> {
    let text = text.trim();
    let text = ["sip:", "sips:", "tel:"].iter().find_map(|scheme| text.strip_prefix(scheme)).unwrap_or(text);
    let text = text.split(['@', ';']).next().unwrap_or_default();
    // The trunk zero that is written but not dialled after a country code.
    let text = if text.starts_with('+') || text.starts_with("00") { text.replacen("(0)", "", 1) } else { text.to_owned() };
    let mut found = String::with_capacity(text.len());
    for (place, character) in text.chars().enumerate() {
        match character {
            '0'..='9' => found.push(character),
            '+' if place == 0 => found.push('+'),
            ' ' | '\u{a0}' | '\u{202f}' | '.' | '-' | '/' | '(' | ')' => {}
            _ => return None,
        }
    }
    let bare = found.trim_start_matches('+');
    (!bare.is_empty() && bare.len() <= 32).then_some(found)
}

fn international_number(digits: &str) -> Option<String> {
    let digits = match digits.strip_prefix("330") {
        Some(rest) if rest.len() == 9 => format!("33{rest}"),
        _ => digits.to_owned(),
    };
    let plausible =
        (7..=15).contains(&digits.len()) && !digits.starts_with('0') && (!digits.starts_with("33") || digits.len() == 11);
    plausible.then(|| format!("+{digits}"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn numbers_as_phones_and_lines_write_them() {
        for (text, wanted) in [
            ("0536491234", "+33536491234"),
            ("05 36 49 12 34", "+33536491234"),
            ("+33 (0)5 36 49 12 34", "+33536491234"),
            ("0033536491234", "+33536491234"),
            ("33536491234", "+33536491234"),
            ("0639981234", "+33639981234"),
            ("0262123456", "+262262123456"),
            ("0692123456", "+262692123456"),
            ("0639123456", "+262639123456"),
            ("0590123456", "+590590123456"),
            ("0694123456", "+594694123456"),
            ("0696123456", "+596696123456"),
            ("0508123456", "+508508123456"),
            ("+376 312 345", "+376312345"),
            ("sip:+33639981234;phone-context=x@h;user=phone", "+33639981234"),
            ("tel:+33-6-39-98-12-34", "+33639981234"),
        ] {
            assert_eq!(normalise(text).as_deref(), Some(wanted), "{text}");
        }
    }

    #[test]
    fn what_is_no_number_is_none() {
        for text in [
            "anonymous",
            "unavailable",
            "Restricted",
            "",
            "0",
            "+",
            "15",
            "3114",
            "1014",
            "07001234567890",
            "201",
            "00",
            "+330",
            "+33 5",
        ] {
            assert_eq!(normalise(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_normal_stays_so(text in "\\PC{0,40}") {
            if let Some(once) = normalise(&text) {
                prop_assert_eq!(normalise(&once), Some(once));
            }
        }

        #[test]
        fn french_numbers_keep_their_digits(digits in "0[1-9][0-9]{8}") {
            let normal = normalise(&digits).unwrap();
            prop_assert!(normal.ends_with(&digits[1..]));
        }
    }
}
