//! What to preload: paths of fields, with options.

use std::fmt;
use std::num::NonZeroU32;

use super::filter::Filter;
use super::order::Order;

/// How deep `field*` goes if no depth is given.
const DEFAULT_DEPTH: NonZeroU32 = NonZeroU32::new(16).unwrap();

/// Which references of a document are followed, and which of theirs in turn.
///
/// Written as text or built in code:
///
/// ```
/// use pstate_core::{Path, Preload};
///
/// let text: Preload = "cards(limit: 10).translations, owner".parse()?;
/// let code = Preload::new()
///     .path(Path::new("cards").limit(10).path("translations"))
///     .path("owner");
/// assert_eq!(text.to_string(), code.to_string());
/// # Ok::<(), pstate_core::Error>(())
/// ```
///
/// # Syntax
///
/// | text | meaning |
/// |---|---|
/// | `cards` | follow the references in the field `cards` |
/// | `cards.translations` | and in each of those documents the field `translations` |
/// | `cards, owner` | both fields |
/// | `cards.{translations, owner}` | both fields of each card |
/// | `parent*`, `parent*5` | `parent`, its `parent`, and so on: at most 16 deep, or 5 |
/// | `cards(limit: 10)` | at most 10 cards *of each document* |
/// | `cards(order_by: rank)`, `(order_by: -rank)` | ordered by a field, or in descending order |
/// | `cards(filter: rank > 3)` | only cards for which it holds: `=`, `!=`, `<`, `<=`, `>`, `>=` and a JSON scalar; several filters must all hold |
///
/// Options stand together in one pair of parentheses, separated by commas. Without `filter` and
/// `order_by` a `limit` keeps documents from being read at all; with them all candidates are read
/// first, since their contents decide.
#[derive(Debug, Clone, Default)]
pub struct Preload {
    pub(super) paths: Vec<Path>,
    pub(super) keep_going: bool,
}

/// One field to follow, and the paths from there.
#[derive(Debug, Clone)]
pub struct Path {
    pub(super) field: String,
    pub(super) depth: NonZeroU32,
    pub(super) options: Options,
    pub(super) paths: Vec<Path>,
}

/// Which of a document's references are followed.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Options {
    pub(super) limit: Option<usize>,
    pub(super) filters: Vec<Filter>,
    pub(super) order: Option<Order>,
}

impl Preload {
    /// Nothing but the root.
    pub fn new() -> Self {
        Self::default()
    }

    /// Follows one more field of the root.
    pub fn path(mut self, path: impl Into<Path>) -> Self {
        self.paths.push(path.into());
        self
    }

    /// A document that cannot be read no longer fails the preload: it is listed in
    /// [`Loaded::failures`](super::Loaded::failures) and not followed.
    pub fn keep_going(mut self) -> Self {
        self.keep_going = true;
        self
    }
}

impl Path {
    /// Follows this field.
    pub fn new(field: &str) -> Self {
        Self {
            field: field.to_owned(),
            depth: NonZeroU32::MIN,
            options: Options::default(),
            paths: Vec::new(),
        }
    }

    /// Follows one more field of the documents that this one leads to.
    pub fn path(mut self, path: impl Into<Path>) -> Self {
        self.paths.push(path.into());
        self
    }

    /// At most so many references of each document.
    pub fn limit(mut self, limit: usize) -> Self {
        self.options.limit = Some(limit);
        self
    }

    /// Only documents for which this holds; all filters must.
    pub fn filter(mut self, filter: Filter) -> Self {
        self.options.filters.push(filter);
        self
    }

    /// In this order.
    pub fn order_by(mut self, order: Order) -> Self {
        self.options.order = Some(order);
        self
    }

    /// Follows the same field in the documents it leads to, and so on, `depth` times in all; 0 is
    /// taken as 1. Cycles end it sooner.
    pub fn repeat(mut self, depth: u32) -> Self {
        self.depth = NonZeroU32::new(depth).unwrap_or(NonZeroU32::MIN);
        self
    }

    pub(super) fn repeat_default(mut self) -> Self {
        self.depth = DEFAULT_DEPTH;
        self
    }
}

impl Options {
    /// Whether the contents of the documents decide which of them are followed.
    pub(super) fn look_inside(&self) -> bool {
        !self.filters.is_empty() || self.order.is_some()
    }
}

impl From<&str> for Path {
    /// A field of this name; unlike in [`Preload::from_str`](std::str::FromStr), the text is not
    /// parsed.
    fn from(field: &str) -> Self {
        Self::new(field)
    }
}

impl From<&Preload> for Preload {
    fn from(preload: &Preload) -> Self {
        preload.clone()
    }
}

impl fmt::Display for Preload {
    /// The dotted form. A filter made of a closure shows as `<closure>`, which is not parsed back.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_list(f, &self.paths)
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.field)?;
        if self.depth > NonZeroU32::MIN {
            write!(f, "*{}", self.depth)?;
        }
        write!(f, "{}", self.options)?;
        match self.paths.as_slice() {
            [] => Ok(()),
            [one] => write!(f, ".{one}"),
            several => {
                f.write_str(".{")?;
                write_list(f, several)?;
                f.write_str("}")
            }
        }
    }
}

impl fmt::Display for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut options = Vec::new();
        options.extend(self.filters.iter().map(|filter| format!("filter: {filter}")));
        options.extend(self.order.as_ref().map(|Order { field, descending }| {
            format!("order_by: {}{field}", if *descending { "-" } else { "" })
        }));
        options.extend(self.limit.map(|limit| format!("limit: {limit}")));
        if options.is_empty() {
            return Ok(());
        }
        write!(f, "({})", options.join(", "))
    }
}

fn write_list(f: &mut fmt::Formatter<'_>, paths: &[Path]) -> fmt::Result {
    for (at, path) in paths.iter().enumerate() {
        if at > 0 {
            f.write_str(", ")?;
        }
        write!(f, "{path}")?;
    }
    Ok(())
}
