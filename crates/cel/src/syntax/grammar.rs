//! CEL's grammar as data. Left recursion is written as the loops that ANTLR makes of it.

use crate::lex::Token;

/// The rules, in the order of [`RULES`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Rule {
    Start,
    Expr,
    Or,
    And,
    Relation,
    Calc,
    Unary,
    Member,
    Primary,
    ExprList,
    ListInit,
    FieldInits,
    OptField,
    MapInits,
    EscapeIdent,
    OptExpr,
    Literal,
}

/// A piece of a rule. Decisions are `Peek` where ANTLR looks one token ahead, and otherwise predict as far as they must.
#[derive(Debug, Clone, Copy)]
pub enum Piece {
    /// One of these tokens.
    Tokens(&'static [Token]),
    /// A rule, for left-recursive ones with the strength from which its loop continues.
    Rule(Rule, u8),
    All(&'static [Piece]),
    /// Maybe; decided by one token.
    Maybe(&'static Piece),
    /// Any number; decided by one token when `.1`.
    Star(&'static Piece, bool),
    /// At least one; decided by one token when `.1`.
    Plus(&'static Piece, bool),
    /// One of these; decided by one token when `.1`.
    One(&'static [Piece], bool),
    /// What follows only binds this strongly.
    Binds(u8, &'static Piece),
}

use Piece::{All, Binds, Maybe, One, Plus, Star, Tokens};
use Rule as R;

const PEEK: bool = true;
const PREDICT: bool = false;

macro_rules! token {
    ($($token:ident)|+) => { Tokens(&[$(Token::$token),+]) };
}

macro_rules! rule {
    ($rule:ident) => {
        Piece::Rule(R::$rule, 0)
    };
    ($rule:ident, $strength:expr) => {
        Piece::Rule(R::$rule, $strength)
    };
}

const LEADING_DOT: Piece = Maybe(&token!(Dot));
const TRAILING_COMMA: Piece = Maybe(&token!(Comma));
const ARGUMENTS: Piece = Maybe(&rule!(ExprList));

/// What each [`Rule`] is.
pub const RULES: [Piece; 17] = [
    All(&[rule!(Expr), token!(Eof)]),
    All(&[rule!(Or), Maybe(&All(&[token!(Question), rule!(Or), token!(Colon), rule!(Expr)]))]),
    All(&[rule!(And), Star(&All(&[token!(Or), rule!(And)]), PEEK)]),
    All(&[rule!(Relation), Star(&All(&[token!(And), rule!(Relation)]), PEEK)]),
    All(&[
        rule!(Calc),
        Star(
            &Binds(
                1,
                &All(&[
                    token!(Equals | NotEquals | In | Less | LessEquals | GreaterEquals | Greater),
                    rule!(Relation, 2),
                ]),
            ),
            PREDICT,
        ),
    ]),
    All(&[
        rule!(Unary),
        Star(
            &One(
                &[
                    Binds(2, &All(&[token!(Star | Slash | Percent), rule!(Calc, 3)])),
                    Binds(1, &All(&[token!(Plus | Minus), rule!(Calc, 2)])),
                ],
                PREDICT,
            ),
            PREDICT,
        ),
    ]),
    One(
        &[
            rule!(Member),
            All(&[Plus(&token!(Exclam), PEEK), rule!(Member)]),
            All(&[Plus(&token!(Minus), PREDICT), rule!(Member)]),
        ],
        PREDICT,
    ),
    All(&[
        rule!(Primary),
        Star(
            &One(
                &[
                    All(&[token!(Dot), Maybe(&token!(Question)), rule!(EscapeIdent)]),
                    All(&[token!(Dot), token!(Ident), token!(LParen), ARGUMENTS, token!(RParen)]),
                    All(&[token!(LBracket), Maybe(&token!(Question)), rule!(Expr), token!(RBracket)]),
                ],
                PREDICT,
            ),
            PREDICT,
        ),
    ]),
    One(
        &[
            All(&[LEADING_DOT, token!(Ident)]),
            All(&[LEADING_DOT, token!(Ident), token!(LParen), ARGUMENTS, token!(RParen)]),
            All(&[token!(LParen), rule!(Expr), token!(RParen)]),
            All(&[token!(LBracket), Maybe(&rule!(ListInit)), TRAILING_COMMA, token!(RBracket)]),
            All(&[token!(LBrace), Maybe(&rule!(MapInits)), TRAILING_COMMA, token!(RBrace)]),
            All(&[
                LEADING_DOT,
                token!(Ident),
                Star(&All(&[token!(Dot), token!(Ident)]), PEEK),
                token!(LBrace),
                Maybe(&rule!(FieldInits)),
                TRAILING_COMMA,
                token!(RBrace),
            ]),
            rule!(Literal),
        ],
        PREDICT,
    ),
    All(&[rule!(Expr), Star(&All(&[token!(Comma), rule!(Expr)]), PEEK)]),
    All(&[rule!(OptExpr), Star(&All(&[token!(Comma), rule!(OptExpr)]), PREDICT)]),
    All(&[
        rule!(OptField),
        token!(Colon),
        rule!(Expr),
        Star(&All(&[token!(Comma), rule!(OptField), token!(Colon), rule!(Expr)]), PREDICT),
    ]),
    All(&[Maybe(&token!(Question)), rule!(EscapeIdent)]),
    All(&[
        rule!(OptExpr),
        token!(Colon),
        rule!(Expr),
        Star(&All(&[token!(Comma), rule!(OptExpr), token!(Colon), rule!(Expr)]), PREDICT),
    ]),
    One(&[token!(Ident), token!(EscIdent)], PEEK),
    All(&[Maybe(&token!(Question)), rule!(Expr)]),
    One(
        &[
            All(&[Maybe(&token!(Minus)), token!(Int)]),
            token!(Uint),
            All(&[Maybe(&token!(Minus)), token!(Float)]),
            token!(String),
            token!(Bytes),
            token!(True),
            token!(False),
            token!(Null),
        ],
        PREDICT,
    ),
];
