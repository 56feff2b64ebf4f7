//! The limits of all levels together (k8s.io/apiserver/pkg/util/flowcontrol/apf_controller.go, updateBorrowingLocked).

use crate::allocate::{Class, allocate};
use crate::demand::Settled;

/// A level as its limit is decided.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Borrower {
    /// It takes what it wants, and the others have what is left.
    pub exempt: bool,
    pub nominal: u32,
    pub lower: u32,
    pub upper: u32,
    pub demand: Settled,
}

impl Borrower {
    /// What it keeps at least: what it wanted at most of late, within its bounds.
    fn least(&self) -> f64 {
        let within = if self.exempt { self.demand.high } else { self.demand.high.min(f64::from(self.nominal)) };
        within.max(f64::from(self.lower))
    }

    /// What it should have, if there is enough.
    pub fn target(&self) -> f64 {
        if self.exempt { self.least() } else { self.least().max(self.demand.smoothed) }
    }
}

/// The seats of each.
pub fn plan_limits(levels: &[Borrower]) -> Vec<u32> {
    let all: f64 = levels.iter().map(|level| f64::from(level.nominal)).sum();
    let exempt: f64 = levels.iter().filter(|level| level.exempt).map(Borrower::least).sum();
    let others = || levels.iter().filter(|level| !level.exempt);
    let lower: f64 = others().map(|level| f64::from(level.lower)).sum();
    let least: f64 = others().map(Borrower::least).sum();
    let left = all - exempt;
    let shares: Vec<f64> = if left <= lower {
        others().map(|level| f64::from(level.lower)).collect()
    } else if left <= least {
        let fraction = (left - lower) / (least - lower);
        let share = |level: &Borrower| {
            let lower = f64::from(level.lower);
            lower + ((level.least() - lower) * fraction).round()
        };
        others().map(share).collect()
    } else {
        let class = |level: &Borrower| Class {
            lower: level.least(),
            target: level.target().max(1.0),
            upper: f64::from(level.upper),
        };
        // Of all seats, as upstream: what the exempt use is not taken off here.
        allocate(all, &others().map(class).collect::<Vec<_>>())
    };
    let mut shares = shares.into_iter();
    let limit = |level: &Borrower| match level.exempt {
        true => level.least(),
        false => shares.next().unwrap_or_default(),
    };
    // Shares are within the bounds, which are whole seats.
    levels.iter().map(limit).map(|seats| seats.round() as u32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn level(exempt: bool, nominal: u32, lower: u32, high: f64) -> Borrower {
        let demand = Settled { high, smoothed: high, average: high, deviation: 0.0 };
        Borrower { exempt, nominal, lower, upper: 600, demand }
    }

    #[test]
    fn the_exempt_take_from_all() {
        let idle = [level(true, 0, 0, 0.0), level(false, 50, 25, 50.0), level(false, 50, 25, 10.0)];
        assert_eq!(plan_limits(&idle), [0, 67, 33], "what is not wanted is lent, down to what is never lent");
        let busy = |high: f64| [level(true, 0, 0, high), level(false, 50, 25, 50.0), level(false, 50, 25, 50.0)];
        assert_eq!(plan_limits(&busy(20.0)), [20, 40, 40]);
        assert_eq!(plan_limits(&busy(70.0)), [70, 25, 25], "never below what is not lent");
        assert_eq!(plan_limits(&[]), Vec::<u32>::new());
    }
}
