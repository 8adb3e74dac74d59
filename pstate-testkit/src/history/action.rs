/// The number of a register; the recorder assigns numbers to keys.
pub type Cell = u32;

/// The number of a value; the recorder assigns numbers to values.
///
/// A check is fastest, and finds most violations, if no value is written twice.
pub type Value = u32;

/// What a call expects of a cell before it changes anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Expectation {
    /// Nothing; it always holds.
    Any,
    /// The cell is empty.
    Absent,
    /// The cell holds this value.
    Is(Value),
    /// The cell holds something that it cannot hold, such as a revision that was never issued; it
    /// never holds.
    Never,
}

/// The change of one cell by a [`Change`](Action::Change).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Alteration {
    /// The changed cell.
    pub cell: Cell,
    /// The expectation, which held.
    pub expectation: Expectation,
    /// The new value; `None` empties the cell.
    pub becomes: Option<Value>,
}

/// What a call did, all of it at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// It read these values; `None` is an empty cell.
    Read(Vec<(Cell, Option<Value>)>),
    /// All expectations held, and all cells were changed. No cell occurs twice.
    Change(Vec<Alteration>),
    /// It changed nothing, because at that moment each of these expectations held (`true`) or did
    /// not hold (`false`).
    Refuse(Vec<(Cell, Expectation, bool)>),
}
