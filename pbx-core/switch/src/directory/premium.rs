//! Numbers at which somebody earns by being called: who breaks into a telephone system calls these. However they are written, and however
//! a plan's rules are drawn, they are called only where a rule says so in so many words.

/// What a number in E.164 begins with that costs more than a call: French 089 and 118, which can be dialled from abroad (Arcep decision
/// 2018-0881); satellites, and networks that belong to no country (ITU-T E.164.D): 979 is premium by its very definition.
const PREMIUM: &[&str] = &["+3389", "+33118", "+870", "+878", "+881", "+882", "+883", "+888", "+979"];

/// Short numbers of four digits that are free: 3000 to 3007, 3009 to 3169, 3180 to 3199 (Arcep decision 2018-0881); others cost what
/// their owners like.
fn is_free_short(number: u16) -> bool {
    matches!(number, 3000..=3007 | 3009..=3169 | 3180..=3199)
}

/// Is it one? In E.164, or short as it was dialled.
pub fn is_premium(number: &str) -> bool {
    if number.starts_with('+') {
        return PREMIUM.iter().any(|prefix| number.starts_with(prefix));
    }
    let digits = number.bytes().all(|byte| byte.is_ascii_digit());
    match number.len() {
        4 if digits && number.starts_with('3') => !number.parse().is_ok_and(is_free_short),
        6 if digits => number.starts_with("118"),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directory::normalise;

    #[test]
    fn a_number_costs_the_same_however_it_is_written() {
        for written in ["0892 12 34 56", "+33 892 123456", "0033 892 12 34 56", "33892123456", "+33 (0)892 123456"] {
            let number = normalise(written).unwrap();
            assert!(is_premium(&number), "{written}: {number}");
        }
        for premium in ["118712", "3008", "3170", "3615", "+979123456789", "+882161234567"] {
            assert!(is_premium(premium), "{premium}");
        }
        for plain in
            ["+33536490001", "+33800123456", "+33639980001", "3000", "3009", "3117", "3199", "116006", "1013", "+442079460001"]
        {
            assert!(!is_premium(plain), "{plain}");
        }
    }
}
