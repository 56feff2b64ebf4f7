//! What calls of libraries may cost.

use super::calls::{CallEstimate, REGEX_FACTOR, STRING_FACTOR};
use super::{Estimate, ONE, Size};
use crate::ast::{Expr, Kind, Literal};
use crate::types::Type;

/// A call, of one overload.
pub struct Called<'c, 'e> {
    pub function: &'c str,
    pub overload: &'c str,
    pub target: Option<&'c Arg<'e>>,
    pub args: &'c [Arg<'e>],
}

pub struct Arg<'e> {
    pub expr: &'e Expr,
    pub of: &'e Type,
    pub size: Option<Size>,
    /// Of what the argument is a list of, when that is known.
    pub item_size: Option<Size>,
}

impl Arg<'_> {
    pub fn size_or_any(&self) -> Size {
        self.size.unwrap_or(Size::ANY)
    }

    /// The number the argument is, or `otherwise`.
    fn int_or(&self, otherwise: u64) -> u64 {
        match &self.expr.kind {
            Kind::Literal(Literal::Int(n)) => u64::try_from(*n).unwrap_or(0),
            Kind::Literal(Literal::Uint(n)) => *n,
            _ => otherwise,
        }
    }
}

const AUTHORIZATION: Estimate = Estimate::fixed(350_000);
const LIST_CREATE: Estimate = Estimate::fixed(10);
/// What a format is charged for, as if it were a regular expression of this length.
const FORMAT_REGEX_SIZE: f64 = 128.0;
const FORMAT_SIZE: u64 = 64;

/// The cost of a call without its arguments'; `None` for functions that upstream's libraries say nothing of.
pub fn estimate(called: &Called) -> Option<CallEstimate> {
    lists(called).or_else(|| kubernetes(called))
}

/// cel-go's own extensions of lists and sets.
fn lists(called: &Called) -> Option<CallEstimate> {
    let target = || called.target.map_or(Size::ANY, Arg::size_or_any);
    let size = |at: usize| called.args.get(at).map_or(Size::ANY, Arg::size_or_any);
    let allocating = |factor: f64, size: Size| CallEstimate {
        cost: size.by_factor(factor).plus(ONE).plus(LIST_CREATE),
        result: Some(size),
    };
    let factor = |of: &str| if of.contains("string") || of.contains("bytes") { 2.0 + STRING_FACTOR } else { 2.0 };
    Some(match called.overload {
        "list_sets_contains_list" | "list_sets_intersects_list" => {
            size(0).times(size(1)).by_factor(1.0).plus(ONE).into()
        }
        "list_sets_equivalent_list" => size(0).times(size(1)).by_factor(2.0).plus(ONE).into(),
        "list_slice" => {
            let start = called.args.first()?.int_or(0);
            let end = called.args.get(1)?.int_or(target().max);
            allocating(1.0, Size::fixed(end.wrapping_sub(start)))
        }
        "lists_range" => allocating(1.0, Size::fixed(called.args.first()?.int_or(u64::MAX))),
        "list_reverse" => allocating(1.0, target()),
        "list_flatten" => allocating(1.0, target()),
        "list_flatten_int" => allocating(called.args.first()?.int_or(u64::MAX) as f64, target()),
        "list_distinct" => allocating(2.0, target().times(target())),
        sort if sort.ends_with("_sort") => allocating(factor(sort), target().times(target())),
        sort if sort.ends_with("_sortByAssociatedKeys") => allocating(factor(sort), size(0).times(size(0))),
        _ => return None,
    })
}

/// Kubernetes' libraries, and its own figures for cel-go's strings.
fn kubernetes(called: &Called) -> Option<CallEstimate> {
    let arg = |at: usize| called.args.get(at).map(Arg::size_or_any);
    let target = called.target.map(Arg::size_or_any);
    Some(match called.function {
        "check" => AUTHORIZATION.into(),
        "serviceAccount" | "path" | "group" | "resource" | "subresource" | "namespace" | "name" | "allowed"
        | "reason" | "error" | "errored" => ONE.into(),
        "fieldSelector" | "labelSelector" => selector(arg(0)?),
        "isSorted" | "sum" | "max" | "min" | "indexOf" | "lastIndexOf" => elements(called.target?),
        "url" | "jsonpatch.escapeKey" => same_size(arg(0)?),
        "lowerAscii" | "upperAscii" | "substring" | "trim" => same_size(target?),
        "replace" => replace(target?, arg(0)?, arg(1)?),
        "split" => {
            let text = target?;
            let max = called.args.get(1).map_or(text.max, |count| count.int_or(text.max));
            CallEstimate { cost: text.by_factor(2.0 * STRING_FACTOR), result: Some(Size { min: 0, max }) }
        }
        "join" => join(called.target?, arg(0)),
        "find" | "findAll" => {
            let text = target?;
            let cost = text.plus(Size::fixed(1)).by_factor(STRING_FACTOR).times(arg(0)?.by_factor(REGEX_FACTOR));
            CallEstimate { cost, result: Some(Size { min: 0, max: text.max }) }
        }
        "ip" if called.overload == "cidr_ip" => ONE.into(),
        "cidr" | "isIP" | "isCIDR" | "ip" | "quantity" | "isQuantity" | "semver" | "isSemver" => {
            arg(0)?.by_factor(STRING_FACTOR).into()
        }
        "ip.isCanonical" => arg(0)?.by_factor(2.0 * STRING_FACTOR).into(),
        "masked"
        | "prefixLength"
        | "family"
        | "isUnspecified"
        | "isLoopback"
        | "isLinkLocalMulticast"
        | "isLinkLocalUnicast"
        | "isGlobalUnicast" => ONE.into(),
        "containsIP" | "containsCIDR" => contains(called, target?),
        "validate" => arg(0)?.by_factor(STRING_FACTOR).by_factor(FORMAT_REGEX_SIZE * REGEX_FACTOR).into(),
        "format.named" | "sign" | "asInteger" | "isInteger" | "asApproximateFloat" | "isGreaterThan" | "isLessThan"
        | "compareTo" | "add" | "sub" | "major" | "minor" | "patch" | "getScheme" | "getHostname" | "getHost"
        | "getPort" | "getEscapedPath" | "getQuery" => ONE.into(),
        "_==_" => return equality(called),
        _ => return None,
    })
}

fn same_size(size: Size) -> CallEstimate {
    CallEstimate { cost: size.by_factor(STRING_FACTOR), result: Some(size) }
}

fn selector(length: Size) -> CallEstimate {
    let requirements = length.by_factor(0.5).by_factor(50.0);
    LIST_CREATE.plus(length.by_factor(STRING_FACTOR)).plus(requirements).into()
}

/// One comparison for each element; of strings with a look at all of them. Strings themselves are looked through.
fn elements(target: &Arg) -> CallEstimate {
    let size = target.size_or_any();
    let parameters = target.of.parameters();
    let Some(item) = parameters.first() else {
        return size.by_factor(STRING_FACTOR).into();
    };
    let each = match item {
        Type::String | Type::Bytes => ONE.plus(target.item_size.unwrap_or(Size::ANY).by_factor(STRING_FACTOR)),
        _ => ONE,
    };
    size.times_cost(each).into()
}

/// The shortest and longest that a text may become.
fn replace(text: Size, old: Size, new: Size) -> CallEstimate {
    let ratio = |whole: u64, part: u64| (whole as f64 / part as f64).ceil() as u64;
    let (most, kept_max) = if old.min == 0 {
        (text.max.saturating_add(1), text.max)
    } else if new.max <= old.min {
        (0, text.max)
    } else {
        (ratio(text.max, old.min), 0)
    };
    let (least, kept_min) = if old.max == 0 {
        (text.min.saturating_add(1), text.min)
    } else if old.max <= new.min {
        (0, text.min)
    } else {
        (ratio(text.min, old.max), 0)
    };
    let result = Size { min: least, max: most }.times(new).plus(Size { min: kept_min, max: kept_max });
    CallEstimate { cost: text.by_factor(2.0 * STRING_FACTOR), result: Some(result) }
}

fn join(list: &Arg, separator: Option<Size>) -> CallEstimate {
    let count = list.size_or_any();
    let items = list.item_size.unwrap_or(Size::ANY);
    let mut size = count.times(items);
    if let Some(separator) = separator {
        let gaps = Size { min: count.min.saturating_sub(1), max: count.max.saturating_sub(1) };
        size = size.plus(separator.times(gaps));
    }
    CallEstimate { cost: size.by_factor(STRING_FACTOR), result: Some(size) }
}

fn contains(called: &Called, target: Size) -> CallEstimate {
    let mut cost = target.plus(target).by_factor(STRING_FACTOR);
    if called.function == "containsCIDR" {
        cost = cost.plus(target.by_factor(STRING_FACTOR)).plus(ONE);
    }
    if called.overload.ends_with("_string") {
        let text = called.args.first().map_or(Size::ANY, Arg::size_or_any);
        cost = cost.plus(text.by_factor(STRING_FACTOR));
    }
    cost.into()
}

fn equality(called: &Called) -> Option<CallEstimate> {
    let [left, right] = called.args else { return None };
    if left.of != right.of {
        return None;
    }
    let name = match left.of {
        Type::Object(name) | Type::Opaque(name, _) => &**name,
        _ => return None,
    };
    Some(match name {
        "net.IP" | "net.CIDR" | "kubernetes.Quantity" | "kubernetes.Semver" => ONE.into(),
        "kubernetes.NamedFormat" => Size { min: 1, max: FORMAT_SIZE }.by_factor(STRING_FACTOR).into(),
        "kubernetes.URL" => {
            // Only the right side's size is looked at, as upstream does.
            let max = right.size.map_or(1, |size| size.max);
            Size { min: 1, max }.by_factor(STRING_FACTOR).into()
        }
        name if name.starts_with("kubernetes.authorization.") => ONE.into(),
        _ => return None,
    })
}
