"""Who calls which named query, found by reading Python files.

A call names its query in full (``session.read("market.history", ...)``), by attributes
(``db.queries.movers.gainers(...)``), or by a name whose file is known only when it runs
(``queries[f"{table.aggregate}.merge"]``): the last calls every query that is named so.
"""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import NamedTuple

__all__ = ["Caller", "callers"]

_SKIPPED = frozenset({"__pycache__", "node_modules", "site-packages", "build", "dist"})


class Caller(NamedTuple):
    """A function that calls a query: its file, the line of the call, and ``Class.method``."""

    file: Path
    line: int
    function: str


def callers(names: Collection[str], code: Iterable[Path]) -> Mapping[str, list[Caller]]:
    """The callers of queries, by full name; each function once a query, by file and line.

    :param names: the full names of the queries there are.
    :param code: Python files, or folders of them.
    """
    by_last: dict[str, list[str]] = defaultdict(list)
    for name in names:
        by_last[name.rpartition(".")[2]].append(name)
    found: dict[str, dict[tuple[Path, str], Caller]] = {name: {} for name in names}
    trees = [(file, tree) for file in _files(code) if (tree := _parsed(file)) is not None]
    variable = {each for _, tree in trees for node in ast.walk(tree) for each in _variable_name(node)}
    for file, tree in trees:
        for function, node in _with_function(tree, ""):
            for whole, last in _mentions(node, variable):
                called = [whole] if whole in found else by_last[last] if last else []
                for name in called:
                    found[name].setdefault((file, function), Caller(file, node.lineno, function))  # type: ignore[attr-defined]
    return {name: sorted(each.values()) for name, each in found.items()}


def _files(code: Iterable[Path]) -> Iterator[Path]:
    for place in code:
        if place.is_file():
            yield place
            continue
        for file in sorted(place.rglob("*.py")):
            inside = file.relative_to(place).parts
            if not any(part in _SKIPPED or part.startswith(".") for part in inside):
                yield file


def _parsed(file: Path) -> ast.Module | None:
    try:
        return ast.parse(file.read_bytes())
    except (
        SyntaxError,
        ValueError,
    ):  # a template, or another Python's: it calls nothing that we know of
        return None


def _with_function(node: ast.AST, inside: str) -> Iterator[tuple[str, ast.AST]]:
    """Every node below one, with the function that it is in."""
    for child in ast.iter_child_nodes(node):
        named = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        below = f"{inside}.{child.name}".lstrip(".") if named else inside  # type: ignore[attr-defined]
        yield below or "<module>", child
        yield from _with_function(child, below)


def _variable_name(node: ast.AST) -> Iterator[str]:
    """The variable after the dot of ``f"{table.aggregate}.{statement}"``."""
    if isinstance(node, ast.JoinedStr) and len(node.values) == 3:
        _, dot, last = node.values
        if (
            isinstance(dot, ast.Constant)
            and dot.value == "."
            and isinstance(last, ast.FormattedValue)
            and isinstance(last.value, ast.Name)
        ):
            yield last.value.id


def _mentions(node: ast.AST, variable: Collection[str]) -> Iterator[tuple[str, str]]:
    """The queries that a node names: in full, or by what stands behind the dot."""
    match node:
        case ast.Constant(value=str(text)):
            yield text, ""
        case ast.JoinedStr(values=[*_, ast.Constant(value=str(text))]) if text.startswith("."):
            yield "", text[1:]
        case ast.Attribute(attr=name, value=ast.Attribute(attr=file, value=of)):
            if (isinstance(of, ast.Attribute) and of.attr == "queries") or (
                isinstance(of, ast.Name) and of.id == "queries"
            ):
                yield f"{file}.{name}", ""
        case ast.keyword(arg=str(argument), value=ast.Constant(value=str(text))) if argument in variable:
            yield "", text
        case ast.FunctionDef(args=given) | ast.AsyncFunctionDef(args=given):
            positional = [*given.posonlyargs, *given.args]
            by_position = zip(positional[::-1], given.defaults[::-1], strict=False)
            for parameter, default in chain(
                by_position, zip(given.kwonlyargs, given.kw_defaults, strict=True)
            ):
                if parameter.arg in variable and isinstance(default, ast.Constant):
                    yield "", str(default.value)
