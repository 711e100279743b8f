"""Rules about what is written: notation, functions, types and parameters that engines read alike."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from sqlglot import TokenType, exp

from repo.parameters import list_form
from repo.review.findings import Mark, Rule
from repo.review.kinds import unwrap
from repo.review.statements import Statement

__all__ = ["RULES"]

_PATTERNS: Final = (
    exp.Like,
    exp.ILike,
    exp.Glob,
    exp.SimilarTo,
    exp.RegexpLike,
    exp.RegexpILike,
)
_PORTABLE_FUNCTIONS: Final = frozenset(
    {
        "abs",
        "and",
        "case",
        "cast",
        "coalesce",
        "count",
        "cume_dist",
        "dense_rank",
        "exists",
        "first_value",
        "floor",
        "if",
        "lag",
        "last_value",
        "lead",
        "length",
        "max",
        "min",
        "nth_value",
        "ntile",
        "nullif",
        "or",
        "percent_rank",
        "rank",
        "row_number",
        "sqrt",
        "sum",
        "trim",
    }
)
"""Functions, and what sqlglot counts among them, that were measured to give the same on both engines."""

_FOLDED_SPELLINGS: Final = frozenset({"ifnull", "iif", "if", "len", "char_length", "character_length"})
"""Names of one engine that sqlglot reads as one of the functions above."""

_INEXACT: Final = frozenset(
    {
        "acos",
        "acosh",
        "asin",
        "asinh",
        "atan",
        "atan2",
        "atanh",
        "cbrt",
        "cos",
        "cosh",
        "cot",
        "degrees",
        "exp",
        "ln",
        "log",
        "log10",
        "log2",
        "pi",
        "pow",
        "power",
        "radians",
        "round",
        "sin",
        "sinh",
        "tan",
        "tanh",
    }
)
"""Functions whose last bits, or whose halves, differ between engines, versions and machines."""

_PORTABLE_TYPES: Final = frozenset({"BIGINT", "INT", "DOUBLE", "TEXT", "DATE", "TIMESTAMPTZ"})
_ARITHMETIC: Final = (exp.Add, exp.Sub, exp.Mul, exp.Div, exp.Mod)
_COMPARISONS: Final = (exp.EQ, exp.NEQ, exp.LT, exp.LTE, exp.GT, exp.GTE)


def notation(statement: Statement) -> Iterator[Mark]:
    """Double quotes, ::, E'' and $$ are read by one engine only, or as something else by the other."""
    before = ""
    for token in statement.tokens:
        kind = token.token_type
        if kind is TokenType.DCOLON:
            yield Mark(token, "write CAST(... AS ...) instead of ::")
        elif kind is TokenType.IDENTIFIER and before != "COLLATE":
            yield Mark(token, f"the name {token.text} must not need quotes")
        elif statement.portable and kind is TokenType.BYTE_STRING:
            yield Mark(token, "write a plain '...' instead of E'...'")
        elif statement.portable and kind is TokenType.HEREDOC_STRING:
            yield Mark(token, "write a plain '...' instead of $$...$$")
        before = token.text.upper()


def array(statement: Statement) -> Iterator[Mark]:
    """SQLite has no arrays: a list is one JSON or array parameter, in a variant for each."""
    if statement.portable:
        for each in statement.all(exp.Bracket, exp.Array, exp.Slice):
            if not isinstance(each, exp.Slice):
                yield Mark(each, "arrays and slices belong in a variant")
        for cast in statement.all(exp.Cast):
            if cast.to.this.name == "ARRAY":
                yield Mark(cast, "arrays belong in a variant")


def pattern(statement: Statement) -> Iterator[Mark]:
    """LIKE folds case in SQLite alone, and GLOB, SIMILAR TO and ~ are of one engine each."""
    if statement.portable:
        for each in statement.all(*_PATTERNS):
            yield Mark(each, "pattern matching differs between engines: compare, or write two variants")


def function(statement: Statement) -> Iterator[Mark]:
    """A function that was not measured on both engines is not known to give the same on both."""
    for token, following in zip(statement.tokens, statement.tokens[1:], strict=False):
        name = token.text.lower()
        called = following.token_type is TokenType.L_PAREN
        if statement.portable and called and name in _FOLDED_SPELLINGS:
            yield Mark(token, f"{name}() is of one engine: write coalesce, CASE or length")
    for each in statement.all(exp.Func):
        name = (each.name if isinstance(each, exp.Anonymous) else each.sql_name()).lower()
        if name in _INEXACT:
            yield Mark(each, f"{name}() differs in its last bits: compute it in Python")
        elif statement.portable and _of_several(each):
            yield Mark(each, "the greatest of several values is max() or greatest(): write CASE")
        elif statement.portable and name not in _PORTABLE_FUNCTIONS and not _has_own_rule(each):
            yield Mark(each, f"{name}() is not known to agree on both engines: write two variants")


def _of_several(node: exp.Expr) -> bool:
    several = isinstance(node, exp.Max | exp.Min) and bool(node.expressions)
    return several or isinstance(node, exp.Greatest | exp.Least)


def _has_own_rule(node: exp.Expr) -> bool:
    return isinstance(node, (*_PATTERNS, exp.Array)) or is_inexact_aggregate(node)


def is_inexact_aggregate(node: exp.Expr) -> bool:
    """Whether it is an average, a deviation or the like, whose result depends on the rows' order."""
    if isinstance(node, exp.Anonymous):
        return node.name.lower() in _INEXACT_AGGREGATES
    return isinstance(node, exp.AggFunc) and node.sql_name().lower() in _INEXACT_AGGREGATES


_INEXACT_AGGREGATES: Final = frozenset(
    {
        "avg",
        "corr",
        "covar_pop",
        "covar_samp",
        "median",
        "percentile_cont",
        "regr_avgx",
        "regr_avgy",
        "regr_intercept",
        "regr_r2",
        "regr_slope",
        "regr_sxx",
        "regr_sxy",
        "regr_syy",
        "stddev",
        "stddev_pop",
        "stddev_samp",
        "total",
        "var_pop",
        "variance",
        "variance_pop",
    }
)


def cast_type(statement: Statement) -> Iterator[Mark]:
    """A type must hold the same on both engines: real has 4 bytes in PostgreSQL, and 8 in SQLite."""
    for cast in statement.all(exp.Cast):
        name = cast.to.this.name
        if name == "FLOAT":
            yield Mark(cast, "real has 4 bytes in PostgreSQL: CAST AS double precision")
        elif statement.portable and name not in {*_PORTABLE_TYPES, "ARRAY"}:
            yield Mark(cast, "CAST AS bigint, integer, double precision, text, date or timestamptz")
        elif statement.portable and name in {"DATE", "TIMESTAMPTZ"} and cast.this.is_string:
            yield Mark(cast, "SQLite makes a year of a date in quotes: take it as a parameter")


def parameter(statement: Statement) -> Iterator[Mark]:
    """PostgreSQL has to be told a parameter's type where nothing beside it says so."""
    optional = {
        _parameter_of(each.this)
        for each in statement.all(exp.Is)
        if isinstance(each.expression, exp.Null)
    }
    for each in statement.all(exp.Placeholder):
        parent = each.parent
        while isinstance(parent, exp.Paren | exp.Neg):
            parent = parent.parent
        if isinstance(parent, exp.Is):
            yield Mark(each, f"write CAST(:{each.name} AS ...) IS NULL")
        elif isinstance(parent, _ARITHMETIC):
            yield Mark(
                each,
                f"CAST(:{each.name} AS integer) beside a date, AS bigint or double precision elsewhere",
            )
        elif statement.portable and isinstance(parent, _COMPARISONS) and each.name in optional:
            yield Mark(
                each, f"an optional parameter is cast wherever it stands: CAST(:{each.name} AS ...)"
            )
        elif isinstance(parent, exp.Alias | exp.Select):
            yield Mark(each, f"PostgreSQL selects :{each.name} as text: CAST(:{each.name} AS ...)")


def one_of_list(statement: Statement) -> Iterator[Mark]:
    """A parameter is one value: IN with a parameter alone finds nothing for a list, or says = badly."""
    for each in statement.all(exp.In):
        if len(each.expressions) == 1 and (name := _parameter_of(each.expressions[0])):
            yield Mark(each, f"write = for one value; {list_form(name, 'text')}")


def _parameter_of(node: exp.Expr) -> str:
    node = unwrap(node)
    while isinstance(node, exp.Cast):
        node = unwrap(node.this)
    return node.name if isinstance(node, exp.Placeholder) else ""


def date_step(statement: Statement) -> Iterator[Mark]:
    """PostgreSQL adds an integer to a date, and knows no date plus bigint."""
    for each in statement.all(exp.Add, exp.Sub):
        for date, days in ((each.this, each.expression), (each.expression, each.this)):
            cast = unwrap(days)
            long = isinstance(cast, exp.Cast) and cast.to.this.name == "BIGINT"
            if long and statement.kinds.kind(date) == "date":
                yield Mark(each, "days are added to a date as CAST(... AS integer)")


RULES: Final[tuple[Rule, ...]] = (
    notation,
    array,
    pattern,
    function,
    cast_type,
    parameter,
    one_of_list,
    date_step,
)
