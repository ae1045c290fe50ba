//! `targets.toml`: what the design asks of a row, and whether the row gave it.

use std::{fmt, io};

use serde::Deserialize;

use crate::interleave::Outcome;
use crate::peer::PeerId;
use crate::row::Unit;
use crate::statistics::{Interval, median};

/// A win that costs more than this many times the other's processor time is none.
const CPU_ALLOWANCE: f64 = 1.1;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    target: Vec<Target>,
}

/// One line of the design.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// The row.
    pub row: String,
    /// The figure of that row.
    pub figure: String,
    /// The peer whose figure divides ours; without one `at_most` is in the figure's own unit.
    pub against: Option<String>,
    /// The most that meets the target.
    pub at_most: f64,
}

/// Whether a target was met.
#[derive(Debug)]
pub struct Verdict {
    /// The row.
    pub row: &'static str,
    /// The figure of that row.
    pub figure: &'static str,
    met: bool,
    at_most: String,
    text: String,
}

impl Verdict {
    /// `met` or `SHORT`, and what was asked.
    pub fn brief(&self) -> String {
        let outcome = if self.met { "met" } else { "SHORT" };
        format!("≤ {}: {outcome}", self.at_most)
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}  {}",
            if self.met { "met  " } else { "SHORT" },
            self.text
        )
    }
}

/// Reads the targets.
///
/// # Errors
///
/// If the file is not what this program expects.
pub fn load() -> io::Result<Vec<Target>> {
    const TEXT: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/targets.toml"));
    let file: File = toml::from_str(TEXT)
        .map_err(|error| io::Error::other(format!("benches/targets.toml: {error}")))?;
    Ok(file.target)
}

/// The verdict on every target of one row.
pub fn judge(targets: &[Target], outcome: &Outcome) -> Vec<Verdict> {
    let of_row = targets
        .iter()
        .filter(|target| target.row == outcome.row.name);
    of_row
        .filter_map(|target| verdict(target, outcome))
        .collect()
}

/// None where the peer it is against did not run.
fn verdict(target: &Target, outcome: &Outcome) -> Option<Verdict> {
    let index = outcome
        .row
        .figures
        .iter()
        .position(|figure| figure.name == target.figure)?;
    let figure = &outcome.row.figures[index];
    let most = target.at_most;
    let (met, at_most, text) = match &target.against {
        None => {
            let ours = median(&outcome.values(PeerId::JUDGED, index)?);
            let (ours_shown, at_most) = (figure.unit.show(ours), figure.unit.show(most));
            let text = format!("{} {ours_shown}, at most {at_most}", figure.name);
            (ours <= most, at_most, text)
        }
        Some(name) => {
            let peer = name.parse().ok()?;
            let ratio = Interval::of_median(&outcome.ratios(peer, index)?).median;
            let text = format!("{} / {peer} = {ratio:.3}, at most {most:.2}", figure.name);
            let (met, text) = match dear(outcome, figure.unit, peer) {
                Some(cpu) => (
                    false,
                    format!("{text}, but processor time / {peer} = {cpu:.2}"),
                ),
                None => (ratio <= most, text),
            };
            (met, format!("{most:.2}"), text)
        }
    };
    Some(Verdict {
        row: outcome.row.name,
        figure: figure.name,
        met,
        at_most,
        text,
    })
}

/// The ratio of processor time, if a time was bought with too much of it.
fn dear(outcome: &Outcome, unit: Unit, peer: PeerId) -> Option<f64> {
    let cpu = outcome
        .row
        .figures
        .iter()
        .position(|figure| figure.name == "cpu")?;
    let ratio = median(&outcome.ratios(peer, cpu)?);
    (unit == Unit::Nanoseconds && ratio > CPU_ALLOWANCE).then_some(ratio)
}

#[cfg(test)]
mod tests {
    use super::load;
    use crate::row;

    #[test]
    fn every_target_names_a_row_and_one_of_its_figures() {
        for target in load().expect("targets.toml") {
            let row = row::all().find(|row| row.name == target.row);
            let row = row.unwrap_or_else(|| panic!("no row {}", target.row));
            assert!(
                row.figures
                    .iter()
                    .any(|figure| figure.name == target.figure),
                "{} has no figure {}",
                target.row,
                target.figure
            );
            assert!(target.at_most > 0.0);
        }
    }
}
