//! Tones written to files, and what a recording holds: frequency and level.

use std::path::{Path, PathBuf};

const RATE: u32 = 8_000;

/// A WAV file of one tone: `hertz`, peak level in dB below full scale, seconds.
pub fn tone(folder: &Path, hertz: f64, level_db: f64, seconds: u32) -> PathBuf {
    let path = folder.join(format!("tone-{hertz}.wav"));
    let form = hound::WavSpec { channels: 1, sample_rate: RATE, bits_per_sample: 16, sample_format: hound::SampleFormat::Int };
    let mut file = hound::WavWriter::create(&path, form).expect("a WAV file");
    let peak = 32_767.0 * 10f64.powf(level_db / 20.0);
    for at in 0..seconds * RATE {
        let sample = peak * (std::f64::consts::TAU * hertz * f64::from(at) / f64::from(RATE)).sin();
        #[expect(clippy::cast_possible_truncation, reason = "the peak is below i16's")]
        file.write_sample(sample as i16).expect("a sample");
    }
    file.finalize().expect("a WAV file");
    path
}

/// What was found in the loudest second of a recording.
#[derive(Debug)]
pub struct Heard {
    pub hertz: f64,
    pub level_db: f64,
}

/// Frequency (zero crossings) and peak level (from RMS) of the best second of a recording.
pub fn listen(path: &Path) -> Heard {
    let samples = read(path);
    let second = RATE as usize;
    let windows = (0..samples.len().saturating_sub(second)).step_by(second / 4).map(|at| &samples[at..at + second]);
    let best = windows
        .max_by(|a, b| energy(a).total_cmp(&energy(b)))
        .unwrap_or_else(|| panic!("{} is shorter than a second", path.display()));
    let rms = (energy(best) / second as f64).sqrt();
    let crossings = best.windows(2).filter(|pair| pair[0] < 0.0 && pair[1] >= 0.0).count();
    Heard { hertz: crossings as f64, level_db: 20.0 * (rms * std::f64::consts::SQRT_2 / 32_767.0).log10() }
}

fn energy(samples: &[f64]) -> f64 {
    samples.iter().map(|sample| sample * sample).sum()
}

/// The samples of a recording. Its header may be unfinished (the phone was stopped), so all that follows it counts.
fn read(path: &Path) -> Vec<f64> {
    let bytes = std::fs::read(path).expect("a recording");
    let start = bytes.windows(4).position(|four| four == b"data").map_or(44, |at| at + 8);
    bytes[start.min(bytes.len())..].chunks_exact(2).map(|pair| f64::from(i16::from_le_bytes([pair[0], pair[1]]))).collect()
}
