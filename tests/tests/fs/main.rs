//! Files and folders: on every flavour, and where there is no tenter runtime.

mod cancel;
mod ending;
mod folders;
mod limits;
mod model;
mod outside;
mod paths;
mod read;
mod support;
mod write;
