//! What an evaluation has cost, and how it fails.

use std::fmt;

/// Steps one evaluation may take besides its cost: upstream charges little for some that are not cheap, like comparing
/// large objects. Nothing an expression needs comes near.
const WORK_MAX: u64 = 50_000_000;

/// Counts cost, in upstream's units.
#[derive(Debug)]
pub struct Tracker {
    cost: u64,
    cost_max: u64,
    work: u64,
}

impl Tracker {
    pub fn new(cost_max: u64) -> Tracker {
        Tracker { cost: 0, cost_max, work: 0 }
    }

    pub fn cost(&self) -> u64 {
        self.cost
    }

    /// Adds to the cost.
    pub fn charge(&mut self, cost: u64) -> Result<(), Failed> {
        self.cost = self.cost.saturating_add(cost);
        if self.cost > self.cost_max { Err(Failed::over()) } else { Ok(()) }
    }

    /// Counts steps that cost nothing by themselves.
    pub fn work(&mut self, steps: u64) -> Result<(), Failed> {
        self.work = self.work.saturating_add(steps);
        if self.work > WORK_MAX { Err(Failed::over()) } else { Ok(()) }
    }
}

/// Why an expression has no value. `Display` is upstream's text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failed {
    message: Box<str>,
    fatal: bool,
    cost: u64,
}

impl Failed {
    pub fn new(message: impl Into<String>) -> Failed {
        Failed { message: message.into().into(), fatal: false, cost: 0 }
    }

    /// The error of values that an operator or function is not for.
    pub(crate) fn no_overload() -> Failed {
        Failed::new("no such overload")
    }

    /// The cost or the work allowed is used up.
    pub(crate) fn over() -> Failed {
        Failed { message: "operation cancelled: actual cost limit exceeded".into(), fatal: true, cost: 0 }
    }

    /// Whether the evaluation ran out of cost; other errors are those of single operations.
    pub fn is_fatal(&self) -> bool {
        self.fatal
    }

    /// What the evaluation had cost when it failed.
    pub fn cost(&self) -> u64 {
        self.cost
    }

    pub(crate) fn at_cost(self, cost: u64) -> Failed {
        Failed { cost, ..self }
    }
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failed {}
