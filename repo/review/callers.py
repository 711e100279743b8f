"""Who calls which named query, found by reading Python files.

A call names its query in full (``session.read("market.history", ...)``), by attributes
(``db.queries.movers.gainers(...)``), or by a name of which a part is known only when it runs
(``queries[f"{table.aggregate}.merge"]``, ``queries[f"rows.{table.aggregate}"]``): these call every query
that is named so.
"""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Final, NamedTuple

__all__ = ["Caller", "callers", "functions"]

_SKIPPED: Final = frozenset({"__pycache__", "node_modules", "site-packages", "build", "dist"})
_FULL_NAME: Final = re.compile(r"\w+\.\w+")
_FILE: Final = re.compile(r"\w+\.")
_NAMED: Final = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
_MODULE: Final = "<module>"


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
    files = [(file, _mentions(file.read_bytes())) for file in _files(code)]
    variables = {"", *(each for _, mentions in files for each in mentions.variables)}
    for file, mentions in files:
        for line, function, text, by in mentions.named:
            if by is not None:
                called = by_last[text] if by in variables else []
            elif text.endswith("."):
                called = [name for name in found if name.startswith(text)]
            else:
                called = [text] if text in found else []
            for name in called:
                found[name].setdefault((file, function), Caller(file, line, function))
    return {name: sorted(each.values()) for name, each in found.items()}


def functions(source: bytes) -> Mapping[str, str]:
    """The functions of a file by ``Class.method``, in a form that layout and comments do not change.

    What stands outside of them all is ``<module>``.
    """
    tree = _parsed(source)
    found: dict[str, str] = {}
    if tree is not None:
        _gather(found, tree, "")
    return found


def _gather(found: dict[str, str], node: ast.AST, inside: str) -> None:
    own = []
    for child in ast.iter_child_nodes(node):
        if isinstance(child, _NAMED):
            below = f"{inside}.{child.name}".lstrip(".")
            found[below] = ast.dump(child)
            _gather(found, child, below)
        elif not inside:
            own.append(ast.dump(child))
    if not inside:
        found[_MODULE] = "".join(own)


def _files(code: Iterable[Path]) -> Iterator[Path]:
    for place in code:
        if place.is_file():
            yield place
            continue
        for file in sorted(place.rglob("*.py")):
            inside = file.relative_to(place).parts
            skipped = any(part in _SKIPPED or part.startswith(".") for part in inside)
            if not skipped and file.is_file():
                yield file


def _parsed(source: bytes) -> ast.Module | None:
    """A file's tree; None for a template, or another Python's: it calls nothing that we know of."""
    try:
        return ast.parse(source)
    except (SyntaxError, ValueError):
        return None


class _Mention(NamedTuple):
    """A query that a function may name: in full, or by what stands behind the dot.

    ``by`` is None for a full name, and for a file's name with a dot. Otherwise it is the variable that
    holds what stands behind the dot; empty where it stands there itself.
    """

    line: int
    function: str
    text: str
    by: str | None


class _Mentions(NamedTuple):
    """What a file may name, and the variables that it puts behind the dot of a name."""

    named: Sequence[_Mention]
    variables: Collection[str]


@lru_cache(maxsize=1024)
def _mentions(source: bytes) -> _Mentions:
    named: list[_Mention] = []
    variables: set[str] = set()
    tree = _parsed(source)
    todo: list[tuple[ast.AST, str]] = [] if tree is None else [(tree, "")]
    while todo:
        node, inside = todo.pop()
        if isinstance(node, _NAMED):
            inside = f"{inside}.{node.name}".lstrip(".")
        for text, by in _named(node):
            named.append(_Mention(node.lineno, inside or _MODULE, text, by))  # type: ignore[attr-defined]
        match node:
            case ast.JoinedStr(
                values=[_, ast.Constant(value="."), ast.FormattedValue(value=ast.Name(id=name))]
            ):
                variables.add(name)  # f"{table.aggregate}.{statement}"
        todo += [(child, inside) for child in ast.iter_child_nodes(node)]
    return _Mentions(sorted(named, key=lambda each: each.line), variables)


def _named(node: ast.AST) -> Iterator[tuple[str, str | None]]:
    """The queries that a node may name, as :class:`_Mention` has them."""
    match node:
        case ast.Constant(value=str(text)) if _FULL_NAME.fullmatch(text):
            yield text, None
        case ast.JoinedStr(values=[ast.Constant(value=str(text)), _]) if _FILE.fullmatch(text):
            yield text, None
        case ast.JoinedStr(values=[*_, ast.Constant(value=str(text))]) if text.startswith("."):
            yield text[1:], ""
        case ast.Attribute(attr=name, value=ast.Attribute(attr=file, value=of)):
            if (isinstance(of, ast.Attribute) and of.attr == "queries") or (
                isinstance(of, ast.Name) and of.id == "queries"
            ):
                yield f"{file}.{name}", None
        case ast.keyword(arg=str(argument), value=ast.Constant(value=str(text))):
            yield text, argument
        case ast.FunctionDef(args=given) | ast.AsyncFunctionDef(args=given):
            positional = [*given.posonlyargs, *given.args]
            by_position = zip(positional[::-1], given.defaults[::-1], strict=False)
            by_name = zip(given.kwonlyargs, given.kw_defaults, strict=True)
            for parameter, default in (*by_position, *by_name):
                if isinstance(default, ast.Constant):
                    yield str(default.value), parameter.arg
