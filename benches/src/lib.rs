//! Benchmarks of tenter beside its peers, on one thread each and with two workers each.
//!
//! A *peer* is a runtime behind the [`Peer`](peer::Peer) trait, or a [`primitive`] as the guest of one; an
//! [`operation`] is written once
//! against that trait; a [`Row`](row::Row) measures one question with it; [`interleave`] runs a row
//! on every peer round by round; [`report`] prints what came out; [`check`] holds it against
//! `targets.toml` and gates what repeats exactly against `counts.toml`.
//!
//! ```text
//!   peer/{tenter,tokio,smol}      how each runtime spells the same thing       go
//!   primitive/*                   how each crate spells the same primitive      │
//!        ▲
//!   operation                     what is done n times, generic over the peer   │
//!        ▲                                                                      │
//!   row/*  ◀── child: a row in a process of its own ◀─────────────────────────────┘
//!     │
//!     └──────▶ interleave ──▶ report ──▶ check::targets      (informs)
//!   bin/counted ────────────────────────▶ check::counts       (gates)
//! ```
#![deny(unsafe_code)]

#[expect(unsafe_code, reason = "a global allocator is an unsafe trait")]
pub mod allocator;
// First, for the macros that the others use.
#[macro_use]
pub mod primitive;

pub mod check;
pub mod child;
pub mod go;
pub mod interleave;
pub mod load;
pub mod machine;
pub mod measure;
pub mod operation;
pub mod peer;
#[expect(unsafe_code, reason = "projects a pin to the elements of a slice")]
pub mod pinned;
pub mod report;
pub mod row;
pub mod server;
pub mod statistics;
