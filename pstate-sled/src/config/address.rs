//! URLs: from text to a path and a configuration.

use std::path::PathBuf;

use pstate_core::{FileUrl, ReadMode, Result, UrlOption};

use super::sled_config::{Flush, SledConfig};

const OPTIONS: [&str; 5] =
    ["flush", "cache_capacity", "busy_timeout", "read_mode", "max_value_len"];

impl SledConfig {
    /// The path and the configuration that a URL stands for: `sled:app?flush=100ms`.
    ///
    /// [`FileUrl`] says how a URL is written. These are its options, each named after the method
    /// that it calls:
    ///
    /// | option | value |
    /// |---|---|
    /// | `flush` | `every_write`, or a duration, as `100ms` or `1s` |
    /// | `cache_capacity`, `max_value_len` | bytes, as `1048576` or `1MiB` (KiB, GiB) |
    /// | `busy_timeout` | a duration, as `500ms`, `5s` or `1min` |
    /// | `read_mode` | `in_place` or `blocking` |
    ///
    /// ```
    /// use pstate_sled::SledConfig;
    ///
    /// let (path, config) = SledConfig::from_url("sled:app?cache_capacity=16MiB")?;
    /// assert_eq!(path.to_str(), Some("app"));
    /// assert_eq!(config, SledConfig::default().cache_capacity(16 << 20));
    /// # Ok::<(), pstate_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Config`](pstate_core::ErrorKind::Config) for an option that there is not, or a value that
    /// the option does not take, each by its name.
    pub fn from_url(url: &str) -> Result<(PathBuf, Self)> {
        let url = FileUrl::parse("sled", url)?;
        let config = url.options().iter().try_fold(Self::default(), with_option)?;
        Ok((PathBuf::from(url.path()), config))
    }
}

fn with_option(config: SledConfig, option: &UrlOption) -> Result<SledConfig> {
    Ok(match option.name() {
        "flush" if option.value().eq_ignore_ascii_case("every_write") => {
            config.flush(Flush::EveryWrite)
        }
        "flush" => config.flush(Flush::Every(option.duration()?)),
        "cache_capacity" => config.cache_capacity(option.bytes()?),
        "busy_timeout" => config.busy_timeout(option.duration()?),
        "read_mode" => config.read_mode(
            option.one_of(&[("in_place", ReadMode::InPlace), ("blocking", ReadMode::Blocking)])?,
        ),
        "max_value_len" => {
            config.max_value_len(usize::try_from(option.bytes()?).unwrap_or(usize::MAX))
        }
        _ => return Err(option.unknown(&OPTIONS)),
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn every_setting_has_an_option() {
        let url = "sled:app?flush=10ms&cache_capacity=1GiB&busy_timeout=1s&read_mode=blocking&\
                   max_value_len=1000";
        let (path, config) = SledConfig::from_url(url).expect("a URL");
        assert_eq!(path.to_str(), Some("app"));
        let expected = SledConfig::default()
            .flush(Flush::Every(Duration::from_millis(10)))
            .cache_capacity(1 << 30)
            .busy_timeout(Duration::from_secs(1))
            .read_mode(ReadMode::Blocking)
            .max_value_len(1000);
        assert_eq!(config, expected);
    }

    #[test]
    fn an_option_that_there_is_not_is_named_with_those_that_there_are() {
        let error = SledConfig::from_url("sled:app?mode=ro").expect_err("unknown");
        assert_eq!(
            error.to_string(),
            "unknown option `mode`; there are flush, cache_capacity, busy_timeout, read_mode, \
             max_value_len"
        );
    }
}
