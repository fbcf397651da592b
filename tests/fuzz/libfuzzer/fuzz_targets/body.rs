//! One target for every body: `PBX_FUZZ_BODY` names which.
#![no_main]

use std::sync::LazyLock;

static BODY: LazyLock<fn(&[u8])> = LazyLock::new(|| {
    let name = std::env::var("PBX_FUZZ_BODY").expect("PBX_FUZZ_BODY names a body");
    pbx_fuzz::BODIES.iter().find(|(known, _)| *known == name).expect("a body of that name").1
});

libfuzzer_sys::fuzz_target!(|octets: &[u8]| BODY(octets));
