//! What protects the sound of a leg: keys that descriptions name (RFC 4568), offered where the signalling keeps them secret.

use pbx_media_words::{Keys, MasterKey, Suite};
use pbx_sip::entropy::Entropy;
use pbx_sip::sdp::{Crypto, Description};
use serde::{Deserialize, Serialize};

use crate::call::{Call, Leg, LegState, Outside, Refusal, Signal};

/// How we speak of a leg's sound. A peer that names a key in an offer is answered with one in any case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Sound {
    /// We name no key by ourselves.
    #[default]
    Plain,
    /// We name keys, and take it if the peer does not (RFC 8643).
    MayBeProtected,
    /// Nothing plain is spoken.
    MustBeProtected,
}

/// Those of our offers: what everybody knows first, for there are phones that read no further.
const OFFERED: [Suite; 2] = [Suite::AesCm128HmacSha1_80, Suite::AeadAes128Gcm];

/// A suite whose key is as long as it has to be.
fn usable(crypto: &Crypto) -> Option<Suite> {
    let suite = Suite::ALL.into_iter().find(|suite| suite.name() == crypto.suite)?;
    (crypto.octets.len() == suite.key_octets() + suite.salt_octets()).then_some(suite)
}

/// Can this offer be answered, where that is how we speak?
pub(crate) fn is_answerable(offer: &Description, sound: Sound) -> bool {
    let keyed = offer.crypto.iter().any(|crypto| usable(crypto).is_some());
    keyed || !offer.profile.is_protected() && sound != Sound::MustBeProtected
}

fn drawn(suite: Suite, tag: u32, entropy: &mut Entropy) -> Crypto {
    let octets = entropy.bytes::<{ 32 + 14 }>();
    Crypto {
        tag,
        suite: suite.name().to_owned(),
        octets: octets[..suite.key_octets() + suite.salt_octets()].to_vec(),
        mki_octets: 0,
    }
}

impl Leg {
    /// Draws the keys that an offer of ours names.
    pub(crate) fn prepare_keys(&mut self, entropy: &mut Entropy) {
        let Some(local) = self.local.as_mut().filter(|local| local.crypto.is_empty()) else { return };
        local.must_protect = self.sound == Sound::MustBeProtected;
        if self.sound != Sound::Plain {
            local.crypto = (1..).zip(OFFERED).map(|(tag, suite)| drawn(suite, tag, entropy)).collect();
        }
    }

    /// Takes what the peer says of its side. False if it says nothing that protects what has to be protected: it stays as it was then.
    #[must_use]
    pub(crate) fn described(&mut self, remote: Description, entropy: &mut Entropy) -> bool {
        if !is_answerable(&remote, self.sound) {
            return false;
        }
        self.remote = Some(remote);
        self.agree_on_key(entropy);
        true
    }

    /// Which key of ours goes with what the peer has named: one that we have for its suite, else a new one.
    pub(crate) fn agree_on_key(&mut self, entropy: &mut Entropy) {
        let (Some(local), Some(remote)) = (&mut self.local, &self.remote) else { return };
        let Some((theirs, suite)) = remote.crypto.iter().find_map(|crypto| Some((crypto, usable(crypto)?))) else {
            local.agreed_crypto = None;
            return;
        };
        let of_suite = |crypto: &&Crypto| crypto.suite == suite.name();
        let ours = match local.crypto.iter().find(of_suite) {
            Some(known) => known.clone(),
            None => {
                let new = drawn(suite, theirs.tag, entropy);
                local.crypto.push(new.clone());
                new
            }
        };
        local.agreed_crypto = Some(Crypto { tag: theirs.tag, ..ours });
    }

    /// The keys of both ways, if the sound is protected.
    pub(crate) fn keys(&self) -> Option<Keys> {
        let ours = self.local.as_ref()?.agreed_crypto.as_ref()?;
        let theirs = self.remote.as_ref()?.crypto.iter().find(|crypto| crypto.suite == ours.suite && usable(crypto).is_some())?;
        let master = |crypto: &Crypto| {
            Some(MasterKey { suite: usable(crypto)?, octets: crypto.octets.clone(), mki_octets: crypto.mki_octets })
        };
        Some(Keys { ours: master(ours)?, theirs: master(theirs)? })
    }

    /// Is its sound protected?
    pub fn is_protected(&self) -> bool {
        self.keys().is_some()
    }

    /// The process that counted its packets is gone, and a key is not used twice with the same numbers (RFC 3711 3.2.2): another one is
    /// offered.
    pub(crate) fn wish_new_key(&mut self, entropy: &mut Entropy) {
        let Some(local) = self.local.as_mut() else { return };
        let Some((suite, tag)) = local.agreed_crypto.as_ref().and_then(|crypto| Some((usable(crypto)?, crypto.tag))) else {
            return;
        };
        let new = drawn(suite, tag, entropy);
        local.crypto.iter_mut().filter(|crypto| crypto.suite == new.suite).for_each(|crypto| crypto.octets.clone_from(&new.octets));
        local.agreed_crypto = Some(new);
        self.wish_anew();
    }
}

impl Call {
    /// A phone takes nothing of what it was offered: perhaps because it speaks nothing plain. It is asked once more, with keys. None if
    /// it was, has rung already, or is no phone of the house.
    pub(crate) fn ring_protected(&mut self, place: usize, outside: &mut Outside<'_>) -> Option<Signal> {
        let formats = self.offered();
        let ptime_ms = self.a.remote.as_ref().and_then(|offer| offer.ptime_ms);
        let leg = self.b.get_mut(place)?;
        if !leg.of_house || leg.sound == Sound::MustBeProtected || leg.state != LegState::Offered {
            return None;
        }
        leg.sound = Sound::MustBeProtected;
        let local = leg.local.as_mut()?;
        local.crypto.clear();
        leg.prepare_keys(outside.entropy);
        let body = leg.local.as_mut()?.offer(&formats, pbx_sip::sdp::Direction::SendRecv, ptime_ms);
        Some(match self.ask_to_ring(place, Some(body), outside) {
            true => Signal::Nothing,
            false => self.leg_refused(place, Refusal::Unreachable, outside),
        })
    }
}
