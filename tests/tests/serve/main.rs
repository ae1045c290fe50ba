//! `tenter::net::serve`: the limit, the ways in which a server ends, and what may go wrong on the way.

mod ends;
mod examples;
mod faults;
mod handlers;
mod kinds;
mod limit;
mod many;
mod scopes;
mod support;
