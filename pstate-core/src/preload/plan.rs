//! Planning a preload: which fields are followed, from which documents.

use std::collections::{BTreeMap, HashMap};
use std::fmt::{self, Write};
use std::iter::successors;
use std::num::NonZeroU32;
use std::sync::Arc;

use foldhash::fast::RandomState;

use super::filter::Filter;
use super::spec::{MAX_NESTING, Options, Path, Preload};
use crate::model::{Error, Excerpt, FieldName, Key, Result};

/// How many fields a preload has at most.
const MAX_FIELDS: usize = 1_000;

/// How many levels of documents a preload has at most, repeats included.
const MAX_LEVELS: u32 = 1_000;

/// A preload in which each field of a document is followed once. Steps refer to each other by
/// their index.
#[derive(Debug)]
pub(crate) struct Plan {
    /// Each after the step that leads to it.
    pub(super) steps: Arc<[Step]>,
    pub(super) roots: Vec<usize>,
    pub(super) keep_going: bool,
}

#[derive(Debug)]
pub(super) struct Step {
    pub(super) field: String,
    pub(super) depth: NonZeroU32,
    pub(super) options: Options,
    /// The step that leads to the documents whose field this is; the root if it is `None`.
    pub(super) from: Option<usize>,
    /// The first step that follows the same field with the same options. Of one document, both
    /// choose the same references.
    pub(super) choice: usize,
    pub(super) next: Vec<usize>,
}

impl Plan {
    /// # Errors
    /// [`InvalidInput`](crate::ErrorKind::InvalidInput) if a field is asked for twice with
    /// different options, a filter compares with no scalar, or the preload is beyond its
    /// [limits](Preload#limits).
    pub(crate) fn new(preload: &Preload) -> Result<Self> {
        let mut planning = Planning::default();
        planning.add(&preload.paths, None, 0)?;
        let Planning { steps, roots, .. } = planning;
        Ok(Self { steps: steps.into(), roots, keep_going: preload.keep_going })
    }

    /// What the plan does, in words.
    pub(crate) fn explain(&self, root: &Key, max_batch: Option<usize>) -> Explanation {
        let mut paths: Vec<ExplainedPath> = Vec::with_capacity(self.steps.len());
        for (at, step) in self.steps.iter().enumerate() {
            let depth = usize::try_from(step.depth.get()).unwrap_or(usize::MAX);
            // A repeated field leads to itself and on, from each of its levels alike.
            let (first, last) = match step.from {
                None => (1, depth),
                Some(from) => (paths[from].first + 1, paths[from].last + depth),
            };
            let mut text = path_text(&self.steps, at, "*");
            _ = write!(text, "{}", step.options);
            paths.push(ExplainedPath { text, first, last });
        }
        Explanation { root: root.clone(), paths, max_batch }
    }
}

/// The fields from the root to a step, separated by dots, with a mark after those that repeat.
pub(super) fn path_text(steps: &[Step], at: usize, repeats: &str) -> String {
    let mut text = String::new();
    push_path(&mut text, steps, at, repeats);
    text
}

/// Recurses as deep as fields are nested.
fn push_path(text: &mut String, steps: &[Step], at: usize, repeats: &str) {
    let Step { field, depth, from, .. } = &steps[at];
    if let Some(from) = *from {
        push_path(text, steps, from, repeats);
        text.push('.');
    }
    _ = write!(text, "{}", FieldName(field));
    if *depth > NonZeroU32::MIN {
        text.push_str(repeats);
    }
}

/// A plan that is being made.
#[derive(Default)]
struct Planning<'a> {
    steps: Vec<Step>,
    roots: Vec<usize>,
    /// The step for each field of the documents that a step leads to.
    known: HashMap<(Option<usize>, &'a str), usize, RandomState>,
    /// The last step for a field that chooses differently from those before.
    choices: HashMap<&'a str, usize, RandomState>,
    /// For each step, the last such step for its field before it.
    earlier: Vec<Option<usize>>,
    /// How many fields were asked for.
    fields: usize,
}

impl<'a> Planning<'a> {
    /// Adds paths from the documents that a step leads to, which are so many levels below the root;
    /// those with the same field become one step. Recurses at most [`MAX_NESTING`] deep.
    fn add(&mut self, paths: &'a [Path], from: Option<usize>, levels: u32) -> Result<()> {
        for path in paths {
            self.fields += 1;
            if self.fields > MAX_FIELDS {
                return Err(Error::invalid_input(format!(
                    "more than {MAX_FIELDS} fields, the most that a preload may have"
                )));
            }
            let at = match self.known.get(&(from, path.field.as_str())) {
                None => self.push(path, from),
                Some(&at) => {
                    let step = &self.steps[at];
                    if (step.depth, &step.options) != (path.depth, &path.options) {
                        return Err(self.refuse(at, "is asked for twice with different options"));
                    }
                    at
                }
            };
            let levels = levels.saturating_add(path.depth.get());
            if levels > MAX_LEVELS {
                let why = format!("leads {levels} levels deep, at most {MAX_LEVELS} are allowed");
                return Err(self.refuse(at, &why));
            }
            if path.too_deep {
                let why = format!("leads on too far: fields are nested at most {MAX_NESTING} deep");
                return Err(self.refuse(at, &why));
            }
            if let Some(why) = path.options.filters.iter().find_map(Filter::problem) {
                return Err(self.refuse(at, &why));
            }
            self.add(&path.paths, Some(at), levels)?;
        }
        Ok(())
    }

    fn push(&mut self, path: &'a Path, from: Option<usize>) -> usize {
        let at = self.steps.len();
        let field = path.field.as_str();
        self.known.insert((from, field), at);
        let last = self.choices.get(field).copied();
        let same = successors(last, |&choice| self.earlier[choice])
            .find(|&choice| self.steps[choice].options == path.options);
        if same.is_none() {
            self.choices.insert(field, at);
        }
        self.earlier.push(last);
        self.steps.push(Step {
            field: path.field.clone(),
            depth: path.depth,
            options: path.options.clone(),
            from,
            choice: same.unwrap_or(at),
            next: Vec::new(),
        });
        match from {
            None => self.roots.push(at),
            Some(from) => self.steps[from].next.push(at),
        }
        at
    }

    fn refuse(&self, at: usize, why: &str) -> Error {
        let path = path_text(&self.steps, at, "");
        Error::invalid_input(format!("`{}` {why}", Excerpt(&path)))
    }
}

/// What a preload would do; made by [`PState::explain`](crate::PState::explain).
///
/// [`Display`](fmt::Display) lists the reads with the paths that each follows; paths that repeat
/// are listed once, with all of their reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    root: Key,
    paths: Vec<ExplainedPath>,
    max_batch: Option<usize>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct ExplainedPath {
    text: String,
    /// The levels at which it is followed, counted from 1.
    first: usize,
    last: usize,
}

impl Explanation {
    /// The paths that are followed at each level below the root.
    pub fn levels(&self) -> impl ExactSizeIterator<Item = Vec<&str>> {
        (1..self.max_reads()).map(|level| {
            let followed = |path: &&ExplainedPath| (path.first..=path.last).contains(&level);
            self.paths.iter().filter(followed).map(|path| path.text.as_str()).collect()
        })
    }

    /// How many reads it takes at most, with levels of at most `max_batch` keys.
    pub fn max_reads(&self) -> usize {
        self.paths.iter().map(|path| path.last).max().unwrap_or(0) + 1
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "read 1: {}", self.root)?;
        let mut reads: BTreeMap<(usize, usize), Vec<&str>> = BTreeMap::new();
        for path in &self.paths {
            reads.entry((path.first + 1, path.last + 1)).or_default().push(&path.text);
        }
        for ((first, last), paths) in reads {
            match last - first {
                0 => write!(f, "read {first}: ")?,
                _ => write!(f, "reads {first} to {last}: ")?,
            }
            writeln!(f, "{}", paths.join(", "))?;
        }
        write!(f, "at most {} reads of what is not cached", self.max_reads())?;
        match self.max_batch {
            None => Ok(()),
            Some(max) => write!(f, ", one more for each further {max} keys of a level"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn explain(text: &str) -> Explanation {
        Plan::new(&text.parse().unwrap()).unwrap().explain(&"deck:es".parse().unwrap(), None)
    }

    #[track_caller]
    fn refused(preload: &Preload) -> String {
        let error = Plan::new(preload).unwrap_err();
        assert!(error.to_string().len() < 200, "{error}");
        error.to_string()
    }

    #[test]
    fn a_repeated_field_leads_on_from_each_of_its_levels() {
        let explanation = explain("parent*3.{owner, \"a b\"*2}, cards(limit: 2)");
        let levels: Vec<String> = explanation.levels().map(|paths| paths.join(", ")).collect();
        assert_eq!(
            levels,
            [
                "parent*, cards(limit: 2)",
                "parent*, parent*.owner, parent*.\"a b\"*",
                "parent*, parent*.owner, parent*.\"a b\"*",
                "parent*.owner, parent*.\"a b\"*",
                "parent*.\"a b\"*",
            ]
        );
        assert_eq!(
            explanation.to_string(),
            "read 1: deck:es\n\
             read 2: cards(limit: 2)\n\
             reads 2 to 4: parent*\n\
             reads 3 to 5: parent*.owner\n\
             reads 3 to 6: parent*.\"a b\"*\n\
             at most 6 reads of what is not cached"
        );
    }

    #[test]
    fn repeats_add_up_to_at_most_1_000_levels_and_are_explained_in_few_words() {
        assert_eq!(explain("a*500.b*499.c").max_reads(), 1_001);
        let chain = ["a*15"; 64].join(".");
        let explanation = explain(&chain);
        assert_eq!((explanation.levels().len(), explanation.max_reads()), (960, 961));
        assert!(explanation.to_string().len() < 20_000);

        let refused = |text: &str| refused(&text.parse().unwrap());
        let levels = "levels deep, at most 1000 are allowed";
        assert_eq!(refused("a*1001"), format!("`a` leads 1001 {levels}"));
        assert_eq!(refused("a*500.b*500.c"), format!("`a.b.c` leads 1001 {levels}"));
        let most = u32::MAX;
        assert_eq!(refused(&format!("a*9.b*{most}")), format!("`a.b` leads {most} {levels}"));
        assert!(refused(&["a*1000"; 10].join(".")).ends_with(levels));
    }

    #[test]
    fn at_most_1_000_fields_are_followed() {
        let siblings = |count: usize| {
            (0..count).fold(Preload::new(), |preload, at| preload.path(format!("field{at}")))
        };
        assert_eq!(Plan::new(&siblings(1_000)).unwrap().roots.len(), 1_000);
        let expected = "more than 1000 fields, the most that a preload may have";
        assert_eq!(refused(&siblings(20_000)), expected);
        let same = (0..20_000).fold(Preload::new(), |preload, _| preload.path("cards"));
        assert_eq!(refused(&same), expected);
    }

    #[test]
    fn paths_nested_too_deep_in_code_are_refused_and_never_exhaust_the_stack() {
        let nested = |depth: usize| {
            let inner = Path::new("a");
            (1..depth).fold(inner, |inner, _| Path::new("a").path(inner))
        };
        assert_eq!(Plan::new(&Preload::new().path(nested(64))).unwrap().steps.len(), 64);
        for depth in [65, 10_000, 1_000_000] {
            let preload = Preload::new().path(nested(depth));
            assert_eq!(preload.clone(), preload);
            assert!(preload.to_string().len() < 1_000);
            let why = "leads on too far: fields are nested at most 64 deep";
            assert!(refused(&preload).ends_with(why));
        }
    }

    #[test]
    fn messages_name_the_path_and_repeat_the_beginning_of_long_names() {
        let refused = |text: &str| refused(&text.parse().unwrap());
        let twice = "is asked for twice with different options";
        assert_eq!(refused("a.b, a.b(limit: 1)"), format!("`a.b` {twice}"));
        let long = "x".repeat(8_000);
        let beginning = "x".repeat(80);
        assert_eq!(refused(&format!("{long}, {long}*2")), format!("`{beginning}..` {twice}"));
    }

    #[test]
    fn a_filter_compares_with_a_scalar() {
        let cards = Path::new("cards").filter(Filter::equal("tags", vec!["a"]));
        assert_eq!(
            refused(&Preload::new().path(Path::new("deck").path(cards))),
            "`deck.cards` has a filter that compares `tags` with an array: use a string, a number, \
             a boolean or null"
        );
    }
}
