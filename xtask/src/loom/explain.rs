//! `loom PROTOCOL TEST --explain`: finds the failing schedule, then replays it with a log.

use std::fs;

use super::{Model, Options, verdict};
use crate::Outcome;
use crate::process::target_dir;
use crate::source;

/// Runs the model twice: once to find the schedule, which loom saves before each step of the
/// search, and once from there with every step logged.
pub fn explain(model: &Model, options: &Options) -> Outcome {
    let file = source::root()
        .join(target_dir("loom"))
        .join("schedule.json");
    // loom goes on from the file if there is one, so an old one must not be left.
    let _ = fs::remove_file(&file);
    let path = file.to_string_lossy().into_owned();
    let mut environment = vec![
        ("LOOM_CHECKPOINT_FILE", path.as_str()),
        ("LOOM_CHECKPOINT_INTERVAL", "1"),
    ];
    if let Some(plant) = &options.plant {
        environment.push(("TENTER_PLANT", plant));
    }
    let search = model.run(options, &environment)?;
    if search.success() {
        return Err(format!(
            "{} passes, so there is nothing to explain; see --plant",
            model.name
        ));
    }
    environment.extend([
        ("LOOM_LOG", "trace"),
        ("LOOM_LOCATION", "1"),
        ("RUST_BACKTRACE", "1"),
    ]);
    let replay = model.run(options, &environment)?;
    let _ = fs::remove_file(&file);
    println!("{}", replay.output);
    println!("the search ended with: {}", verdict::Verdict::of(&search));
    Ok(())
}
