//! The next partition for messages without a key: uniform (KIP-480), or more often to where little waits (KIP-794).

use fastrand::Rng;

/// Chooses one of `available`, the partitions that have a leader.
///
/// With `loads`, what waits for each of `available` in the same order, a partition is chosen with the probability of
/// (greatest load + 1 − its own load) over the sum of those; `previous` may be chosen again. Without, all but
/// `previous` are equally likely. Returns `previous` when nothing is available, and ignores `loads` of another length.
pub fn choose(available: &[i32], loads: Option<&[u32]>, previous: i32, rng: &mut Rng) -> i32 {
    match (available, loads) {
        ([], _) => previous,
        ([only], _) => *only,
        (_, Some(loads)) if loads.len() == available.len() => by_load(available, loads, rng),
        _ => uniform(available, previous, rng),
    }
}

fn by_load(available: &[i32], loads: &[u32], rng: &mut Rng) -> i32 {
    let ceiling = u64::from(loads.iter().copied().max().unwrap_or(0)) + 1;
    let weight = |load: u32| ceiling - u64::from(load);
    // Every weight is at least 1, so the sum is not 0; a sum of 2^32 such weights still fits.
    let total: u64 = loads.iter().map(|load| weight(*load)).sum();
    let mut drawn = rng.u64(0..total);
    for (partition, load) in available.iter().zip(loads) {
        let weight = weight(*load);
        if drawn < weight {
            return *partition;
        }
        drawn -= weight;
    }
    unreachable!("the draw is less than the sum of the weights")
}

fn uniform(available: &[i32], previous: i32, rng: &mut Rng) -> i32 {
    let Some(at) = available.iter().position(|partition| *partition == previous) else {
        return available[rng.usize(0..available.len())];
    };
    // One of the others: count past the previous one.
    let other = rng.usize(0..available.len() - 1);
    available[if other < at { other } else { other + 1 }]
}

#[cfg(test)]
mod tests {
    use super::*;

    const DRAWS: usize = 60_000;

    fn shares(available: &[i32], loads: Option<&[u32]>, previous: i32) -> Vec<f64> {
        let mut rng = Rng::with_seed(7);
        let mut counts = vec![0usize; available.len()];
        for _ in 0..DRAWS {
            let chosen = choose(available, loads, previous, &mut rng);
            counts[available.iter().position(|p| *p == chosen).expect("one of the available")] += 1;
        }
        counts.iter().map(|count| *count as f64 / DRAWS as f64).collect()
    }

    fn assert_near(found: &[f64], wanted: &[f64]) {
        for (found, wanted) in found.iter().zip(wanted) {
            // Five standard deviations of a share.
            let margin = 5.0 * (wanted * (1.0 - wanted) / DRAWS as f64).sqrt();
            assert!((found - wanted).abs() <= margin, "{found} is not {wanted} ± {margin}");
        }
    }

    #[test]
    fn uniform_among_the_others() {
        assert_near(&shares(&[3, 5, 8, 9], None, 8), &[1.0 / 3.0, 1.0 / 3.0, 0.0, 1.0 / 3.0]);
        assert_near(&shares(&[3, 5, 8, 9], None, -1), &[0.25; 4]);
        assert_near(&shares(&[0, 1], None, 1), &[1.0, 0.0]);
    }

    #[test]
    fn by_inverse_load() {
        // KIP-794's own example: queues of 0, 3 and 1 give frequencies 4, 1 and 3.
        assert_near(&shares(&[0, 1, 2], Some(&[0, 3, 1]), 0), &[0.5, 0.125, 0.375]);
        assert_near(&shares(&[4, 6], Some(&[9, 9]), 4), &[0.5, 0.5]);
        assert_near(&shares(&[0, 1], Some(&[0, u32::MAX]), 0), &[1.0, 0.0]);
    }

    #[test]
    fn few_or_none() {
        let mut rng = Rng::with_seed(1);
        assert_eq!(choose(&[], None, 4, &mut rng), 4);
        assert_eq!(choose(&[2], None, 2, &mut rng), 2);
        assert_eq!(choose(&[2], Some(&[9]), -1, &mut rng), 2);
        assert_eq!(choose(&[1, 2], Some(&[9]), 1, &mut rng), 2);
    }
}
