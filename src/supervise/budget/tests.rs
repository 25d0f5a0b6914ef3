//! Sharing a budget: nobody gets more than asked for, and all is over in time.

use proptest::prelude::*;

use super::*;

fn name(n: usize) -> ServiceName {
    ServiceName::new(format!("s{n}")).unwrap()
}

/// Services by number: what each wants in milliseconds, and who ends before whom.
fn shared(wants: &[u64], edges: &[(usize, usize)], limit: u64) -> Vec<u64> {
    let times = (0..).map(name).zip(wants.iter().copied().map(Duration::from_millis)).collect();
    let given = share(&times, &first(wants.len(), edges), Duration::from_millis(limit));
    (0..wants.len()).map(|n| millis(given[&name(n)])).collect()
}

/// `(a, b)`: `a` must have ended before `b` is asked; turned so that there is no circle.
fn first(count: usize, edges: &[(usize, usize)]) -> After {
    let mut first: After = (0..count).map(|n| (name(n), BTreeSet::new())).collect();
    for &(a, b) in edges {
        let (low, high) = (a.min(b) % count, a.max(b) % count);
        if low < high {
            first.get_mut(&name(high)).unwrap().insert(name(low));
        }
    }
    first
}

/// The longest chain, worked out by walking every one.
fn longest(given: &[u64], first: &After) -> u64 {
    fn end(n: usize, given: &[u64], first: &After) -> u64 {
        let before = first[&name(n)].iter().map(|d| d.as_str()[1..].parse().unwrap());
        given[n] + before.map(|d: usize| end(d, given, first)).max().unwrap_or(0)
    }
    (0..given.len()).map(|n| end(n, given, first)).max().unwrap_or(0)
}

#[test]
fn known_cases() {
    // Everything fits: nobody is cut.
    assert_eq!(shared(&[10_000, 5_000], &[(0, 1)], 15_000), [10_000, 5_000]);
    // One behind the other: the short one keeps its time, the rest is the long one's.
    assert_eq!(shared(&[60_000, 300], &[(0, 1)], 2_000), [1_700, 300]);
    assert_eq!(shared(&[60_000, 60_000], &[(0, 1)], 2_000), [1_000, 1_000]);
    // Side by side they share nothing.
    assert_eq!(shared(&[60_000, 60_000], &[], 2_000), [2_000, 2_000]);
    // A long chain does not shorten what stands alone.
    assert_eq!(
        shared(&[3_000, 3_000, 3_000, 9_000], &[(0, 1), (1, 2)], 6_000),
        [2_000, 2_000, 2_000, 6_000]
    );
    assert_eq!(shared(&[5_000, 5_000], &[(0, 1)], 0), [0, 0]);
    assert!(shared(&[], &[], 7).is_empty());
}

#[test]
fn a_reserve_is_kept() {
    assert_eq!(usable(Duration::from_secs(2)), Duration::from_millis(1_800));
    assert_eq!(usable(Duration::from_secs(9)), Duration::from_millis(8_500));
    assert_eq!(usable(Duration::from_millis(100)), Duration::from_millis(90));
}

proptest! {
    #[test]
    fn shares_fit_and_are_fair(
        wants in prop::collection::vec(prop_oneof![0u64..50, 0u64..90_000], 1..9),
        edges in prop::collection::vec((0usize..9, 0usize..9), 0..16),
        limit in 0u64..120_000,
    ) {
        let first = first(wants.len(), &edges);
        let given = shared(&wants, &edges, limit);
        prop_assert!(longest(&given, &first) <= limit, "{given:?}");
        for (n, (given_one, want)) in given.iter().zip(&wants).enumerate() {
            prop_assert!(given_one <= want);
            if given_one < want {
                let mut more = given.clone();
                // Whole milliseconds: a rest too small for everybody is nobody's.
                more[n] += wants.len() as u64;
                prop_assert!(longest(&more, &first) > limit, "{n} could have more: {given:?}");
            }
        }
        if longest(&wants, &first) <= limit {
            prop_assert_eq!(&given, &wants);
        }
        // The worst served is never served worse by a larger limit.
        let cut = |given: &[u64]| {
            given.iter().zip(&wants).filter(|(g, w)| g < w).map(|(g, _)| *g).min()
        };
        let larger = shared(&wants, &edges, limit + 1_000);
        if let (Some(before), Some(after)) = (cut(&given), cut(&larger)) {
            prop_assert!(before <= after, "{given:?} {larger:?}");
        }
    }
}
