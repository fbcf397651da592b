//! An extension: a number of the house with a name, and the right to register phones.

use std::borrow::Borrow;
use std::fmt;

use pbx_sip::auth::Ha1;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::directory::{Access, SiteKey, emergency};

/// Two to six digits; never an integer, for 007 is not 7.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ExtensionNumber(String);

/// Why a number cannot be an extension's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ExtensionNumberError {
    /// Something other than 0 to 9 in it.
    #[error("not digits alone")]
    NotDigits,
    /// Fewer than two or more than six.
    #[error("not two to six digits")]
    Length,
    /// It would hide a number that must always be reached.
    #[error("an emergency or never-blocked number")]
    Emergency,
}

impl ExtensionNumberError {
    /// For the catalogue.
    pub fn code(self) -> &'static str {
        match self {
            ExtensionNumberError::NotDigits => "number_not_digits",
            ExtensionNumberError::Length => "number_length",
            ExtensionNumberError::Emergency => "number_emergency",
        }
    }
}

impl ExtensionNumber {
    /// Checks a number.
    pub fn new(text: &str) -> Result<ExtensionNumber, ExtensionNumberError> {
        if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(ExtensionNumberError::NotDigits);
        }
        if !(2..=6).contains(&text.len()) {
            return Err(ExtensionNumberError::Length);
        }
        if emergency(text).is_some() {
            return Err(ExtensionNumberError::Emergency);
        }
        Ok(ExtensionNumber(text.to_owned()))
    }

    /// Its digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for ExtensionNumber {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ExtensionNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for ExtensionNumber {
    type Error = ExtensionNumberError;
    fn try_from(text: String) -> Result<ExtensionNumber, ExtensionNumberError> {
        ExtensionNumber::new(&text)
    }
}

impl From<ExtensionNumber> for String {
    fn from(number: ExtensionNumber) -> String {
        number.0
    }
}

/// One extension.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Extension {
    /// What one dials, and the user name its phones register with.
    pub number: ExtensionNumber,
    /// A person or a place, shown on other phones.
    pub name: String,
    /// Where it stands: its calendar, its emergency centre.
    pub site: SiteKey,
    /// For messages.
    pub email: Option<String>,
    /// One that is not is refused like one that does not exist.
    pub enabled: bool,
    /// What is kept of its secret.
    pub ha1: Ha1,
    /// From where its phones may come, and how.
    pub access: Access,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_two_to_six_digits_and_hide_nothing() {
        for good in ["20", "007", "201", "123456"] {
            assert_eq!(ExtensionNumber::new(good).map(String::from), Ok(good.to_owned()));
        }
        for (bad, why) in [
            ("", ExtensionNumberError::NotDigits),
            ("2a1", ExtensionNumberError::NotDigits),
            ("٢٠١", ExtensionNumberError::NotDigits),
            ("2", ExtensionNumberError::Length),
            ("1234567", ExtensionNumberError::Length),
            ("15", ExtensionNumberError::Emergency),
            ("116117", ExtensionNumberError::Emergency),
            ("3114", ExtensionNumberError::Emergency),
        ] {
            assert_eq!(ExtensionNumber::new(bad), Err(why), "{bad}");
        }
    }
}
