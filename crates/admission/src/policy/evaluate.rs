//! A policy's expressions on one request with one parameter.

use super::program::{Compiled, Expression, Validation, Variable};
use super::{BINDING_COST_MAX, CONDITIONS_COST_MAX};
use cel::{Activation, Failed, Fields, PER_CALL_COST_MAX, Program, Value as Cel};
use meta::Value;
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::{Rc, Weak};

/// The longest message that an expression makes (bytes).
const MESSAGE_BYTES_MAX: usize = 5 * 1024;

const OVER_BUDGET: &str =
    "validation failed due to running out of cost budget, no further validation rules will be run";

/// What the expressions of a policy found.
#[derive(Debug, Default, PartialEq)]
pub struct Found {
    /// What the request is refused for: the place of the validation, its reason ("" for the usual) and message.
    pub denied: Vec<(usize, String, String)>,
    /// Why expressions could not be evaluated, with the place of the validation; the failure policy says what that means.
    pub failed: Vec<(usize, String)>,
    /// Keys and values for the audit log.
    pub annotations: Vec<(String, String)>,
}

/// The values of the variables that every expression of a policy may use, but for its own.
pub type Given<'a> = Vec<(&'static str, Cel<'a>)>;

/// Judges a request. `given` holds what there is of `object`, `oldObject`, `request`, `namespaceObject`, `params` and the
/// authorizers.
pub fn judge<'a>(policy: &'a Compiled, given: Given<'a>, ignore_failure: bool) -> Found {
    let mut found = Found::default();
    match conditions_hold(&policy.conditions, &[], &given, ignore_failure) {
        Ok(true) => {}
        Ok(false) => return found,
        Err(why) => {
            found.failed.push((0, why));
            return found;
        }
    }
    let mut run = Run::new(policy, given);
    for (i, validation) in policy.validations.iter().enumerate() {
        match run.evaluate(&validation.expression) {
            Ok(value) if value.as_bool() == Some(true) => {}
            Ok(_) => {
                let reason = validation.source["reason"].str().to_owned();
                let message = run.message(validation);
                found.denied.push((i, reason, message));
            }
            Err(Stopped::Expression(why)) => found.failed.push((i, why)),
            // Nothing that was found before counts then.
            Err(Stopped::Budget) => {
                return Found { failed: vec![(0, OVER_BUDGET.to_owned())], ..Found::default() };
            }
        }
    }
    run.budget = BINDING_COST_MAX;
    for (i, (key, expression)) in policy.annotations.iter().enumerate() {
        match run.evaluate(expression) {
            Ok(value) => {
                if let Some(text) = value.as_str().map(str::trim).filter(|text| !text.is_empty()) {
                    found.annotations.push((key.to_string(), text.to_owned()));
                }
            }
            Err(Stopped::Expression(why)) => found.failed.push((policy.validations.len() + i, why)),
            Err(Stopped::Budget) => found.failed.push((policy.validations.len() + i, OVER_BUDGET.to_owned())),
        }
    }
    found
}

/// Whether all conditions hold. One that does not settles it, even when others fail.
///
/// # Errors
/// Why they cannot be evaluated, unless that is to be ignored: then they do not hold.
pub fn conditions_hold<'a>(
    conditions: &'a [Expression],
    variables: &'a [Variable],
    given: &Given<'a>,
    ignore_failure: bool,
) -> Result<bool, String> {
    let mut run = Run::over(variables, given.clone(), CONDITIONS_COST_MAX);
    let mut errors: Vec<String> = Vec::new();
    for condition in conditions {
        match run.evaluate(condition) {
            Ok(value) if value.as_bool() == Some(false) => return Ok(false),
            Ok(_) => {}
            Err(Stopped::Expression(why)) => errors.push(why),
            Err(Stopped::Budget) => errors.push(OVER_BUDGET.to_owned()),
        }
    }
    match errors.as_slice() {
        [] => Ok(true),
        _ if ignore_failure => Ok(false),
        [one] => Err(one.clone()),
        several => Err(format!("[{}]", several.join(", "))),
    }
}

/// Evaluates one expression for itself.
///
/// # Errors
/// Why it has no value.
pub fn evaluate<'a>(
    variables: &'a [Variable],
    given: Given<'a>,
    expression: &'a Expression,
) -> Result<Cel<'a>, String> {
    Run::over(variables, given, BINDING_COST_MAX).evaluate(expression).map_err(|stopped| match stopped {
        Stopped::Expression(why) => why,
        Stopped::Budget => OVER_BUDGET.to_owned(),
    })
}

enum Stopped {
    /// The expression failed, as messages say it.
    Expression(String),
    /// There is nothing left to pay for more.
    Budget,
}

struct Run<'a> {
    activation: Activation<'a>,
    variables: Rc<Composed<'a>>,
    budget: u64,
}

impl<'a> Run<'a> {
    fn new(policy: &'a Compiled, given: Given<'a>) -> Run<'a> {
        Run::over(&policy.variables, given, BINDING_COST_MAX)
    }

    fn over(list: &'a [Variable], given: Given<'a>, budget: u64) -> Run<'a> {
        let variables = Rc::new_cyclic(|own| Composed {
            list,
            given: given.clone(),
            own: own.clone(),
            known: RefCell::default(),
            cost: Cell::new(0),
        });
        let mut activation = Activation::new(given);
        activation.set("variables", Cel::Fields(variables.clone()));
        Run { activation, variables, budget }
    }

    fn evaluate(&mut self, expression: &'a Expression) -> Result<Cel<'a>, Stopped> {
        let program = expression.program.as_ref().map_err(|why| Stopped::Expression(why.clone()))?;
        let outcome = self.pay(program)?;
        outcome.map_err(|failed| {
            Stopped::Expression(format!("expression '{}' resulted in error: {failed}", expression.text))
        })
    }

    fn pay(&mut self, program: &'a Program) -> Result<Result<Cel<'a>, Failed>, Stopped> {
        let outcome = program.evaluate(&self.activation, PER_CALL_COST_MAX);
        let cost = match &outcome {
            Ok(evaluated) => evaluated.cost,
            Err(failed) => failed.cost(),
        };
        let cost = cost.saturating_add(self.variables.cost.take());
        self.budget = self.budget.checked_sub(cost).ok_or(Stopped::Budget)?;
        Ok(outcome.map(|evaluated| evaluated.value))
    }

    /// What the request is refused with: what an expression makes, what is written, or the expression that is not true.
    fn message(&mut self, validation: &'a Validation) -> String {
        let made = validation.message.as_ref().and_then(|message| self.pay(message).ok()?.ok());
        let made = made.as_ref().and_then(Cel::as_str).map(str::trim);
        let usable = made.filter(|text| !text.is_empty() && text.len() <= MESSAGE_BYTES_MAX && !text.contains('\n'));
        match (usable, validation.source["message"].str().trim()) {
            (Some(made), _) => made.to_owned(),
            (None, "") => format!("failed expression: {}", validation.expression.text),
            (None, written) => written.to_owned(),
        }
    }
}

/// A policy's own variables: each is evaluated when it is first asked for.
struct Composed<'a> {
    list: &'a [Variable],
    given: Given<'a>,
    own: Weak<Composed<'a>>,
    known: RefCell<HashMap<usize, Result<Cel<'a>, Failed>>>,
    /// What evaluating them cost since it was last asked.
    cost: Cell<u64>,
}

impl<'a> Composed<'a> {
    fn evaluate(&self, variable: &'a Variable) -> Result<Cel<'a>, Failed> {
        let name = &variable.name;
        let program = match &variable.program {
            Ok(program) => program,
            Err(why) => return Err(Failed::new(format!("composited variable \"{name}\" fails to compile: {why}"))),
        };
        let mut activation = Activation::new(self.given.clone());
        if let Some(own) = self.own.upgrade() {
            activation.set("variables", Cel::Fields(own));
        }
        let outcome = program.evaluate(&activation, PER_CALL_COST_MAX);
        let cost = outcome.as_ref().map_or_else(Failed::cost, |evaluated| evaluated.cost);
        self.cost.set(self.cost.get().saturating_add(cost));
        match outcome {
            Ok(evaluated) => Ok(evaluated.value),
            Err(failed) => Err(Failed::new(format!("composited variable \"{name}\" fails to evaluate: {failed}"))),
        }
    }
}

impl<'a> Fields<'a> for Composed<'a> {
    fn type_name(&self) -> &str {
        "kubernetes.variables"
    }

    fn has(&self, field: &str) -> bool {
        self.list.iter().any(|variable| variable.name == field)
    }

    fn get(&self, field: &str) -> Option<Result<Cel<'a>, Failed>> {
        // The last of a name counts, as for the checker.
        let at = self.list.iter().rposition(|variable| variable.name == field)?;
        if let Some(known) = self.known.borrow().get(&at) {
            return Some(known.clone());
        }
        let value = self.evaluate(self.list.get(at)?);
        self.known.borrow_mut().insert(at, value.clone());
        Some(value)
    }
}

/// Null for what is not there.
pub fn object(value: Option<&Value>) -> Cel<'_> {
    value.map_or(Cel::Null, Cel::data)
}
