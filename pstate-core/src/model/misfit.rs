//! Why a document does not have the shape of a type, without a word of its contents.

use std::fmt::{self, Write};

use serde::de::{self, Expected, Unexpected};

/// How deep the values of a document may be nested: what `serde_json` allows.
pub(super) const MAX_DEPTH: usize = 127;

/// Why a value does not fit.
#[derive(Debug)]
pub(super) struct Misfit {
    /// From the innermost member to the outermost.
    path: Vec<Segment>,
    problem: Problem,
}

#[derive(Debug)]
pub(super) enum Segment {
    /// A member or a variant that the type names.
    Named(&'static str),
    /// A member that only the document names.
    Unnamed,
    Item(usize),
}

/// What is wrong. The texts come from the program's types.
#[derive(Debug)]
pub(super) enum Problem {
    Type {
        expected: String,
        found: &'static str,
    },
    Value {
        expected: String,
        found: &'static str,
    },
    Length {
        expected: String,
    },
    TooLong,
    UnknownVariant {
        variants: &'static [&'static str],
    },
    UnknownMember {
        members: &'static [&'static str],
    },
    Missing(&'static str),
    Repeated(&'static str),
    NoVariantFits,
    TooDeep,
    /// A message of the type's own, which may quote the document.
    Other,
}

impl From<Problem> for Misfit {
    fn from(problem: Problem) -> Self {
        Self { path: Vec::new(), problem }
    }
}

impl Misfit {
    pub(super) fn within(mut self, segment: Segment) -> Self {
        self.path.push(segment);
        self
    }
}

impl de::Error for Misfit {
    fn custom<T: fmt::Display>(message: T) -> Self {
        // What serde's derived code says of an untagged enum; the rest of it is dropped, too.
        let untagged = "data did not match any variant of untagged enum";
        if message.to_string().starts_with(untagged) {
            Problem::NoVariantFits.into()
        } else {
            Problem::Other.into()
        }
    }

    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Problem::Type { expected: expected.to_string(), found: kind(found) }.into()
    }

    fn invalid_value(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Problem::Value { expected: expected.to_string(), found: kind(found) }.into()
    }

    fn invalid_length(_: usize, expected: &dyn Expected) -> Self {
        Problem::Length { expected: expected.to_string() }.into()
    }

    fn unknown_variant(_: &str, variants: &'static [&'static str]) -> Self {
        Problem::UnknownVariant { variants }.into()
    }

    fn unknown_field(_: &str, members: &'static [&'static str]) -> Self {
        Problem::UnknownMember { members }.into()
    }

    fn missing_field(member: &'static str) -> Self {
        Problem::Missing(member).into()
    }

    fn duplicate_field(member: &'static str) -> Self {
        Problem::Repeated(member).into()
    }
}

fn kind(found: Unexpected<'_>) -> &'static str {
    match found {
        Unexpected::Bool(_) => "boolean",
        Unexpected::Unsigned(_) | Unexpected::Signed(_) => "integer",
        // 1.5, 1e3, 2^70.
        Unexpected::Float(_) => "number other than a 64-bit integer",
        Unexpected::Char(_) | Unexpected::Str(_) => "string",
        Unexpected::Unit | Unexpected::Option => "null",
        Unexpected::Bytes(_) | Unexpected::Seq => "array",
        Unexpected::Map | Unexpected::StructVariant => "object",
        _ => "value",
    }
}

impl std::error::Error for Misfit {}

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.path.is_empty() {
            f.write_str("member `")?;
            for (number, segment) in self.path.iter().rev().enumerate() {
                match segment {
                    Segment::Item(at) => write!(f, "[{at}]")?,
                    _ if number > 0 => f.write_char('.')?,
                    _ => {}
                }
                match segment {
                    Segment::Named(name) => f.write_str(name)?,
                    Segment::Unnamed => f.write_char('*')?,
                    Segment::Item(_) => {}
                }
            }
            f.write_str("`: ")?;
        }
        write!(f, "{}", self.problem)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Type { expected, found: "null" } => write!(f, "expected {expected}, found null"),
            Self::Type { expected, found } => {
                let article = if found.starts_with(['a', 'i', 'o']) { "an" } else { "a" };
                write!(f, "expected {expected}, found {article} {found}")
            }
            Self::Value { expected, found } => {
                write!(f, "expected {expected}, and the {found} there is none")
            }
            Self::Length { expected } => write!(f, "expected {expected}, found another length"),
            Self::TooLong => f.write_str("an array or object longer than what the type reads"),
            Self::UnknownVariant { variants } => {
                write!(f, "expected {}, found another variant", Names(variants))
            }
            Self::UnknownMember { members } => {
                write!(f, "a member that the type does not have; it has {}", Names(members))
            }
            Self::Missing(member) => write!(f, "member `{member}` is missing"),
            Self::Repeated(member) => write!(f, "member `{member}` is there twice"),
            Self::NoVariantFits => f.write_str("it fits no variant of an untagged enum"),
            Self::TooDeep => write!(f, "nested more than {MAX_DEPTH} levels deep"),
            Self::Other => f.write_str("the type refuses the value"),
        }
    }
}

/// Names that a type declares, as a list.
struct Names(&'static [&'static str]);

impl fmt::Display for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some((last, others)) = self.0.split_last() else { return f.write_str("none") };
        for (number, name) in others.iter().enumerate() {
            let end = if number + 1 < others.len() { ", " } else { " or " };
            write!(f, "`{name}`{end}")?;
        }
        write!(f, "`{last}`")
    }
}
