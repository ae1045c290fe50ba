//! The table: one block a row, one line a figure.

use std::fmt::Write;

use crate::check::targets::Verdict;
use crate::interleave::Outcome;
use crate::peer::PeerId;
use crate::row::Unit;
use crate::statistics::{Interval, median, spread};

/// The block of one row: medians with their spread, paired ratios with their interval, verdicts.
pub fn block(outcome: &Outcome, verdicts: &[Verdict]) -> String {
    let mut text = format!("\n{}: {}\n", outcome.row.name, outcome.row.question);
    for (index, figure) in outcome.row.figures.iter().enumerate() {
        let _ = write!(text, "  {:<9}", figure.name);
        for &(peer, _) in &outcome.series {
            let values = outcome.values(peer, index).unwrap_or_default();
            let _ = write!(text, " {peer} {}", centre(&values, figure.unit));
        }
        text.push('\n');
        for &(peer, _) in outcome
            .series
            .iter()
            .filter(|(peer, _)| *peer != PeerId::JUDGED)
        {
            if let Some(ratios) = outcome.ratios(peer, index) {
                if ratios.iter().all(|ratio| ratio.is_finite()) {
                    let _ = writeln!(
                        text,
                        "            {} / {peer} = {}",
                        PeerId::JUDGED,
                        ratio(&ratios)
                    );
                }
            }
        }
        for verdict in verdicts
            .iter()
            .filter(|verdict| verdict.figure == figure.name)
        {
            let _ = writeln!(text, "            {verdict}");
        }
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
