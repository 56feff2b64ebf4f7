//! AlwaysAdmit and AlwaysDeny: deprecated upstream, and good for tests.

use crate::{Attributes, Plugin};
use meta::{Result, Value};

pub struct AlwaysAdmit;
pub struct AlwaysDeny;

const DENIED: &str = "admission control is denying all modifications";

impl Plugin for AlwaysAdmit {
    fn name(&self) -> &'static str {
        "AlwaysAdmit"
    }
}

impl Plugin for AlwaysDeny {
    fn name(&self) -> &'static str {
        "AlwaysDeny"
    }

    fn admit(&self, attributes: &Attributes, _object: &mut Value) -> Result<()> {
        Err(attributes.forbidden(DENIED))
    }

    fn validate(&self, attributes: &Attributes, _object: &Value) -> Result<()> {
        Err(attributes.forbidden(DENIED))
    }
}
