//! How many seats a level has wanted of late.

/// The share of the past in what is smoothed (k8s.io/apiserver/pkg/util/flowcontrol, seatDemandSmoothingCoefficient).
const SMOOTHING: f64 = 0.977;

/// Averages over a period that ends when it is looked at.
#[derive(Clone, Copy, Debug, Default)]
pub struct Demand {
    began: f64,
    at: f64,
    now: f64,
    sum: f64,
    sum_of_squares: f64,
    high: f64,
    smoothed: f64,
}

/// What a period was like, in seats.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Settled {
    pub average: f64,
    pub deviation: f64,
    pub high: f64,
    /// With the periods before.
    pub smoothed: f64,
}

impl Demand {
    /// `seats` are wanted from `at` (seconds) on.
    pub fn set(&mut self, at: f64, seats: f64) {
        self.advance(at);
        self.now = seats;
        self.high = self.high.max(seats);
    }

    fn advance(&mut self, at: f64) {
        let since = (at - self.at).max(0.0);
        self.sum += self.now * since;
        self.sum_of_squares += self.now * self.now * since;
        self.at = self.at.max(at);
    }

    /// Ends a period: average and deviation within the highest, which falls slowly from period to period.
    pub fn settle(&mut self, at: f64) -> Settled {
        self.advance(at);
        let period = self.at - self.began;
        let (mut average, mut deviation) = (self.now, 0.0);
        if period > 0.0 {
            average = self.sum / period;
            deviation = (self.sum_of_squares / period - average * average).max(0.0).sqrt();
        }
        let high = self.high;
        let envelope = (average + deviation).min(high);
        self.smoothed = envelope.max(SMOOTHING * self.smoothed + (1.0 - SMOOTHING) * envelope);
        *self = Demand {
            began: self.at,
            at: self.at,
            now: self.now,
            high: self.now,
            smoothed: self.smoothed,
            ..Demand::default()
        };
        Settled { average, deviation, high, smoothed: self.smoothed }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_rises_at_once_and_falls_slowly() {
        let mut demand = Demand::default();
        demand.set(0.0, 10.0);
        assert_eq!(demand.settle(10.0).smoothed, 10.0);
        demand.set(10.0, 0.0);
        let fallen = demand.settle(20.0).smoothed;
        assert!((9.0..10.0).contains(&fallen), "{fallen}");
        demand.set(20.0, 40.0);
        assert_eq!(demand.settle(30.0).smoothed, 40.0);
    }

    #[test]
    fn it_is_never_above_the_highest() {
        let mut demand = Demand::default();
        demand.set(0.0, 8.0);
        demand.set(5.0, 0.0);
        assert_eq!(demand.settle(10.0).smoothed, 8.0, "4 on average, deviating by 4");
    }
}
