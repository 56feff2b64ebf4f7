//! How long clients of a level are told to stay away when it turned them away
//! (k8s.io/apiserver/pkg/util/flowcontrol/dropped_requests_tracker.go).

use std::collections::VecDeque;

const SECONDS_MAX: i64 = 8;

/// What a level has turned away of late. Times are whole seconds.
#[derive(Clone, Debug)]
pub struct Rejected {
    /// Seconds and how many, oldest first. The last is still counted.
    history: VecDeque<(i64, i64)>,
    retry_after: i64,
    raised: Option<i64>,
}

impl Default for Rejected {
    fn default() -> Rejected {
        Rejected { history: VecDeque::new(), retry_after: 1, raised: None }
    }
}

impl Rejected {
    /// One more, and after how many seconds it should come again.
    pub fn count(&mut self, second: i64) -> i64 {
        if let Some((at, count)) = self.history.back_mut()
            && *at == second
        {
            *count = count.saturating_add(1);
            return self.retry_after;
        }
        let kept = (2 * self.retry_after).min(SECONDS_MAX);
        let last = self.history.back().map_or(second, |(at, _)| *at);
        self.history.retain(|(at, _)| last.saturating_sub(*at) <= kept);
        self.adjust(second);
        self.history.push_back((second, 1));
        self.retry_after
    }

    /// Doubled while many are turned away, one less when few were.
    fn adjust(&mut self, second: i64) {
        let within = self.history.iter().filter(|(at, _)| second.saturating_sub(*at) <= self.retry_after);
        let many: i64 = within.map(|(_, count)| *count).sum();
        let may_raise = self.raised.is_none_or(|at| second.saturating_sub(at) >= self.retry_after);
        if may_raise && many >= 3 * self.retry_after {
            self.retry_after = (2 * self.retry_after).min(SECONDS_MAX);
            self.raised = Some(second);
        } else if many < self.retry_after && self.retry_after > 1 {
            self.retry_after -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `count` of them in one second; what the last is told.
    fn spike(rejected: &mut Rejected, second: i64, count: usize) -> i64 {
        (0..count).map(|_| rejected.count(second)).last().unwrap_or_default()
    }

    #[test]
    fn it_doubles_under_load_and_falls_slowly() {
        let mut rejected = Rejected::default();
        assert_eq!(spike(&mut rejected, 100, 3), 1, "not within the first second");
        let told: Vec<i64> = (101..112).map(|second| spike(&mut rejected, second, 10)).collect();
        assert_eq!(told, [2, 2, 4, 4, 4, 4, 8, 8, 8, 8, 8], "each for as long as it lasts");
        let told: Vec<i64> = [130, 150, 170].map(|second| spike(&mut rejected, second, 1)).to_vec();
        assert_eq!(told, [7, 6, 5]);
        assert_eq!(spike(&mut Rejected::default(), 0, 2), 1);
    }

    #[test]
    fn what_it_remembers_is_bounded() {
        let mut rejected = Rejected::default();
        assert!((0..1000).all(|second| rejected.count(second) >= 1));
        assert!(rejected.history.len() <= 10, "{}", rejected.history.len());
    }
}
