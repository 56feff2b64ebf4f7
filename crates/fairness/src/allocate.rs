//! Who lends seats to whom: all seats are given out in proportion to what is wanted, within each one's bounds
//! (k8s.io/apiserver/pkg/util/flowcontrol/conc_alloc.go).

/// A level's bounds and what it would like.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Class {
    pub lower: f64,
    pub target: f64,
    pub upper: f64,
}

impl Class {
    fn at(&self, fraction: f64) -> f64 {
        (fraction * self.target).min(self.upper).max(self.lower)
    }
}

/// The share of each; together `total`, unless the bounds do not let them.
pub fn allocate(total: f64, classes: &[Class]) -> Vec<f64> {
    let sum = |fraction: f64| classes.iter().map(|class| class.at(fraction)).sum::<f64>();
    let (mut low, mut high) = (0.0_f64, 1.0_f64);
    // A target of next to nothing must not make this endless.
    while sum(high) < total && high < 1e12 {
        high *= 2.0;
    }
    for _ in 0..100 {
        let middle = f64::midpoint(low, high);
        if sum(middle) < total { low = middle } else { high = middle }
    }
    classes.iter().map(|class| class.at(high)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn class(lower: f64, target: f64, upper: f64) -> Class {
        Class { lower, target, upper }
    }

    fn shares(total: f64, classes: &[Class]) -> Vec<i64> {
        allocate(total, classes).iter().map(|share| share.round() as i64).collect()
    }

    #[test]
    fn shares_follow_targets_within_bounds() {
        assert_eq!(shares(100.0, &[class(0.0, 10.0, 100.0), class(0.0, 30.0, 100.0)]), [25, 75]);
        assert_eq!(shares(100.0, &[class(40.0, 10.0, 100.0), class(0.0, 30.0, 100.0)]), [40, 60]);
        assert_eq!(shares(100.0, &[class(0.0, 10.0, 100.0), class(0.0, 30.0, 50.0)]), [50, 50]);
        assert_eq!(shares(100.0, &[class(60.0, 1.0, 100.0), class(60.0, 1.0, 100.0)]), [60, 60], "no room");
        assert_eq!(shares(100.0, &[class(0.0, 1.0, 10.0), class(0.0, 1.0, 10.0)]), [10, 10], "no wish");
    }

    #[test]
    fn any_shares_are_within_bounds_and_add_up() {
        let mut random = 7_u64;
        let mut next = move |below: u64| {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            ((random >> 33) % below) as f64
        };
        for _ in 0..500 {
            let classes: Vec<Class> = (0..5)
                .map(|_| {
                    let lower = next(50);
                    class(lower, lower + next(100) + 0.1, lower + next(500))
                })
                .collect();
            let (lower, upper) = classes.iter().fold((0.0, 0.0), |(l, u), c| (l + c.lower, u + c.upper));
            let total = lower + (upper - lower) * next(100) / 100.0;
            let shares = allocate(total, &classes);
            let within = shares.iter().zip(&classes).all(|(share, c)| *share >= c.lower && *share <= c.upper);
            assert!(within && (shares.iter().sum::<f64>() - total).abs() < 1e-3, "{total} {classes:?} {shares:?}");
        }
    }
}
