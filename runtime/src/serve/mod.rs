//! A structured accept loop.
