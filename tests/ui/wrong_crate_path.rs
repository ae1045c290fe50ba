//! A `crate` that leads nowhere is reported at the path.

#[tenter::main(crate = missing::tenter)] //~ ERROR missing
async fn main() {}
