//! The programs that README.md and ARCHITECTURE.md show are compiled and run as documentation tests.
//!
//! Tests of the facade are in `tests/tests`.

/// README.md.
#[cfg_attr(doctest, doc = include_str!("../../README.md"))]
#[derive(Debug)]
pub struct Readme;

/// ARCHITECTURE.md.
#[cfg_attr(doctest, doc = include_str!("../../ARCHITECTURE.md"))]
#[derive(Debug)]
pub struct Architecture;

pub mod support;
