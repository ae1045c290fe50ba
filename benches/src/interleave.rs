//! Runs a row on every peer, round by round, each round in another order.
//!
//! The machine drifts (other guests, clock frequency, heat), so peers are never run one after the
//! other: within a round they follow each other at once, and who goes first rotates. What is
//! compared in the end are ratios within a round.

use std::io;

use crate::measure::Sample;
use crate::peer::PeerId;
use crate::row::{Rounds, Row, Size};

/// What a row measured: one series a peer.
#[derive(Debug)]
pub struct Outcome {
    /// The row.
    pub row: &'static Row,
    /// For each peer that ran, the samples of all rounds in order.
    pub series: Vec<(PeerId, Vec<Sample>)>,
}

impl Outcome {
    /// The values of one figure of one peer, a round each.
    pub fn values(&self, peer: PeerId, figure: usize) -> Option<Vec<f64>> {
        let (_, samples) = self.series.iter().find(|(id, _)| *id == peer)?;
        Some(samples.iter().map(|sample| sample[figure]).collect())
    }

    /// One figure of the judged peer divided by another peer's, round by round.
    pub fn ratios(&self, against: PeerId, figure: usize) -> Option<Vec<f64>> {
        let ours = self.values(PeerId::JUDGED, figure)?;
        let theirs = self.values(against, figure)?;
        Some(
            ours.iter()
                .zip(&theirs)
                .map(|(ours, theirs)| ours / theirs)
                .collect(),
        )
    }
}

/// Runs `row` on those of `peers` whom it can be asked. What is counted and takes its time is asked of
/// the judged one alone where it has to be quick.
///
/// # Errors
///
/// Whatever stops the row: a server that does not start, a tool that is missing.
pub fn run(row: &'static Row, peers: &[PeerId], rounds: usize, size: Size) -> io::Result<Outcome> {
    let peers: Vec<_> = peers
        .iter()
        .copied()
        .filter(|peer| row.peers.contains(peer))
        .filter(|&peer| peer == PeerId::JUDGED || row.rounds == Rounds::Each || size == Size::Full)
        .collect();
    let rounds = if row.rounds == Rounds::Once {
        1
    } else {
        rounds
    };
    let mut open = Vec::with_capacity(peers.len());
    for &peer in &peers {
        open.push(row.open(peer, size).map_err(|error| of(peer, &error))?);
    }
    let mut series: Vec<_> = peers.iter().map(|&peer| (peer, Vec::new())).collect();
    for round in 0..rounds {
        for turn in 0..peers.len() {
            let which = (round + turn) % peers.len();
            let sample = open[which]().map_err(|error| of(peers[which], &error))?;
            series[which].1.push(sample);
        }
    }
    Ok(Outcome { row, series })
}

/// An error that says whose it is.
fn of(peer: PeerId, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{peer}: {error}"))
}
