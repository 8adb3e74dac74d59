//! What to preload: paths of fields, with options.

use std::fmt;
use std::num::NonZeroU32;

use serde_json::Value;

use super::filter::Filter;
use super::order::Order;
use crate::document::Document;
use crate::model::{FieldName, Result};

/// How deep fields are nested at most, in text and in code.
pub(super) const MAX_NESTING: usize = 64;

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
/// | `"first card"."a.b"` | fields whose names have other characters than letters, digits, `_`, `-` and `$`, as JSON strings |
/// | `keep_going: cards` | [keep going](Preload::keep_going) |
/// | `{}` | nothing but the root |
///
/// Options stand together in one pair of parentheses, separated by commas. Without `filter` and
/// `order_by` a `limit` keeps documents from being read at all; with them all candidates are read
/// first, since their contents decide.
///
/// [`Display`](fmt::Display) writes this text, which parses to an equal preload; only a filter that
/// is a closure shows as `<closure>`, which does not parse.
///
/// # Values from elsewhere
///
/// Build a filter on a value that comes from a user in code, and do not put it into the text: a
/// quote in it would end the filter and begin another option. Whatever converts to a
/// [`serde_json::Value`] is accepted.
///
/// ```
/// use pstate_core::{Filter, Order, Path, Preload};
///
/// let (lang, least, field) = (String::from("fr\", limit: 0"), 3, "rank");
/// let cards = Path::new("cards")
///     .filter(Filter::equal("lang", lang))
///     .filter(Filter::greater_or_equal("rank", least))
///     .order_by(Order::descending(field))
///     .limit(10);
/// assert_eq!(
///     Preload::new().path(cards).to_string(),
///     r#"cards(filter: lang = "fr\", limit: 0", filter: rank >= 3, order_by: -rank, limit: 10)"#
/// );
/// ```
///
/// # Limits
///
/// A preload beyond one of these is refused with [`InvalidInput`](crate::ErrorKind::InvalidInput):
///
/// | of | at most |
/// |---|---|
/// | the text | 16,384 bytes |
/// | fields, each as often as it is written | 1,000 |
/// | fields nested in one another | 64 |
/// | levels of documents, with repeats: `a*10.b*5` has 15 | 1,000 |
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Preload {
    pub(super) paths: Vec<Path>,
    pub(super) keep_going: bool,
}

/// One field to follow, and the paths from there.
#[derive(Debug, Clone, PartialEq)]
pub struct Path {
    pub(super) field: String,
    pub(super) depth: NonZeroU32,
    pub(super) options: Options,
    pub(super) paths: Vec<Path>,
    /// How many fields are nested in one another, this one included: at most [`MAX_NESTING`], so
    /// that whatever recurses into a path has stack enough, its `drop` included.
    height: usize,
    /// Whether a path was left out because it is nested too deep; then the preload is refused.
    pub(super) too_deep: bool,
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

    /// Whether both find the same, if everything can be read.
    pub(crate) fn has_paths_of(&self, other: &Self) -> bool {
        self.paths == other.paths
    }

    /// Whether a closure decides which documents are followed.
    pub(crate) fn has_closures(&self) -> bool {
        self.paths.iter().any(Path::has_closures)
    }

    /// What cannot be read no longer fails the preload: it is listed in
    /// [`Loaded::failures`](super::Loaded::failures), and the rest is followed.
    ///
    /// So are a document, a field without references, a malformed reference in a collection, and a
    /// candidate that cannot be filtered or ordered.
    pub fn keep_going(mut self) -> Self {
        self.keep_going = true;
        self
    }
}

impl Path {
    /// Follows the field of this name, whatever characters it has.
    pub fn new(field: impl Into<String>) -> Self {
        Self {
            field: field.into(),
            depth: NonZeroU32::MIN,
            options: Options::default(),
            paths: Vec::new(),
            height: 1,
            too_deep: false,
        }
    }

    /// Follows one more field of the documents that this one leads to.
    ///
    /// A path nested more than 64 deep is left out, and a preload with such a path is refused.
    pub fn path(mut self, path: impl Into<Path>) -> Self {
        let path = path.into();
        if path.height == MAX_NESTING {
            self.too_deep = true;
        } else {
            self.height = self.height.max(path.height + 1);
            self.paths.push(path);
        }
        self
    }

    /// At most so many references of each document, instead of an earlier limit.
    pub fn limit(mut self, limit: usize) -> Self {
        self.options.limit = Some(limit);
        self
    }

    /// Only documents for which this holds; all filters must.
    pub fn filter(mut self, filter: Filter) -> Self {
        self.options.filters.push(filter);
        self
    }

    /// In this order, instead of an earlier one.
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

    /// Recurses at most [`MAX_NESTING`] deep.
    fn has_closures(&self) -> bool {
        self.options.filters.iter().any(Filter::is_closure)
            || self.paths.iter().any(Self::has_closures)
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

    /// What orders a document, if all filters hold for it.
    pub(super) fn examine<'a>(&self, document: &'a Document) -> Result<Option<&'a Value>> {
        for filter in &self.filters {
            if !filter.holds(document)? {
                return Ok(None);
            }
        }
        self.order.as_ref().map_or(Ok(&Value::Null), |order| order.value(document)).map(Some)
    }
}

impl From<&str> for Path {
    /// A field of this name; unlike in [`Preload::from_str`](std::str::FromStr), the text is not
    /// parsed.
    fn from(field: &str) -> Self {
        Self::new(field)
    }
}

impl From<String> for Path {
    /// A field of this name, like for `&str`.
    fn from(field: String) -> Self {
        Self::new(field)
    }
}

impl From<&Preload> for Preload {
    fn from(preload: &Preload) -> Self {
        preload.clone()
    }
}

impl fmt::Display for Preload {
    /// The text of the preload; see [Syntax](Preload#syntax).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.keep_going {
            f.write_str("keep_going: ")?;
        }
        if self.paths.is_empty() {
            return f.write_str("{}");
        }
        write_list(f, &self.paths)
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", FieldName(&self.field))?;
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
        options.extend(self.order.as_ref().map(|order| format!("order_by: {order}")));
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
