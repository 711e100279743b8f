"""Type stubs of named queries, for editors and type checkers: ``db.queries.movers.gainers(...)``.

The stub has a class for each file of queries with a method for each query, and a class ``Queries`` of
them all, which is named where a database is opened::

    if TYPE_CHECKING:
        from sql.queries import Queries

    db: repo.Database[Queries] = repo.connect(queries=["sql"])

Names, parameters and their types, records and comments are those of the SQL files, as
:class:`repo.named.NamedQuery` checks them when a query runs.
"""

from __future__ import annotations

import re
import textwrap
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

from repo import records
from repo.catalogue import Catalogue, load
from repo.parameters import PYTHON_TYPES, Declared
from repo.queries import DIALECTS, Query, ResultColumn

_Shape = tuple[str, tuple[ResultColumn, ...]]
"""The name and the columns of a record."""

_HEAD: Final = '''\
# Made from the SQL by: smdi stubs. Do not edit; smdi stubs --check says whether it is current.
# ruff: noqa
# fmt: off
"""The named queries as type checkers see them; there is no such module when a program runs."""

import builtins
import datetime as dates
import typing
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from typing import Any, NamedTuple, TypedDict
'''
_QUALIFIED: Final = {
    **dict.fromkeys(["float", "int", "list", "str", "tuple"], "builtins"),
    **dict.fromkeys(["date", "datetime"], "dates"),
    **dict.fromkeys(["Any", "Iterable"], "typing"),
}
"""The modules of the names in annotations, which a class hides from itself that has such a member."""
_TAKEN: Final = {*_QUALIFIED, "Mapping", "NamedTuple", "Queries", "TypedDict"}
_OF_TUPLES: Final = frozenset({"count", "index"})
_IGNORED: Final = "  # type: ignore[assignment]  # hides a method of tuples"


def stub(folders: Sequence[Path | str]) -> str:
    """The stub of an application's folders of queries, which extends the package's own.

    :raises QueryContractError: when the files break the loader's contract.
    """
    return _stub(load(folders), own=False)


def own_stub() -> str:
    """The stub of the package's own queries: ``repo/query_types.pyi``."""
    return _stub(load(), own=True)


def _stub(catalogue: Catalogue, *, own: bool) -> str:
    package = {query.aggregate for query in _callable(catalogue) if query.ours}
    queries = [query for query in _callable(catalogue) if query.ours == own]
    names = _Records(queries)
    files = {
        query.aggregate: [each for each in queries if each.aggregate == query.aggregate]
        for query in queries
    }
    classes = [
        _file_class(
            file,
            found,
            names,
            f"query_types.{_title(file)}Queries" if not own and file in package else "",
        )
        for file, found in files.items()
    ]
    imports = [f"from repo.records import {', '.join(names.known)}"] if names.known else []
    if not own:
        imports.insert(0, "from repo import query_types")
    base = "" if own else "(query_types.Queries)"
    whole = [
        f"class Queries{base}:",
        '    """The files of queries, as attributes of ``db.queries``."""',
        "",
    ]
    whole += [f"    {file}: {_title(file)}Queries" for file in files] or ["    ..."]
    parts = ["\n".join([_HEAD, *imports]), *names.definitions, *classes, "\n".join(whole)]
    return "\n\n".join(parts) + "\n"


def _callable(catalogue: Catalogue) -> list[Query]:
    """The queries that a program may call by name, by file and name."""
    queries = (catalogue.query(name, DIALECTS[0]) for name in catalogue.names())
    return [query for query in queries if not query.bare]


def _title(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("_"))


class _Records:
    """What the classes of rows are called: the package's own are imported, others defined once each."""

    def __init__(self, queries: Iterable[Query]) -> None:
        self.definitions: list[str] = []
        self.known: list[str] = []
        self._names: dict[_Shape, str] = {}
        first: dict[_Shape, Query] = {}
        for query in queries:
            if query.record is not None:
                first.setdefault((query.record.__name__, query.columns), query)
        times = Counter(name for name, _ in first)
        for shape, query in first.items():
            name = shape[0]
            ours = getattr(records, name, None)
            if ours is query.record:
                self.known.append(name)
                continue
            # Two of a name with different columns, or a name that stands for something else.
            if times[name] > 1 or ours is not None or name in _TAKEN:
                name = f"{_title(query.aggregate)}{_title(query.name)}{name}"
            self._names[shape] = name
            self.definitions.append(_record_class(name, query))
        self.known.sort()

    def of(self, query: Query) -> str:
        """The name of the class of a query's rows."""
        assert query.record is not None
        return self._names.get((query.record.__name__, query.columns), query.record.__name__)


def _record_class(name: str, query: Query) -> str:
    types = {c.name: f"{c.type.__name__}{' | None' if c.nullable else ''}" for c in query.columns}
    fields = [
        f"    {field}: {_seen(kind, types)}{_IGNORED if field in _OF_TUPLES else ''}"
        for field, kind in types.items()
    ]
    return "\n".join(
        [f"class {name}(NamedTuple):", f'    """A row of {query.full_name}."""', "", *fields]
    )


def _seen(annotation: str, members: Collection[str]) -> str:
    """An annotation as it has to be written in a class that has these members."""
    return re.sub(
        r"\b[A-Za-z]+\b",
        lambda name: (
            f"{_QUALIFIED[name[0]]}.{name[0]}" if name[0] in _QUALIFIED.keys() & {*members} else name[0]
        ),
        annotation,
    )


def _parameter(declared: Declared) -> str:
    """The annotation of a parameter: any may be None, which is NULL."""
    plain = PYTHON_TYPES[declared.type].__name__
    return f"list[{plain}] | tuple[{plain}, ...] | None" if declared.array else f"{plain} | None"


def _file_class(file: str, queries: Sequence[Query], names: _Records, base: str) -> str:
    """A class of a file, preceded by the classes of the rows that its ``*!`` queries take."""
    before = [_row_class(each) for each in queries if each.operator == "*!"]
    members = {each.name for each in queries}
    head = f'class {_title(file)}Queries{f"({base})" if base else ""}:\n    """{file}.sql"""'
    return "\n\n".join(
        [*before, "\n\n".join([head, *(_method(each, names, members) for each in queries)])]
    )


def _row_class(query: Query) -> str:
    head = [
        f"class {_row_name(query)}(TypedDict):",
        f'    """A row that {query.full_name} takes."""',
        "",
    ]
    return "\n".join([*head, *_typed(query, query.types, "    ")])


def _typed(query: Query, members: Collection[str], before: str = "") -> list[str]:
    """The parameters of a query with their types, in a class that has these members."""
    return [f"{before}{name}: {_seen(_parameter(kind), members)}" for name, kind in query.types.items()]


def _row_name(query: Query) -> str:
    return f"{_title(query.aggregate)}{_title(query.name)}Row"


def _method(query: Query, names: _Records, members: Collection[str]) -> str:
    """A query as a method of a class that has these members."""
    if query.operator == "*!":
        parameters = f"self, rows: {_seen('Iterable', members)}[{_row_name(query)}], /"
    else:
        parameters = ", ".join(["self", *(["*"] if query.types else []), *_typed(query, members)])
    lines = "\n".join(_documentation(query.comment))
    return f"    def {query.name}({parameters}) -> {_seen(_answer(query, names), members)}:\n{lines}"


def _answer(query: Query, names: _Records) -> str:
    if query.framed:
        return "Any"  # a pyarrow.Table, which has no types of its own
    if query.operator in {"!", "*!"}:
        return "int"
    if query.operator == "$":
        return f"{query.columns[0].type.__name__} | None"
    return f"list[{names.of(query)}]" if query.operator == "" else f"{names.of(query)} | None"


def _documentation(comment: str) -> Iterator[str]:
    """A docstring; a raw one if the comment has a backslash."""
    text = textwrap.dedent(comment).strip().replace('"""', "'''")
    start = 'r"""' if "\\" in text else '"""'
    end = ' """' if text.endswith(('"', "\\")) else '"""'
    yield from textwrap.indent(f"{start}{text}{end}", "        ").splitlines()
