//! How a party of a call heard and was heard: what was lost, how unevenly it came, how long the way is, and a word for it.
//!
//! The word comes from ITU-T's E-model: the rating R of G.107 with the delay term simplified as by Cole and Rosenbluth (ACM Computer
//! Communication Review 31(2), 2001) and the loss robustness of G.711 with concealment (G.113 appendix I: Ie 0, Bpl 25.1), read by the
//! categories of G.109: from 80 on people are satisfied (good), from 70 on some are not (fair), below many are not (bad). What the
//! rating knows is the way between the switchboard and one party; a codec that is worse than G.711 by itself is not marked down.

use pbx_switch::call::Figures;
use serde::Serialize;
use utoipa::ToSchema;

/// One direction of the sound between the switchboard and a party.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, ToSchema)]
pub struct Sound {
    /// Lost on the way, in hundredths of what was sent.
    pub loss_percent: f64,
    /// How unevenly it comes (RFC 3550 A.8), in milliseconds.
    pub jitter_ms: f64,
}

/// How a party heard and was heard.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, ToSchema)]
pub struct Quality {
    /// `good`, `fair` or `bad`, of the worse direction, or `silent`: the catalogue's `quality.<grade>`.
    pub grade: Grade,
    /// What came from the party, as the switchboard counted it; null if nothing did.
    pub from: Option<Sound>,
    /// What went to the party, as its phone reported it by RTCP; null if it reported nothing.
    pub to: Option<Sound>,
    /// To its phone and back, in milliseconds; null if it reported nothing.
    pub round_trip_ms: Option<f64>,
}

/// A word for how it sounds; the better first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Grade {
    /// R of 80 or more.
    Good,
    /// R of 70 or more.
    Fair,
    /// Less.
    Bad,
    /// Nothing at all came from the party, although its phone is there and reports.
    Silent,
}

impl Grade {
    /// For the catalogue: `quality.<code>`.
    pub fn code(self) -> &'static str {
        match self {
            Grade::Good => "good",
            Grade::Fair => "fair",
            Grade::Bad => "bad",
            Grade::Silent => "silent",
        }
    }
}

/// What the figures of a leg say; `None` if no sound went either way.
pub(crate) fn quality(figures: &Figures) -> Option<Quality> {
    let reported = figures.reported.filter(|reported| reported.packets_sent > 0);
    if figures.packets_received == 0 && reported.is_none() {
        return None;
    }
    let came = figures.packets_received;
    let from = (came > 0).then(|| sound(figures.packets_lost, came + figures.packets_lost, figures.jitter_us));
    let to = reported.map(|reported| sound(reported.packets_lost, reported.packets_sent, reported.jitter_us));
    let round_trip_ms = reported.and_then(|reported| reported.round_trip_us).map(milliseconds);
    let rated = |sound| grade(rating(sound, round_trip_ms));
    let grade = from.map_or(Grade::Silent, |from| to.map_or(rated(from), |to| rated(from).max(rated(to))));
    Some(Quality { grade, from, to, round_trip_ms })
}

fn sound(lost: u64, of: u64, jitter_us: u32) -> Sound {
    // In hundredths of a percent, as a person reads it; times in tenths of a millisecond.
    Sound { loss_percent: (lost as f64 * 10_000.0 / of.max(1) as f64).round() / 100.0, jitter_ms: milliseconds(jitter_us) }
}

fn milliseconds(us: u32) -> f64 {
    (f64::from(us) / 100.0).round() / 10.0
}

/// R of G.107.
fn rating(Sound { loss_percent, jitter_ms }: Sound, round_trip_ms: Option<f64>) -> f64 {
    // Half the round trip, a phone's buffer of twice the jitter, and a packet of 20 ms.
    let delay_ms = round_trip_ms.unwrap_or(0.0) / 2.0 + 2.0 * jitter_ms + 20.0;
    let of_delay = 0.024 * delay_ms + 0.11 * (delay_ms - 177.3).max(0.0);
    let of_loss = 95.0 * loss_percent / (loss_percent + 25.1);
    93.2 - of_delay - of_loss
}

fn grade(rating: f64) -> Grade {
    match rating {
        80.0.. => Grade::Good,
        70.0.. => Grade::Fair,
        _ => Grade::Bad,
    }
}

#[cfg(test)]
mod tests {
    use pbx_switch::call::Reported;

    use super::*;

    fn figures(received: u64, lost: u64, jitter_us: u32, reported: Option<Reported>) -> Figures {
        Figures { packets_received: received, packets_sent: 1_000, packets_lost: lost, packets_refused: 0, jitter_us, reported }
    }

    fn reported(packets_lost: u64, round_trip_ms: u32) -> Option<Reported> {
        Some(Reported { packets_sent: 1_000, packets_lost, jitter_us: 1_000, round_trip_us: Some(round_trip_ms * 1_000) })
    }

    #[test]
    fn the_word_is_that_of_the_worse_direction() {
        let word = |figures: Figures| quality(&figures).map(|quality| quality.grade);
        assert_eq!(word(figures(1_000, 0, 1_840, None)), Some(Grade::Good));
        assert_eq!(word(figures(1_000, 0, 1_840, reported(0, 40))), Some(Grade::Good));
        assert_eq!(word(figures(960, 40, 1_840, reported(0, 40))), Some(Grade::Fair), "4 % lost from it");
        assert_eq!(word(figures(1_000, 0, 1_840, reported(40, 40))), Some(Grade::Fair), "4 % lost to it");
        assert_eq!(word(figures(1_000, 0, 1_840, reported(100, 40))), Some(Grade::Bad), "10 % lost to it");
        assert_eq!(word(figures(1_000, 0, 1_840, reported(0, 500))), Some(Grade::Fair), "a long way");
        assert_eq!(word(figures(1_000, 0, 150_000, None)), Some(Grade::Bad), "jitter that no buffer hides");
        assert_eq!(word(figures(0, 0, 0, None)), None, "no sound");
        assert_eq!(word(figures(0, 0, 0, reported(0, 40))), Some(Grade::Silent), "it hears, and is not heard");
    }

    #[test]
    fn figures_are_as_a_person_reads_them() {
        let told = quality(&figures(9_214, 3, 1_844, reported(2, 41))).unwrap();
        assert_eq!(told.from, Some(Sound { loss_percent: 0.03, jitter_ms: 1.8 }));
        assert_eq!(told.to, Some(Sound { loss_percent: 0.2, jitter_ms: 1.0 }));
        assert_eq!(told.round_trip_ms, Some(41.0));
        let told = quality(&figures(0, 0, 0, reported(0, 40))).unwrap();
        assert_eq!((told.from, told.to), (None, Some(Sound { loss_percent: 0.0, jitter_ms: 1.0 })));
    }
}
