//! `targets.toml`: what the design asks of a row, and whether the row gave it.

use std::{fmt, io};

use serde::Deserialize;

use crate::interleave::Outcome;
use crate::peer::PeerId;
use crate::row::Figure;
use crate::statistics::{Interval, median};

/// A win that costs more than this many times the measure's processor time is none.
const CPU_ALLOWANCE: f64 = 1.1;
/// Whose processor time a win may not exceed, whomever the target is against.
const MEASURE: PeerId = PeerId::Tokio;
/// A target that is nearer to 1 than this is judged by the whole interval and not by its middle.
const NEAR_ONE: f64 = 0.051;

/// Whoever is best among those at home.
const BEST: &str = "best";
/// Whoever is best among those who let nobody pass.
const BEST_IN_LINE: &str = "best-in-line";

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
    /// Whose figure divides ours: a peer, the better of a maker's two, `best` or `best-in-line`;
    /// without one `at_most` is in the figure's own unit.
    pub against: Option<String>,
    /// The most that meets the target.
    pub at_most: Option<f64>,
    /// The least that meets the target, for a rate.
    pub at_least: Option<f64>,
}

/// What meets a target.
#[derive(Clone, Copy, Debug)]
enum Asked {
    AtMost(f64),
    AtLeast(f64),
}

impl Target {
    fn asked(&self) -> Option<Asked> {
        match (self.at_most, self.at_least) {
            (Some(most), None) => Some(Asked::AtMost(most)),
            (None, Some(least)) => Some(Asked::AtLeast(least)),
            _ => None,
        }
    }
}

impl Asked {
    fn value(self) -> f64 {
        match self {
            Self::AtMost(value) | Self::AtLeast(value) => value,
        }
    }

    fn sign(self) -> char {
        match self {
            Self::AtMost(_) => '≤',
            Self::AtLeast(_) => '≥',
        }
    }

    fn is_met_by(self, figure: f64) -> bool {
        match self {
            Self::AtMost(most) => figure <= most,
            Self::AtLeast(least) => figure >= least,
        }
    }

    /// A gain that is within the noise of one round is none: of a time or a rate for which hardly
    /// more than parity is asked the whole interval has to be on the better side of 1.
    fn is_met_by_ratio(self, ratio: Interval, figure: &Figure) -> bool {
        let near_one = (self.value() - 1.0).abs() <= NEAR_ONE && figure.name != "cpu";
        match self {
            Self::AtMost(_) if near_one => ratio.high <= 1.0,
            Self::AtLeast(_) if near_one => ratio.low >= 1.0,
            _ => self.is_met_by(ratio.median),
        }
    }
}

/// Whether a target was met.
#[derive(Debug)]
pub struct Verdict {
    /// The row.
    pub row: &'static str,
    /// The figure of that row.
    pub figure: &'static str,
    met: bool,
    asked: String,
    text: String,
}

impl Verdict {
    /// `met` or `SHORT`, and what was asked.
    pub fn brief(&self) -> String {
        let outcome = if self.met { "met" } else { "SHORT" };
        format!("{}: {outcome}", self.asked)
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
    let figures = outcome.row.figures;
    let index = figures.iter().position(|f| f.name == target.figure)?;
    let figure = &figures[index];
    let asked = target.asked()?;
    let (sign, value) = (asked.sign(), asked.value());
    let (met, asked, text) = match &target.against {
        None => {
            let ours = median(&outcome.values(PeerId::JUDGED, index)?);
            let wanted = format!("{sign} {}", figure.unit.show(value));
            let text = format!("{} {}, {wanted}", figure.name, figure.unit.show(ours));
            (asked.is_met_by(ours), wanted, text)
        }
        Some(name) => {
            let peer = rival(outcome, name, index, asked)?;
            let ratio = Interval::of_median(&outcome.ratios(peer, index)?);
            let beside = if name == MEASURE.name() {
                String::new()
            } else {
                format!(" of {name}")
            };
            let wanted = format!("{sign} {value:.2}{beside}");
            let mut text = format!("{} / {peer} = {:.3}, {wanted}", figure.name, ratio.median);
            let dear = dear(outcome, peer);
            if let Some((peer, cpu)) = dear {
                text += &format!(", but processor time / {peer} = {cpu:.2}");
            }
            let met = asked.is_met_by_ratio(ratio, figure) && dear.is_none();
            (met, wanted, text)
        }
    };
    Some(Verdict {
        row: outcome.row.name,
        figure: figure.name,
        met,
        asked,
        text,
    })
}

/// Whom a target means: of those that ran and answer to the name the one with the best median.
fn rival(outcome: &Outcome, name: &str, index: usize, asked: Asked) -> Option<PeerId> {
    let meant = |peer: PeerId| match name {
        BEST => peer.is_at_home(),
        BEST_IN_LINE => peer.is_at_home() && !outcome.row.barging.contains(&peer),
        _ => peer.answers_to(name),
    };
    let mut best: Option<(PeerId, f64)> = None;
    for &(peer, _) in &outcome.series {
        if peer == PeerId::JUDGED || !meant(peer) {
            continue;
        }
        let figure = median(&outcome.values(peer, index)?);
        let better = |best: f64| match asked {
            Asked::AtMost(_) => figure < best,
            Asked::AtLeast(_) => figure > best,
        };
        if best.is_none_or(|(_, best)| better(best)) {
            best = Some((peer, figure));
        }
    }
    best.map(|(peer, _)| peer)
}

/// The ratio of processor time to the measure's, or to `peer`'s if the measure did not run, where it
/// was more than is allowed.
fn dear(outcome: &Outcome, peer: PeerId) -> Option<(PeerId, f64)> {
    let figures = outcome.row.figures;
    let cpu = figures.iter().position(|figure| figure.name == "cpu")?;
    let of = |peer| Some((peer, median(&outcome.ratios(peer, cpu)?)));
    of(MEASURE)
        .or_else(|| of(peer))
        .filter(|(_, ratio)| *ratio > CPU_ALLOWANCE)
}

#[cfg(test)]
mod tests {
    use super::{Asked, BEST, BEST_IN_LINE, load};
    use crate::peer::PeerId;
    use crate::row::{self, Figure, Unit};
    use crate::statistics::Interval;

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
            let asked = target.asked();
            assert!(
                asked.is_some_and(|asked| asked.value() > 0.0),
                "{} needs one of at_most and at_least",
                target.row
            );
            if let Some(peer) = &target.against {
                let answers = |beside: &PeerId| {
                    [BEST, BEST_IN_LINE].contains(&peer.as_str()) || beside.answers_to(peer)
                };
                assert!(row.peers[1..].iter().any(answers), "{} {peer}", target.row);
                let in_check = row.brief.iter().skip(1).any(answers);
                assert!(in_check, "a check of {} cannot judge it", target.row);
            }
        }
    }

    #[test]
    fn near_one_the_whole_interval_has_to_be_better() {
        let figure = |name| Figure {
            name,
            unit: Unit::Nanoseconds,
        };
        let interval = |low, median, high| Interval {
            median,
            low,
            high,
            coverage: 0.96,
        };
        let time = figure("time");
        assert!(Asked::AtMost(1.0).is_met_by_ratio(interval(0.8, 0.9, 1.0), &time));
        assert!(!Asked::AtMost(1.0).is_met_by_ratio(interval(0.8, 0.9, 1.01), &time));
        assert!(Asked::AtMost(0.5).is_met_by_ratio(interval(0.4, 0.5, 1.1), &time));
        assert!(Asked::AtLeast(1.05).is_met_by_ratio(interval(1.0, 1.02, 1.1), &time));
        assert!(!Asked::AtLeast(1.05).is_met_by_ratio(interval(0.99, 1.2, 1.3), &time));
        assert!(!Asked::AtLeast(2.0).is_met_by_ratio(interval(1.5, 1.9, 2.3), &time));
        assert!(!Asked::AtMost(0.95).is_met_by_ratio(interval(0.9, 0.96, 1.0), &figure("cpu")));
    }
}
