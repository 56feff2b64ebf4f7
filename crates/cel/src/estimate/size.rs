//! Ranges of sizes and costs; sums and products stop at the largest number.

/// How large something may be: characters, bytes, items or entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    pub min: u64,
    pub max: u64,
}

/// What something may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Estimate {
    pub min: u64,
    pub max: u64,
}

fn by_factor(n: u64, factor: f64) -> u64 {
    // The conversion back stops at the largest number.
    (n as f64 * factor).ceil() as u64
}

impl Size {
    pub const ANY: Size = Size { min: 0, max: u64::MAX };

    pub const fn fixed(size: u64) -> Size {
        Size { min: size, max: size }
    }

    pub fn plus(self, other: Size) -> Size {
        Size { min: self.min.saturating_add(other.min), max: self.max.saturating_add(other.max) }
    }

    pub fn times(self, other: Size) -> Size {
        Size { min: self.min.saturating_mul(other.min), max: self.max.saturating_mul(other.max) }
    }

    pub fn times_cost(self, cost: Estimate) -> Estimate {
        Estimate { min: self.min.saturating_mul(cost.min), max: self.max.saturating_mul(cost.max) }
    }

    pub fn by_factor(self, factor: f64) -> Estimate {
        Estimate { min: by_factor(self.min, factor), max: by_factor(self.max, factor) }
    }

    pub fn union(self, other: Size) -> Size {
        Size { min: self.min.min(other.min), max: self.max.max(other.max) }
    }
}

impl Estimate {
    pub const fn fixed(cost: u64) -> Estimate {
        Estimate { min: cost, max: cost }
    }

    #[must_use]
    pub fn plus(self, other: Estimate) -> Estimate {
        Estimate { min: self.min.saturating_add(other.min), max: self.max.saturating_add(other.max) }
    }

    #[must_use]
    pub fn times(self, other: Estimate) -> Estimate {
        Estimate { min: self.min.saturating_mul(other.min), max: self.max.saturating_mul(other.max) }
    }

    #[must_use]
    pub fn by_factor(self, factor: f64) -> Estimate {
        Estimate { min: by_factor(self.min, factor), max: by_factor(self.max, factor) }
    }

    #[must_use]
    pub fn union(self, other: Estimate) -> Estimate {
        Estimate { min: self.min.min(other.min), max: self.max.max(other.max) }
    }
}
