//! The programs that README.md and ARCHITECTURE.md show are compiled and run as documentation tests.
//!
//! Tests of the facade are in `tests/tests`.

/// README.md.
#[doc = include_str!("../../README.md")]
#[derive(Debug)]
pub struct Readme;

/// ARCHITECTURE.md.
#[doc = include_str!("../../ARCHITECTURE.md")]
#[derive(Debug)]
pub struct Architecture;

pub mod support;
