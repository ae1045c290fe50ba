//! The table: one block a row, one line a figure.

use std::fmt::Write;

use crate::check::targets::Verdict;
use crate::interleave::Outcome;
use crate::peer::PeerId;
use crate::row::Unit;
use crate::statistics::{Interval, median, spread};

/// The peer that the targets are against.
const MEASURE: PeerId = PeerId::Tokio;

/// More peers than this have a line each.
const ONE_LINE: usize = 5;

/// The block of one row: medians with their spread, paired ratios with their interval, verdicts.
pub fn block(outcome: &Outcome, verdicts: &[Verdict]) -> String {
    let mut text = format!("\n{}: {}\n", outcome.row.name, outcome.row.question);
    for (index, figure) in outcome.row.figures.iter().enumerate() {
        let _ = write!(text, "  {:<9}", figure.name);
        let many = outcome.series.len() > ONE_LINE;
        for &(peer, _) in &outcome.series {
            let values = outcome.values(peer, index).unwrap_or_default();
            let centre = centre(&values, figure.unit);
            if !many {
                let _ = write!(text, " {peer} {centre}");
                continue;
            }
            let beside = paired(outcome, peer, index).unwrap_or_default();
            let barges = outcome.row.barging.contains(&peer);
            let barges = if barges { "barges" } else { "" };
            let _ = write!(text, "\n    {peer:<23}{barges:<7} {centre} {beside}");
        }
        text.push('\n');
        let others = outcome.series.iter().filter(|_| !many);
        for &(peer, _) in others {
            if let Some(ratio) = paired(outcome, peer, index) {
                let _ = writeln!(text, "            {} / {peer} = {ratio}", PeerId::JUDGED);
            }
        }
        let of_figure = |verdict: &&Verdict| verdict.figure == figure.name;
        for verdict in verdicts.iter().filter(of_figure) {
            let _ = writeln!(text, "            {verdict}");
        }
    }
    text
}

/// The ratio of the judged one's figure to another's, where it can be taken.
fn paired(outcome: &Outcome, peer: PeerId, index: usize) -> Option<String> {
    if peer == PeerId::JUDGED {
        return None;
    }
    let ratios = outcome.ratios(peer, index)?;
    let finite = !ratios.is_empty() && ratios.iter().all(|ratio| ratio.is_finite());
    finite.then(|| ratio(&ratios))
}

/// The head of the table for `README.md`.
pub fn markdown_head(peers: &[PeerId]) -> String {
    let names: Vec<&str> = peers.iter().map(|peer| peer.name()).collect();
    format!(
        "| row | figure | {} | {} / {} | target |\n|---|---|{}---|---|",
        names.join(" | "),
        PeerId::JUDGED,
        MEASURE,
        "---|".repeat(names.len())
    )
}

/// The lines of one row for `README.md`: medians, and the ratio to the peer that is the measure.
pub fn markdown(outcome: &Outcome, peers: &[PeerId], verdicts: &[Verdict]) -> String {
    let mut text = String::new();
    for (index, figure) in outcome.row.figures.iter().enumerate() {
        let _ = write!(text, "| {} | {} |", outcome.row.name, figure.name);
        for &peer in peers {
            let shown = outcome
                .values(peer, index)
                .map_or("–".into(), |values| figure.unit.show(median(&values)));
            let _ = write!(text, " {shown} |");
        }
        let ratios = outcome.ratios(MEASURE, index).unwrap_or_default();
        let finite = !ratios.is_empty() && ratios.iter().all(|ratio| ratio.is_finite());
        let shown = if finite { ratio(&ratios) } else { "–".into() };
        let verdict = verdicts
            .iter()
            .find(|verdict| verdict.figure == figure.name);
        let verdict = verdict.map_or(String::new(), Verdict::brief);
        let _ = writeln!(text, " {shown} | {verdict} |");
    }
    text
}

fn centre(values: &[f64], unit: Unit) -> String {
    let (low, high) = spread(values);
    let middle = unit.show(median(values));
    if values.len() < 2 {
        return format!("{middle:<12}");
    }
    format!(
        "{:<32}",
        format!("{middle} ({} .. {})", unit.show(low), unit.show(high))
    )
}

fn ratio(ratios: &[f64]) -> String {
    let Interval {
        median,
        low,
        high,
        coverage,
    } = Interval::of_median(ratios);
    if ratios.len() < 2 {
        return format!("{median:.3}");
    }
    format!(
        "{median:.3} [{low:.3}, {high:.3}] ({:.0} %)",
        coverage * 100.0
    )
}
