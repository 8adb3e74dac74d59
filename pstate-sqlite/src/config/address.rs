//! URLs: from text to a path and a configuration.

use std::path::PathBuf;

use pstate_core::{FileUrl, ReadMode, Result, UrlOption};

use super::sqlite_config::{SqliteConfig, Synchronous, TableLayout};

const OPTIONS: [&str; 15] = [
    "mode",
    "synchronous",
    "cache_size",
    "mmap_size",
    "busy_timeout",
    "table",
    "layout",
    "readers",
    "read_mode",
    "checkpoint_interval",
    "log_limit",
    "max_value_len",
    "shared_database",
    "preset",
    "pragma.NAME",
];

impl SqliteConfig {
    /// The path and the configuration that a URL stands for:
    /// `sqlite:app.db?synchronous=normal&busy_timeout=1s`.
    ///
    /// [`FileUrl`] says how a URL is written. These are its options, each named after the method
    /// that it calls:
    ///
    /// | option | value |
    /// |---|---|
    /// | `mode` | `rwc` (default), or `rw` to refuse a file that does not exist: [`create`](Self::create) |
    /// | `preset` | `read_mostly`, `fast_writes` or `memory_constrained`; it has to be the first option |
    /// | `synchronous` | `full`, `normal` or `off` |
    /// | `cache_size`, `mmap_size`, `log_limit`, `max_value_len` | bytes, as `1048576` or `1MiB` (KiB, GiB) |
    /// | `busy_timeout` | a duration, as `500ms`, `5s` or `1min` |
    /// | `checkpoint_interval` | a duration, or `off` |
    /// | `table` | a name |
    /// | `layout` | `rowid` or `without_rowid` |
    /// | `readers` | a number |
    /// | `read_mode` | `in_place` or `blocking` |
    /// | `shared_database` | `true` or `false` |
    /// | `pragma.NAME` | a value: [`pragma`](Self::pragma) |
    ///
    /// ```
    /// use pstate_sqlite::{SqliteConfig, Synchronous};
    ///
    /// let (path, config) = SqliteConfig::from_url("sqlite:app.db?synchronous=normal&mode=rw")?;
    /// assert_eq!(path.to_str(), Some("app.db"));
    /// assert_eq!(config, SqliteConfig::default().synchronous(Synchronous::Normal).create(false));
    /// # Ok::<(), pstate_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Config`](pstate_core::ErrorKind::Config) for an option that there is not, or a value that
    /// the option does not take, each by its name.
    pub fn from_url(url: &str) -> Result<(PathBuf, Self)> {
        let url = FileUrl::parse("sqlite", url)?;
        let mut config = Self::default();
        for (at, option) in url.options().iter().enumerate() {
            config = if option.name() == "preset" {
                preset(option, at)?
            } else {
                with_option(config, option)?
            };
        }
        Ok((PathBuf::from(url.path()), config))
    }
}

fn preset(option: &UrlOption, at: usize) -> Result<SqliteConfig> {
    let preset = option.one_of::<fn() -> SqliteConfig>(&[
        ("read_mostly", SqliteConfig::read_mostly),
        ("fast_writes", SqliteConfig::fast_writes),
        ("memory_constrained", SqliteConfig::memory_constrained),
    ])?;
    // It sets what options before it have set.
    if at == 0 { Ok(preset()) } else { Err(option.refuse("has to be the first option")) }
}

fn with_option(config: SqliteConfig, option: &UrlOption) -> Result<SqliteConfig> {
    Ok(match option.name() {
        "mode" => config.create(creates(option)?),
        "synchronous" => config.synchronous(option.one_of(&[
            ("full", Synchronous::Full),
            ("normal", Synchronous::Normal),
            ("off", Synchronous::Off),
        ])?),
        "cache_size" => config.cache_size(option.bytes()?),
        "mmap_size" => config.mmap_size(option.bytes()?),
        "busy_timeout" => config.busy_timeout(option.duration()?),
        "table" => config.table(option.value()),
        "layout" => config.layout(option.one_of(&[
            ("rowid", TableLayout::Rowid),
            ("without_rowid", TableLayout::WithoutRowid),
        ])?),
        "readers" => config.readers(option.number()?),
        "read_mode" => config.read_mode(
            option.one_of(&[("in_place", ReadMode::InPlace), ("blocking", ReadMode::Blocking)])?,
        ),
        "checkpoint_interval" if option.value().eq_ignore_ascii_case("off") => {
            config.checkpoint_interval(None)
        }
        "checkpoint_interval" => config.checkpoint_interval(Some(option.duration()?)),
        "log_limit" => config.log_limit(option.bytes()?),
        "max_value_len" => {
            config.max_value_len(usize::try_from(option.bytes()?).unwrap_or(usize::MAX))
        }
        "shared_database" => config.shared_database(option.boolean()?),
        name => match name.strip_prefix("pragma.") {
            Some(pragma) => config.pragma(pragma, option.value()),
            None => return Err(option.unknown(&OPTIONS)),
        },
    })
}

/// Whether a file that does not exist is created.
fn creates(option: &UrlOption) -> Result<bool> {
    match option.value() {
        "ro" => Err(option.refuse(
            "is not supported, because PState writes to every store that it opens; read from a copy \
             that `SqliteAdapter::backup` has made, or write mode=rw",
        )),
        "memory" => Err(option.refuse("is not supported: write `memory:` as the whole URL")),
        _ => option.one_of(&[("rwc", true), ("rw", false)]),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use pstate_core::ErrorKind;

    use super::*;

    #[track_caller]
    fn refusal(options: &str) -> String {
        let error = SqliteConfig::from_url(&format!("sqlite:app.db?{options}")).expect_err(options);
        assert_eq!(error.kind(), ErrorKind::Config);
        error.to_string()
    }

    #[test]
    fn every_setting_has_an_option() {
        let url = "SQLite:app.db?mode=rw&synchronous=OFF&cache_size=1MiB&mmap_size=2GiB&\
                   busy_timeout=10ms&table=docs&layout=without_rowid&readers=3&read_mode=blocking&\
                   checkpoint_interval=2min&max_value_len=1000&shared_database=true&\
                   pragma.temp_store=memory";
        let (path, config) = SqliteConfig::from_url(url).expect("a URL");
        assert_eq!(path.to_str(), Some("app.db"));
        let expected = SqliteConfig::default()
            .create(false)
            .synchronous(Synchronous::Off)
            .cache_size(1 << 20)
            .mmap_size(2 << 30)
            .busy_timeout(Duration::from_millis(10))
            .table("docs")
            .layout(TableLayout::WithoutRowid)
            .readers(3)
            .read_mode(ReadMode::Blocking)
            .checkpoint_interval(Some(Duration::from_secs(120)))
            .max_value_len(1000)
            .shared_database(true)
            .pragma("temp_store", "memory");
        assert_eq!(config, expected);
        let (_, config) = SqliteConfig::from_url("sqlite:app.db?checkpoint_interval=off").unwrap();
        assert_eq!(config.checkpoint_interval, None);
    }

    #[test]
    fn a_preset_comes_first() {
        let (_, config) = SqliteConfig::from_url("sqlite:x?preset=fast_writes&readers=4").unwrap();
        assert_eq!(config, SqliteConfig::fast_writes().readers(4));
        assert!(refusal("readers=4&preset=fast_writes").contains("the first option"));
    }

    #[test]
    fn an_option_that_there_is_not_is_named_with_those_that_there_are() {
        let refusal = refusal("cash_size=1");
        assert!(refusal.starts_with("unknown option `cash_size`; there are mode,"), "{refusal}");
        for option in OPTIONS {
            assert!(refusal.contains(option), "{refusal}");
        }
    }

    #[test]
    fn modes_that_cannot_be_had_say_what_can() {
        assert!(refusal("mode=ro").contains("a copy that `SqliteAdapter::backup` has made"));
        assert!(refusal("mode=memory").ends_with("write `memory:` as the whole URL"));
        assert_eq!(refusal("mode=rx"), "the option `mode=rx` is not rwc or rw");
    }

    #[test]
    fn a_value_of_the_wrong_type_is_refused_by_its_name() {
        for option in
            ["synchronous=extra", "cache_size=much", "busy_timeout=5", "readers=-1", "layout=tree"]
        {
            assert!(refusal(option).contains(option));
        }
    }
}
