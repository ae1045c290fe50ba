//! From a reader to a writer.
