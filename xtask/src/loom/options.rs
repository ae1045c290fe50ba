//! The command line of `cargo xtask loom`.

use std::time::Duration;

/// Preemptions explored per schedule, unless `--bound` says otherwise.
pub const BOUND: u32 = 2;

/// Seconds that one model may take.
const LIMIT: u64 = 120;

/// What the command line asks for.
pub struct Options {
    pub protocol: Option<String>,
    pub test: Option<String>,
    pub bound: u32,
    pub limit: Duration,
    pub bless: bool,
    /// Replay the failing schedule of the one model with a log.
    pub explain: bool,
    /// With `explain`: the planted bug that makes it fail.
    pub plant: Option<String>,
}

impl Options {
    pub fn parse(rest: &[String]) -> Result<Self, String> {
        let mut options = Self {
            protocol: None,
            test: None,
            bound: BOUND,
            limit: Duration::from_secs(LIMIT),
            bless: false,
            explain: false,
            plant: None,
        };
        let mut rest = rest.iter();
        while let Some(argument) = rest.next() {
            let number = |value: Option<&String>| {
                let parsed = value.and_then(|value| value.parse::<u32>().ok());
                parsed.ok_or_else(|| format!("{argument} needs a number"))
            };
            match argument.as_str() {
                "--bless" => options.bless = true,
                "--explain" => options.explain = true,
                "--plant" => options.plant = rest.next().cloned(),
                "--bound" => options.bound = number(rest.next())?,
                "--limit" => options.limit = Duration::from_secs(number(rest.next())?.into()),
                flag if flag.starts_with('-') => {
                    return Err(format!(
                        "unexpected argument {flag:?}; see `cargo xtask help`"
                    ));
                }
                name if options.protocol.is_none() => options.protocol = Some(name.to_owned()),
                name if options.test.is_none() => options.test = Some(name.to_owned()),
                name => {
                    return Err(format!(
                        "unexpected argument {name:?}; see `cargo xtask help`"
                    ));
                }
            }
        }
        if options.bless && options.bound != BOUND {
            return Err(format!(
                "--bless writes the numbers of bound {BOUND}; drop --bound"
            ));
        }
        if options.explain && options.test.is_none() {
            return Err("--explain needs PROTOCOL TEST".to_owned());
        }
        Ok(options)
    }

    /// Whether a model, `protocol::test`, was asked for.
    pub fn wants(&self, model: &str) -> bool {
        let (protocol, test) = model.split_once("::").unwrap_or((model, ""));
        self.protocol
            .as_deref()
            .is_none_or(|wanted| wanted == protocol)
            && self.test.as_deref().is_none_or(|wanted| wanted == test)
    }
}
