//! Variables of the environment that turn something on where the program does not say.
//!
//! Tests: below; `tests/tests/debug_mode.rs`, `tests/tests/tree/main.rs`.

use std::ffi::OsStr;
use std::io;

use tenter_sync::shim::MODELLED;

/// Whether the environment turns this on. `what` is that in words, `settings` what of the builder goes before
/// the variable. Whoever runs a model or its tests has no say in it.
///
/// # Errors
///
/// `InvalidInput`: the variable says neither.
pub fn is_on(variable: &str, what: &str, settings: &str) -> io::Result<bool> {
    let value = std::env::var_os(variable).filter(|_| !MODELLED);
    let Some(value) = value else {
        return Ok(false);
    };
    parse(&value).ok_or_else(|| {
        io::Error::new(
            io::ErrorKind::InvalidInput,
            format!(
                "the environment has {variable}={}: it takes 1, true, on or yes for {what}, and 0, false, \
                 off, no or nothing for none. Before it goes {settings}",
                value.to_string_lossy()
            ),
        )
    })
}

/// What a value says. `None`: neither.
fn parse(value: &OsStr) -> Option<bool> {
    let text = value.to_str()?.trim();
    let is_one_of = |words: &[&str]| words.iter().any(|word| text.eq_ignore_ascii_case(word));
    if is_one_of(&["", "0", "false", "off", "no"]) {
        return Some(false);
    }
    is_one_of(&["1", "true", "on", "yes"]).then_some(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_says_on_or_off_or_neither() {
        let says = |value: &str| parse(OsStr::new(value));
        for on in ["1", "true", "TRUE", "on", "Yes", " 1 "] {
            assert_eq!(says(on), Some(true), "{on:?}");
        }
        for off in ["", "0", "false", "Off", "no"] {
            assert_eq!(says(off), Some(false), "{off:?}");
        }
        for nonsense in ["maybe", "2", "100ms", "tru"] {
            assert_eq!(says(nonsense), None, "{nonsense:?}");
        }
    }
}
