use super::action::{Action, Cell, Expectation, Value};

/// The values of the cells of a component.
pub(super) type State = Vec<Option<Value>>;

/// A condition on the content of one cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Test {
    /// The cell holds exactly this.
    Exactly(Option<Value>),
    /// The cell holds anything but this.
    Except(Option<Value>),
    /// Impossible.
    Never,
}

impl Test {
    /// The test that an expectation held, or did not hold; `None` if the test always passes.
    fn of(expectation: Expectation, held: bool) -> Option<Self> {
        Some(match (expectation, held) {
            (Expectation::Any, true) | (Expectation::Never, false) => return None,
            (Expectation::Any, false) | (Expectation::Never, true) => Self::Never,
            (Expectation::Absent, true) => Self::Exactly(None),
            (Expectation::Absent, false) => Self::Except(None),
            (Expectation::Is(value), true) => Self::Exactly(Some(value)),
            (Expectation::Is(value), false) => Self::Except(Some(value)),
        })
    }

    pub(super) fn holds(self, content: Option<Value>) -> bool {
        match self {
            Self::Exactly(expected) => content == expected,
            Self::Except(excluded) => content != excluded,
            Self::Never => false,
        }
    }

    /// Whether some content passes both tests.
    fn compatible(self, other: Self) -> bool {
        match (self, other) {
            (Self::Exactly(content), test) | (test, Self::Exactly(content)) => test.holds(content),
            (Self::Except(_), Self::Except(_)) => true,
            (Self::Never, _) | (_, Self::Never) => false,
        }
    }
}

/// The effect of a call: tests of cells, and writes that follow if all tests pass.
///
/// Calls that take effect in direct succession compose to one transition: see
/// [`after`](Self::after).
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(super) struct Transition {
    /// Ascending, without duplicates; a cell may have several tests.
    pub(super) tests: Vec<(usize, Test)>,
    /// Ascending, at most one write for each cell.
    pub(super) writes: Vec<(usize, Option<Value>)>,
}

impl Transition {
    fn new(mut tests: Vec<(usize, Test)>, mut writes: Vec<(usize, Option<Value>)>) -> Self {
        tests.sort_unstable();
        tests.dedup();
        writes.sort_unstable();
        Self { tests, writes }
    }

    /// The same transition with other numbers for the cells.
    pub(super) fn renumbered(&self, number: impl Fn(usize) -> usize) -> Self {
        Self::new(
            self.tests.iter().map(|&(cell, test)| (number(cell), test)).collect(),
            self.writes.iter().map(|&(cell, content)| (number(cell), content)).collect(),
        )
    }

    pub(super) fn cells(&self) -> impl Iterator<Item = usize> {
        self.tests.iter().map(|&(cell, _)| cell).chain(self.writes.iter().map(|&(cell, _)| cell))
    }

    pub(super) fn tests_cell(&self, cell: usize) -> bool {
        self.tests.iter().any(|&(tested, _)| tested == cell)
    }

    /// What the transition writes to a cell.
    pub(super) fn written(&self, cell: usize) -> Option<Option<Value>> {
        self.writes.iter().find(|(written, _)| *written == cell).map(|&(_, content)| content)
    }

    /// The composition of `first` and this transition; `None` if this one cannot directly follow.
    pub(super) fn after(&self, first: &Self) -> Option<Self> {
        let mut tests = first.tests.clone();
        for &(cell, test) in &self.tests {
            match first.written(cell) {
                Some(content) if test.holds(content) => {}
                Some(_) => return None,
                None => {
                    let mut others = first.tests.iter().filter(|(other, _)| *other == cell);
                    if !others.all(|(_, other)| test.compatible(*other)) {
                        return None;
                    }
                    tests.push((cell, test));
                }
            }
        }
        let mut writes = self.writes.clone();
        writes.extend(first.writes.iter().filter(|(cell, _)| self.written(*cell).is_none()));
        Some(Self::new(tests, writes))
    }

    pub(super) fn is_possible_in(&self, state: &State) -> bool {
        self.tests.iter().all(|&(cell, test)| test.holds(state[cell]))
    }

    pub(super) fn apply_to(&self, state: &mut State) {
        for &(cell, content) in &self.writes {
            state[cell] = content;
        }
    }
}

impl From<&Action> for Transition {
    fn from(action: &Action) -> Self {
        let test = |cell: Cell, expectation, held| {
            Test::of(expectation, held).map(|test| (cell as usize, test))
        };
        match action {
            Action::Read(seen) => Self::new(
                seen.iter()
                    .map(|&(cell, content)| (cell as usize, Test::Exactly(content)))
                    .collect(),
                Vec::new(),
            ),
            Action::Refuse(tests) => Self::new(
                tests
                    .iter()
                    .filter_map(|&(cell, expected, held)| test(cell, expected, held))
                    .collect(),
                Vec::new(),
            ),
            Action::Change(alterations) => Self::new(
                alterations
                    .iter()
                    .filter_map(|alteration| test(alteration.cell, alteration.expectation, true))
                    .collect(),
                alterations
                    .iter()
                    .map(|alteration| (alteration.cell as usize, alteration.becomes))
                    .collect(),
            ),
        }
    }
}
