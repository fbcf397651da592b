//! Digits that must fit.

/// Digits alone, capped at `u32::MAX` instead of refused: a time that long is only ever shortened (RFC 4475 3.1.2.4).
pub(crate) fn seconds(text: &[u8]) -> Option<u32> {
    if text.is_empty() || !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    Some(text.iter().fold(0u32, |value, digit| value.saturating_mul(10).saturating_add(u32::from(digit - b'0'))))
}

/// Digits alone, of any length, whose value is at most `most`.
pub(crate) fn up_to(text: &[u8], most: u32) -> Option<u32> {
    if text.is_empty() {
        return None;
    }
    let mut value = 0u32;
    for &digit in text {
        if !digit.is_ascii_digit() {
            return None;
        }
        value = value.checked_mul(10)?.checked_add(u32::from(digit - b'0'))?;
    }
    (value <= most).then_some(value)
}
