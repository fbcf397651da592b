//! Numbers that are never blocked, from any extension, in any state. Arcep's list of emergency numbers, and the free help lines that
//! this house treats alike; number libraries know only four of them. List of 2026-11.

/// What kind of call it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EmergencyKind {
    /// On Arcep's list: routed to the centre competent for the caller's site.
    Emergency,
    /// Free and never blocked, but no emergency.
    HelpLine,
}

/// Every such number.
pub const EMERGENCY_NUMBERS: &[(&str, EmergencyKind)] = &[
    ("15", EmergencyKind::Emergency),
    ("17", EmergencyKind::Emergency),
    ("18", EmergencyKind::Emergency),
    ("112", EmergencyKind::Emergency),
    ("114", EmergencyKind::Emergency),
    ("115", EmergencyKind::Emergency),
    ("116000", EmergencyKind::Emergency),
    ("116117", EmergencyKind::Emergency),
    ("119", EmergencyKind::Emergency),
    ("191", EmergencyKind::Emergency),
    ("196", EmergencyKind::Emergency),
    ("197", EmergencyKind::Emergency),
    ("3018", EmergencyKind::HelpLine),
    ("3114", EmergencyKind::HelpLine),
    ("3919", EmergencyKind::HelpLine),
    ("116006", EmergencyKind::HelpLine),
    ("116111", EmergencyKind::HelpLine),
];

/// Is this, digit by digit, one of them?
pub fn emergency(digits: &str) -> Option<EmergencyKind> {
    EMERGENCY_NUMBERS.iter().find(|(number, _)| *number == digits).map(|(_, kind)| *kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_the_one_we_mean() {
        let numbers: Vec<&str> = EMERGENCY_NUMBERS.iter().map(|(number, _)| *number).collect();
        let wanted = ["15", "17", "18", "112", "114", "115", "116000", "116117", "119", "191", "196", "197"];
        assert_eq!(numbers[..12], wanted);
        assert_eq!(emergency("112"), Some(EmergencyKind::Emergency));
        assert_eq!(emergency("3114"), Some(EmergencyKind::HelpLine));
        assert_eq!(emergency("1120"), None);
        assert_eq!(emergency("1"), None);
    }
}
