//! The numbers of items that cases try: each is one more than a limit that implementations have.

/// More than 100 and 500 items in a statement or a page, than 1,000 in a transaction, than SQLite's
/// 32,766 variables, and than a number of 16 bits.
pub(super) const SIZES: [usize; 5] = [101, 501, 1_001, 32_767, 65_537];

/// Whether so many items take long.
pub(super) const fn is_long(size: usize) -> bool {
    size > 2_000
}
