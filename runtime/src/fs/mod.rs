//! Files and folders, on the blocking pool.
