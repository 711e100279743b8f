"""A query of the SQL files: its text, parameters and columns."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, NamedTuple, get_type_hints

from aiosql.types import SQLOperationType

from repo.parameters import Declared

DIALECTS: Final = ("sqlite", "postgresql")

OPERATORS: Final[Mapping[SQLOperationType, str]] = {
    SQLOperationType.SELECT: "",
    SQLOperationType.SELECT_ONE: "^",
    SQLOperationType.SELECT_VALUE: "$",
    SQLOperationType.INSERT_UPDATE_DELETE: "!",
    SQLOperationType.INSERT_UPDATE_DELETE_MANY: "*!",
    SQLOperationType.INSERT_RETURNING: "<!",
}
"""The sign after a query's name for each operation of aiosql's but scripts."""

RunQuery = Callable[..., Any]
"""Runs a named query: called with its full name, and its parameters by keyword."""

_RETURNING: Final = re.compile(r"\bRETURNING\b", re.IGNORECASE)
_DEFINES: Final = re.compile(r"\s*(create|drop|alter)\b", re.IGNORECASE)
_VALUES: Final = re.compile(r"\bVALUES\s*(?P<row>\(\s*:\w+(?:\s*,\s*:\w+)*\s*\))", re.IGNORECASE)
_NAME: Final = re.compile(r"(?<![:\w]):([A-Za-z_]\w*)")
_STAGE: Final = re.compile(r"\b[a-z_]+_stage\b")
_NEEDS: Final = re.compile(r"\bNeeds:\s+(?P<relation>\w+)")
_RECORDS_REMEMBERED: Final = 512


class ResultColumn(NamedTuple):
    """One column of a query's rows."""

    name: str
    type: type
    nullable: bool


@dataclass(frozen=True, slots=True)
class Query:
    """One named statement of a file, for one dialect or for both (None)."""

    aggregate: str
    name: str
    dialect: str | None
    operator: str
    parameters: tuple[str, ...]
    record: type[Any] | None
    comment: str
    sql: str
    file: Path
    line: int
    types: Mapping[str, Declared]
    engine_only: bool = False

    @property
    def full_name(self) -> str:
        """``aggregate.name``."""
        return f"{self.aggregate}.{self.name}"

    @property
    def columns(self) -> tuple[ResultColumn, ...]:
        """The declared columns of its rows; none where no record is declared."""
        return columns_of(self.record) if self.record is not None else ()

    @property
    def location(self) -> str:
        """``file:line``."""
        return f"{self.file}:{self.line}"

    @property
    def writes(self) -> bool:
        """Whether it may change rows: by its operator, or because it has RETURNING."""
        return self.operator.endswith("!") or _RETURNING.search(self.sql) is not None

    @property
    def defines(self) -> bool:
        """Whether it makes, alters or drops a table or the like."""
        return _DEFINES.match(self.sql) is not None

    @property
    def aside(self) -> bool:
        """Whether it uses a temporary table of rows that one of the package's writes sets aside."""
        return self.ours and _STAGE.search(self.sql) is not None

    @property
    def ours(self) -> bool:
        """Whether it is the package's own."""
        return self.file.is_relative_to(shipped("queries"))

    @property
    def framed(self) -> bool:
        """Whether it is read in columns: see :mod:`repo.query_files`."""
        return self.name == "frame"

    @property
    def answers(self) -> bool:
        """Whether it returns rows."""
        return not self.operator.endswith("!") or self.operator == "<!"

    @property
    def needs(self) -> str | None:
        """The relation that it needs and that a database may lack, if any."""
        found = _NEEDS.search(self.comment)
        return None if found is None else found["relation"]

    @property
    def bare(self) -> bool:
        """Whether it lacks the types of parameters, or the columns of rows.

        Only the package's own writes may: their values come from checked records, and callers never get
        their rows.
        """
        untyped = any(name not in self.types for name in self.parameters)
        return untyped or (self.answers and self.record is None)

    @property
    def contract(self) -> dict[str, object]:
        """What must be the same in both variants."""
        record = None if self.record is None else (self.record.__name__, self.columns)
        return {"operator": self.operator, "parameters": self.parameters, "record": record}


def columns_of(record: type[Any]) -> tuple[ResultColumn, ...]:
    """The columns of a record, from its fields' types."""
    return _columns(record)  # type: ignore[arg-type]  # a class can be hashed, but mypy denies it


@lru_cache(maxsize=_RECORDS_REMEMBERED)
def _columns(record: type[Any]) -> tuple[ResultColumn, ...]:
    hints = get_type_hints(record)
    columns = []
    for name in record._fields:
        members = getattr(hints[name], "__args__", (hints[name],))
        plain = [member for member in members if member is not type(None)]
        columns.append(ResultColumn(name, plain[0], len(plain) < len(members)))
    return tuple(columns)


def many_rows(name: str) -> str:
    """The name of a ``*!`` query's many-row form; no query in a file can have such a name."""
    return f"{name}, many rows"


def rows_per_statement(values: int, columns: int) -> int:
    """How many rows fit into one statement with so many values; 0 if fewer than two."""
    rows = values // columns if columns else 0
    return rows if rows > 1 else 0


def with_rows(query: Query, rows: int) -> Query | None:
    """A ``*!`` query's form that takes so many rows at once, side by side; None if it has none.

    Only its ``VALUES (:a, :b)`` is repeated, as written in its file. It must have each of the query's
    parameters once, because they are bound by position.
    """
    found = _VALUES.findall(query.sql)
    if query.operator != "*!" or len(found) != 1 or not rows:
        return None
    (row,) = found
    if not _NAME.findall(query.sql) == _NAME.findall(row) == [*query.parameters]:
        return None
    return replace(query, sql=query.sql.replace(row, ", ".join([row] * rows)))


def shipped(folder: str) -> Path:
    """The folder of the package's own ``queries`` or ``schema``: in the wheel, or in the checkout."""
    inside = Path(__file__).parent / "sql" / folder
    return inside if inside.is_dir() else Path(__file__).parent.parent / folder
