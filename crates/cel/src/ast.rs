//! An expression as a tree, macros already expanded. Every node has a number, under which the checker keeps its type.

/// A node: its number (dense from 0 within one expression) and the offset of its token in the source, in code points.
#[derive(Debug, Clone, PartialEq)]
pub struct Expr {
    pub id: u32,
    pub at: u32,
    pub kind: Kind,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Kind {
    Literal(Literal),
    /// A name; a leading dot says that it is absolute.
    Ident(Box<str>),
    Select(Box<Select>),
    Call(Box<Call>),
    List(Vec<Item>),
    Map(Vec<Entry>),
    Struct(Box<Struct>),
    Fold(Box<Fold>),
    /// What stands where a syntax error was; never checked or evaluated.
    Broken,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Literal {
    Null,
    Bool(bool),
    Int(i64),
    Uint(u64),
    Double(f64),
    String(Box<str>),
    Bytes(Box<[u8]>),
}

/// `operand.field`, or with `test` what `has(operand.field)` becomes.
#[derive(Debug, Clone, PartialEq)]
pub struct Select {
    pub operand: Expr,
    pub field: Box<str>,
    pub test: bool,
}

/// A call; operators are calls of functions named as upstream names them (`_+_`, `_[_]`, `!_`, `_?_:_`).
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    pub target: Option<Expr>,
    pub function: Box<str>,
    pub args: Vec<Expr>,
}

/// An item of a list; `optional` for `?item`.
#[derive(Debug, Clone, PartialEq)]
pub struct Item {
    pub value: Expr,
    pub optional: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    pub key: Expr,
    pub value: Expr,
    pub optional: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Struct {
    pub name: Box<str>,
    pub fields: Vec<Field>,
}

/// A field of a constructed object; `at` is the offset of its colon.
#[derive(Debug, Clone, PartialEq)]
pub struct Field {
    pub at: u32,
    pub name: Box<str>,
    pub value: Expr,
    pub optional: bool,
}

/// A loop over a list or map, what every macro but `has` becomes: `accu` starts as `init`, becomes `step` for every
/// element as long as `condition` holds, and `result` is the value.
#[derive(Debug, Clone, PartialEq)]
pub struct Fold {
    pub range: Expr,
    pub var: Box<str>,
    /// The second variable of two-variable macros: then the first is the index or key and this the value.
    pub var2: Option<Box<str>>,
    pub accu: Box<str>,
    pub init: Expr,
    pub condition: Expr,
    pub step: Expr,
    pub result: Expr,
}

impl Expr {
    /// The string of a string literal.
    pub fn literal_str(&self) -> Option<&str> {
        match &self.kind {
            Kind::Literal(Literal::String(text)) => Some(text),
            _ => None,
        }
    }

    /// `a.b.c` of identifiers and selections only; no presence tests.
    pub fn qualified_name(&self) -> Option<String> {
        match &self.kind {
            Kind::Ident(name) => Some(name.to_string()),
            Kind::Select(select) if !select.test => {
                let mut name = select.operand.qualified_name()?;
                name.push('.');
                name.push_str(&select.field);
                Some(name)
            }
            _ => None,
        }
    }
}

/// Calls `visit` with the node and all below it.
pub fn each(expr: &Expr, visit: &mut impl FnMut(&Expr)) {
    visit(expr);
    match &expr.kind {
        Kind::Literal(_) | Kind::Ident(_) | Kind::Broken => {}
        Kind::Select(select) => each(&select.operand, visit),
        Kind::Call(call) => call.target.iter().chain(&call.args).for_each(|part| each(part, visit)),
        Kind::List(items) => items.iter().for_each(|item| each(&item.value, visit)),
        Kind::Map(entries) => entries.iter().for_each(|entry| {
            each(&entry.key, visit);
            each(&entry.value, visit);
        }),
        Kind::Struct(construct) => construct.fields.iter().for_each(|field| each(&field.value, visit)),
        Kind::Fold(fold) => {
            for part in [&fold.range, &fold.init, &fold.condition, &fold.step, &fold.result] {
                each(part, visit);
            }
        }
    }
}
