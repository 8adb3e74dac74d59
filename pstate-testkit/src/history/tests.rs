use super::{Action, Alteration, Call, Expectation, History, Unaccepted, Value};

const A: u32 = 0;
const B: u32 = 1;

fn call(invoked: u64, returned: impl Into<Option<u64>>, action: Action) -> Call {
    let label = format!("{action:?}");
    Call { invoked, returned: returned.into(), action, label }
}

fn read(cell: u32, value: impl Into<Option<Value>>) -> Action {
    Action::Read(vec![(cell, value.into())])
}

fn put(cell: u32, value: Value) -> Action {
    swap(cell, Expectation::Any, value)
}

fn swap(cell: u32, expectation: Expectation, value: Value) -> Action {
    Action::Change(vec![Alteration { cell, expectation, becomes: Some(value) }])
}

fn delete(cell: u32) -> Action {
    Action::Change(vec![Alteration { cell, expectation: Expectation::Any, becomes: None }])
}

fn put_both(value: Value) -> Action {
    let alteration =
        |cell| Alteration { cell, expectation: Expectation::Any, becomes: Some(value) };
    Action::Change(vec![alteration(A), alteration(B)])
}

fn is_linearizable(calls: &[Call]) -> bool {
    match History::new(calls.to_vec()).check() {
        Ok(()) => true,
        Err(Unaccepted::Violation(violation)) => {
            // The reported calls must be a violation by themselves.
            let alone = violation.history().check();
            assert!(matches!(alone, Err(Unaccepted::Violation(_))), "{violation}");
            false
        }
        Err(Unaccepted::Undecided(undecided)) => panic!("{undecided}"),
    }
}

#[test]
fn one_after_the_other_is_linearizable() {
    assert!(is_linearizable(&[
        call(1, 2, read(A, None)),
        call(3, 4, put(A, 1)),
        call(5, 6, read(A, 1)),
        call(7, 8, delete(A)),
        call(9, 10, swap(A, Expectation::Absent, 2)),
        call(11, 12, read(A, 2)),
    ]));
}

#[test]
fn a_stale_read_is_not() {
    let calls = [call(1, 2, put(A, 1)), call(3, 4, put(A, 2)), call(5, 6, read(A, 1))];
    assert!(!is_linearizable(&calls));
}

#[test]
fn a_read_beside_a_write_may_see_it_or_not() {
    for seen in [None, Some(1)] {
        assert!(is_linearizable(&[call(1, 4, put(A, 1)), call(2, 3, read(A, seen))]));
    }
}

#[test]
fn two_reads_one_after_the_other_do_not_go_back_in_time() {
    let calls = [call(1, 10, put(A, 1)), call(2, 3, read(A, 1)), call(4, 5, read(A, None))];
    assert!(!is_linearizable(&calls));
}

#[test]
fn two_swaps_from_one_value_are_a_lost_update() {
    let calls = [
        call(1, 2, put(A, 1)),
        call(3, 6, swap(A, Expectation::Is(1), 2)),
        call(4, 5, swap(A, Expectation::Is(1), 3)),
    ];
    assert!(!is_linearizable(&calls));
}

#[test]
fn a_conflict_needs_a_moment_at_which_the_expectation_failed() {
    let refused = |value| Action::Refuse(vec![(A, Expectation::Is(value), false)]);
    let calls = |value| [call(1, 2, put(A, 1)), call(3, 4, refused(value))];
    assert!(is_linearizable(&calls(7)));
    assert!(!is_linearizable(&calls(1)));
}

#[test]
fn half_of_a_batch_is_seen_by_one_read_only_if_it_is_torn() {
    let half = Action::Read(vec![(A, Some(1)), (B, None)]);
    assert!(!is_linearizable(&[call(1, 10, put_both(1)), call(2, 3, half)]));
    let apart = [call(1, 10, put_both(1)), call(2, 9, read(A, 1)), call(3, 8, read(B, None))];
    assert!(is_linearizable(&apart));
}

#[test]
fn a_write_of_unknown_outcome_may_happen_late_or_never_but_only_once() {
    let history = |seen: &[Option<Value>]| {
        let mut calls = vec![call(1, 2, put(A, 1)), call(3, None, put(A, 2))];
        for (n, &seen) in (0..).zip(seen) {
            calls.push(call(10 + 2 * n, 11 + 2 * n, read(A, seen)));
        }
        is_linearizable(&calls)
    };
    assert!(history(&[Some(1), Some(1)]));
    assert!(history(&[Some(1), Some(2)]));
    assert!(!history(&[Some(2), Some(1)]));
    assert!(!history(&[Some(1), None]));
}

#[test]
fn cells_that_nothing_connects_are_judged_apart() {
    let mut calls: Vec<_> = (0..200)
        .map(|n| call(10 * n + 1, 10 * n + 2, put(A, u32::try_from(n).unwrap_or(0))))
        .collect();
    calls.push(call(3, 4, put(B, 1)));
    calls.push(call(5, 6, read(B, None)));
    let Err(Unaccepted::Violation(violation)) = History::new(calls).check() else {
        panic!("accepted")
    };
    assert_eq!(violation.history().calls.len(), 2, "{violation}");
}

/// Tries all orders of a few calls, with each subset of those that never returned: slow and
/// obviously correct.
fn some_order_explains(calls: &[Call]) -> bool {
    fn place(left: &[&Call], cells: [Option<Value>; 2]) -> bool {
        if left.iter().all(|call| call.returned.is_none()) {
            return true;
        }
        left.iter().enumerate().any(|(n, first)| {
            let is_next = left
                .iter()
                .all(|other| other.returned.is_none_or(|returned| returned > first.invoked));
            let rest: Vec<_> = [&left[..n], &left[n + 1..]].concat();
            is_next && effect(&first.action, cells).is_some_and(|cells| place(&rest, cells))
        })
    }
    let calls: Vec<_> = calls.iter().collect();
    place(&calls, [None; 2])
}

fn effect(action: &Action, cells: [Option<Value>; 2]) -> Option<[Option<Value>; 2]> {
    let at = |cell: u32| cells[cell as usize];
    let holds = |cell, expectation: Expectation| match expectation {
        Expectation::Any => true,
        Expectation::Absent => at(cell).is_none(),
        Expectation::Is(value) => at(cell) == Some(value),
        Expectation::Never => false,
    };
    match action {
        Action::Read(seen) => seen.iter().all(|&(cell, value)| at(cell) == value).then_some(cells),
        Action::Refuse(tests) => tests
            .iter()
            .all(|&(cell, expectation, held)| holds(cell, expectation) == held)
            .then_some(cells),
        Action::Change(alterations) => {
            let all = alterations.iter().all(|change| holds(change.cell, change.expectation));
            let mut after = cells;
            for change in alterations {
                after[change.cell as usize] = change.becomes;
            }
            all.then_some(after)
        }
    }
}

fn random_action(random: &mut fastrand::Rng) -> Action {
    let value = |random: &mut fastrand::Rng| Some(random.u32(0..3)).filter(|&value| value > 0);
    let expectation = |random: &mut fastrand::Rng| match random.u8(..5) {
        0..2 => Expectation::Any,
        2 => Expectation::Absent,
        3 => Expectation::Never,
        _ => Expectation::Is(random.u32(1..3)),
    };
    let cells: &[u32] = [&[A][..], &[B], &[A, B]][random.usize(..3)];
    match random.u8(..5) {
        0..2 => Action::Read(cells.iter().map(|&cell| (cell, value(random))).collect()),
        2 => Action::Refuse(
            cells.iter().map(|&cell| (cell, expectation(random), random.bool())).collect(),
        ),
        _ => {
            let change = |&cell: &u32| Alteration {
                cell,
                expectation: expectation(random),
                becomes: value(random),
            };
            Action::Change(cells.iter().map(change).collect())
        }
    }
}

#[test]
fn it_agrees_with_trying_all_orders() {
    let mut linearizable = 0;
    for seed in 0..20_000 {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut ticks: Vec<u64> = (1..=12).collect();
        random.shuffle(&mut ticks);
        let number = random.usize(2..=6);
        let calls: Vec<_> = ticks
            .chunks(2)
            .take(number)
            .map(|ticks| {
                let returned = Some(ticks[0].max(ticks[1])).filter(|_| random.u8(..5) > 0);
                call(ticks[0].min(ticks[1]), returned, random_action(&mut random))
            })
            .collect();
        let expected = some_order_explains(&calls);
        assert_eq!(is_linearizable(&calls), expected, "seed {seed}: {calls:#?}");
        linearizable += usize::from(expected);
    }
    assert!((1_000..19_000).contains(&linearizable), "{linearizable}");
}
