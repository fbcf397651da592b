//! The forms in which carriers write numbers, and how each is read and written.

use serde::{Deserialize, Serialize};

/// How a line writes E.164 numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NumberShape {
    /// `+33199001234`
    #[default]
    Plus,
    /// `0033199001234`
    DoubleZero,
    /// `33199001234`
    Bare,
    /// `0199001234` for France, `00…` for elsewhere.
    National,
}

/// The country whose numbers are national.
const COUNTRY: &str = "33";

impl NumberShape {
    /// Every shape, in the order of a list to choose from.
    pub const ALL: [NumberShape; 4] = [NumberShape::Plus, NumberShape::DoubleZero, NumberShape::Bare, NumberShape::National];

    /// A number as the line is given it. Short numbers and whatever is not E.164 stay as they are.
    pub fn write(self, number: &str) -> String {
        let Some(digits) = number.strip_prefix('+') else { return number.to_owned() };
        match (self, digits.strip_prefix(COUNTRY)) {
            (NumberShape::Plus, _) => number.to_owned(),
            (NumberShape::Bare, _) => digits.to_owned(),
            (NumberShape::National, Some(national)) if national.len() == 9 => format!("0{national}"),
            (NumberShape::DoubleZero | NumberShape::National, _) => format!("00{digits}"),
        }
    }

    /// A number as the line gives it, in E.164; nothing if it is none. Whatever the shape, `+` and `00` mean what they say.
    pub fn read(self, number: &str) -> Option<String> {
        let digits = crate::directory::digits(number)?;
        if self == NumberShape::Bare
            && digits.bytes().all(|digit| digit.is_ascii_digit())
            && !digits.starts_with('0')
            && digits.len() > 7
        {
            return crate::directory::normalise(&format!("+{digits}"));
        }
        crate::directory::normalise(&digits)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn each_shape_writes_what_its_name_says() {
        let written = |number: &str| NumberShape::ALL.map(|shape| shape.write(number));
        assert_eq!(written("+33199001234"), ["+33199001234", "0033199001234", "33199001234", "0199001234"]);
        assert_eq!(written("+442079460123"), ["+442079460123", "00442079460123", "442079460123", "00442079460123"]);
        assert_eq!(written("+262262123456"), ["+262262123456", "00262262123456", "262262123456", "00262262123456"]);
        assert_eq!(written("3008"), ["3008", "3008", "3008", "3008"]);
        assert_eq!(written("112"), ["112", "112", "112", "112"]);
    }

    #[test]
    fn what_is_no_number_is_none_in_any_shape() {
        for text in ["anonymous", "", "+", "15", "unavailable", "33"] {
            assert_eq!(NumberShape::ALL.map(|shape| shape.read(text)), [const { None }; 4], "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_was_written_is_read_again(country in prop::sample::select(vec!["33", "44", "32", "1", "376"]), rest in "[13478][0-9]{8}") {
            let number = format!("+{country}{rest}");
            for shape in NumberShape::ALL {
                prop_assert_eq!(shape.read(&shape.write(&number)), Some(number.clone()));
            }
        }

        #[test]
        fn nothing_panics(text in "\\PC{0,40}") {
            for shape in NumberShape::ALL {
                let _ = shape.read(&text);
                let _ = shape.write(&text);
            }
        }
    }
}
