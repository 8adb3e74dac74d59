//! Entity types: a version, fields, and the steps between versions.

use std::fmt;

use super::field::Field;
use super::patterns;
use super::step::{Step, StepError};
use crate::model::key::{MAX_TYPE_LEN, is_entity_type};
use crate::model::{Error, Object, REF_MEMBER, Result, VERSION_MEMBER};

/// One declared entity type.
#[derive(Clone)]
pub struct Entity {
    name: String,
    version: u32,
    fields: Vec<Field>,
    up: Vec<Step>,
    down: Vec<Step>,
}

impl Entity {
    /// An entity type whose documents are written at `version`, which counts from 1.
    pub fn new(name: &str, version: u32) -> Self {
        Self {
            name: name.to_owned(),
            version,
            fields: Vec::new(),
            up: Vec::new(),
            down: Vec::new(),
        }
    }

    /// Declares a field. Members that are not declared are kept and not checked.
    ///
    /// [`Schema::new`](crate::Schema::new) refuses the names `""`, `"$v"` and `"$ref"`, and a
    /// reference whose target is most likely a misspelled type.
    pub fn field(mut self, field: Field) -> Self {
        let by_value = field.migration_type().is_none_or(patterns::looks_at_its_value);
        self.fields.push(field.migrating_by_value(by_value));
        self
    }

    /// A step that brings a whole document from version `from` to the next one, `to`.
    ///
    /// Steps run in order, starting at the document's version, before the migrations of fields.
    /// They must lead without a gap to the entity's version; the oldest ones may be dropped once
    /// no such documents are left, and documents older than the oldest kept step are then refused.
    /// Version 0 is a document without `$v`; without a step from 0 it is taken as version 1.
    ///
    /// A step works on its document alone. It must not wait for a call of a handle, which could
    /// wait for the step in turn: two old documents whose steps read each other would never be
    /// read. On the thread of the step such a call fails with
    /// a [`Schema`](crate::ErrorKind::Schema) error, unless it finds its document in the cache. The
    /// same is true of down-steps and migrations of fields.
    pub fn step(
        mut self,
        from: u32,
        to: u32,
        run: impl Fn(&mut Object) -> Result<(), StepError> + Send + Sync + 'static,
    ) -> Self {
        let member_step = patterns::member_step(&run);
        self.up.push(Step::new(from, to, run, member_step));
        self
    }

    /// A step that shows a document of the newer version `from` as one of `to`, one below.
    ///
    /// With these a program that was rolled back reads what its successor wrote. The documents
    /// are not written back.
    pub fn down(
        mut self,
        from: u32,
        to: u32,
        run: impl Fn(&mut Object) -> Result<(), StepError> + Send + Sync + 'static,
    ) -> Self {
        self.down.push(Step::new(from, to, run, None));
        self
    }

    /// The name of the type.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The version that documents are written at.
    pub fn version(&self) -> u32 {
        self.version
    }

    /// The declared fields.
    pub fn fields(&self) -> &[Field] {
        &self.fields
    }

    /// The same fields without steps: what runs on a document of any older version.
    pub(crate) fn without_steps(&self) -> Self {
        Self { up: Vec::new(), down: Vec::new(), ..self.clone() }
    }

    /// The steps from `version` up to the current one; `None` if the first are not kept.
    pub(crate) fn steps_up(&self, version: u32) -> Option<&[Step]> {
        let oldest = self.up.first().map_or(self.version, |step| step.from);
        // A document from before the schema has the first shape, unless a step says otherwise.
        let start = if version == 0 && oldest > 0 { 1 } else { version };
        match self.up.iter().position(|step| step.from == start) {
            Some(at) => Some(&self.up[at..]),
            None if self.up.is_empty() => Some(&[]),
            None => None,
        }
    }

    /// The oldest version that can still be read.
    pub fn oldest_kept(&self) -> u32 {
        self.up.first().map_or(0, |step| step.from)
    }

    /// The steps from the newer `version` down to the current one; `None` if there is a gap.
    pub(crate) fn steps_down(&self, version: u32) -> Option<&[Step]> {
        let at = self.down.iter().position(|step| step.from == version)?;
        Some(&self.down[at..])
    }

    /// Checks the declaration and puts the steps in order.
    pub(crate) fn validated(mut self) -> Result<Self> {
        let name = &self.name;
        check_type_name(name, || "a schema's entity type".to_owned())?;
        if self.version == 0 {
            return Err(Error::schema(format!(
                "entity type `{name}`: versions count from 1; 0 is a document without {VERSION_MEMBER}"
            )));
        }
        for (at, field) in self.fields.iter().enumerate() {
            let place = || format!("entity type `{name}`, field `{}`", field.name());
            let problem = match field.name() {
                "" => Some("a field needs a name"),
                VERSION_MEMBER => Some("the name is reserved for the version"),
                REF_MEMBER => Some("the name is reserved: a document with it reads as a reference"),
                _ => None,
            };
            if let Some(problem) = problem {
                return Err(Error::schema(format!("{}: {problem}", place())));
            }
            if self.fields[..at].iter().any(|other| other.name() == field.name()) {
                return Err(Error::schema(format!("{} is declared twice", place())));
            }
            if let Some(target) = field.field_type().target() {
                check_type_name(target, place)?;
            }
        }
        self.up.sort_by_key(|step| step.from);
        self.down.sort_by_key(|step| std::cmp::Reverse(step.from));
        check_steps(name, self.version, &self.up, Direction::Up)?;
        check_steps(name, self.version, &self.down, Direction::Down)?;
        Ok(self)
    }
}

/// Refuses a malformed entity type, saying where it was declared.
fn check_type_name(name: &str, declared: impl FnOnce() -> String) -> Result<()> {
    if is_entity_type(name) {
        return Ok(());
    }
    Err(Error::schema(format!(
        "{}: {name:?} is no entity type; a type matches [a-z][a-z0-9_]* and has at most {} bytes",
        declared(),
        MAX_TYPE_LEN,
    )))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Direction {
    Up,
    Down,
}

impl Direction {
    fn after(self, version: u32) -> Option<u32> {
        match self {
            Self::Up => version.checked_add(1),
            Self::Down => version.checked_sub(1),
        }
    }
}

/// Each step leads to the next version, no two begin at the same, and together they lead to the
/// current version without a gap.
fn check_steps(name: &str, version: u32, steps: &[Step], direction: Direction) -> Result<()> {
    let refuse = |why: String| Err(Error::schema(format!("entity type `{name}`: {why}")));
    for step in steps {
        let (from, to) = (step.from, step.to);
        if direction.after(from) != Some(to) {
            return refuse(match (direction, to <= from) {
                (Direction::Up, true) => format!(
                    "step {from} -> {to} goes back, which makes a cycle; \
                     steps go from n to n + 1, the way back is `down`"
                ),
                (Direction::Up, false) => {
                    format!("step {from} -> {to} skips versions; steps go from n to n + 1")
                }
                (Direction::Down, _) => {
                    format!("down-step {from} -> {to}; down-steps go from n to n - 1")
                }
            });
        }
    }
    for pair in steps.windows(2) {
        if pair[0].from == pair[1].from {
            return refuse(format!("two steps from version {}", pair[0].from));
        }
        if pair[0].to != pair[1].from {
            return refuse(format!(
                "no step from version {} to {}",
                pair[0].to,
                direction.after(pair[0].to).unwrap_or_default()
            ));
        }
    }
    match steps.last() {
        Some(last) if last.to != version => refuse(match (direction, last.to < version) {
            (Direction::Up, true) => {
                format!(
                    "no step from version {} to {} (the current one is {version})",
                    last.to,
                    last.to + 1
                )
            }
            (Direction::Up, false) | (Direction::Down, true) => {
                format!(
                    "step {} -> {} lies beyond the current version {version}",
                    last.from, last.to
                )
            }
            (Direction::Down, false) => {
                format!("no down-step from version {} to {}", last.to, last.to - 1)
            }
        }),
        _ => Ok(()),
    }
}

impl fmt::Debug for Entity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let steps = |steps: &[Step]| -> Vec<String> {
            steps.iter().map(|step| format!("{} -> {}", step.from, step.to)).collect()
        };
        f.debug_struct("Entity")
            .field("name", &self.name)
            .field("version", &self.version)
            .field("fields", &self.fields)
            .field("steps", &steps(&self.up))
            .field("down", &steps(&self.down))
            .finish()
    }
}
