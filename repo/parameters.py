"""Parameters are checked against the types that their SQL declares: ``CAST(:start AS date)``.

A value is checked before the driver gets it, and converted to what the driver takes. A type stands for
the same Python values on both engines:

==================================  ==========================================================
``date``                            ``datetime.date``, and no ``datetime``
``timestamptz``                     a ``datetime`` with a time zone
``bigint``, ``integer``             ``int`` of 64 and 32 bits
``double precision``                ``float``, or an ``int`` that a float can hold
``text``                            ``str``
``text []``, ``bigint []`` ...      a list or tuple of those
==================================  ==========================================================

None is NULL everywhere. In SQLite's variant a list is what ``json_each(:names)`` reads.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from itertools import islice
from typing import Any, Final, NamedTuple

from repo.errors import InvalidRecord, Problem
from repo.validation import INT64_MAX, Refused, one_date, one_float, one_integer, one_text

_CAST: Final = re.compile(
    r"\bCAST\s*\(\s*:(?P<name>[A-Za-z_]\w*)\s+AS\s+"
    r"(?P<type>[a-z][a-z0-9 ]*?)\s*(?P<array>\[\s*\])?\s*\)",
    re.IGNORECASE,
)
_LIST: Final = re.compile(r"\bjson_each\s*\(\s*:(?P<name>[A-Za-z_]\w*)\s*\)", re.IGNORECASE)
_NOT_SQL: Final = re.compile(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|--[^\n]*|/\*.*?\*/", re.DOTALL)

_NAMES: Final[Mapping[str, str]] = {
    "date": "date",
    "timestamptz": "timestamptz",
    "timestamp with time zone": "timestamptz",
    "bigint": "bigint",
    "int8": "bigint",
    "integer": "integer",
    "int": "integer",
    "int4": "integer",
    "double precision": "double precision",
    "float8": "double precision",
    "text": "text",
}
_BATCH_ROWS: Final = 1000

PYTHON_TYPES: Final[Mapping[str, type]] = {
    "date": date,
    "timestamptz": datetime,
    "bigint": int,
    "integer": int,
    "double precision": float,
    "text": str,
}
"""The Python type that a caller gives for each."""


class Declared(NamedTuple):
    """The type that SQL declares for a parameter; ``type`` is empty for a list in json_each()."""

    type: str
    array: bool

    def __str__(self) -> str:
        return f"{self.type or 'json'} []" if self.array else self.type


class Dumpers(NamedTuple):
    """How checked values are converted for a driver: by type, where it does not take them; and lists."""

    values: Mapping[str, Callable[[Any], Any]]
    array: Callable[[list[Any]], Any]


def plain(sql: str) -> str:
    """A statement without its comments, with blanks for its literals and quoted names."""
    return _NOT_SQL.sub(" ", sql)


def declared(sql: str) -> dict[str, Declared]:
    """The types of a statement's parameters, from their casts.

    :raises ValueError: for an unknown type, and for a parameter that is cast to different ones.
    """
    text = plain(sql)
    found: dict[str, Declared] = {}
    for each in _LIST.finditer(text):
        found[each["name"]] = Declared("", array=True)
    for each in _CAST.finditer(text):
        written = " ".join(each["type"].lower().split())
        if written not in _NAMES:
            known = ", ".join(PYTHON_TYPES)
            raise ValueError(
                f":{each['name']} is cast to {written}; the types of parameters are {known}"
            )
        name, one = each["name"], Declared(_NAMES[written], each["array"] is not None)
        found[name] = agreed(name, found.get(name, one), one)
    return found


def agreed(name: str, one: Declared, other: Declared) -> Declared:
    """The type of a parameter that is declared twice: of two sizes of integers, the smaller.

    For json_each() it is a list of whatever the other declares.

    :raises ValueError: if they are of different kinds.
    """
    if one == other:
        return one
    for each, rest in ((one, other), (other, one)):
        # CAST(:names AS text) IS NULL goes with json_each(:names): SQLite gets a list as text.
        if each == ("", True) and (rest.array or rest.type == "text"):
            return rest if rest.array else each
    if one.array == other.array and {one.type, other.type} == {"bigint", "integer"}:
        return Declared("integer", one.array)
    raise ValueError(f":{name} is declared {one} and {other}")


def _aware(value: Any) -> datetime:
    if type(value) is not datetime:
        raise Refused(f"must be a datetime.datetime, not {type(value).__name__}")
    if value.utcoffset() is None:
        raise Refused("must have a time zone")
    try:
        return value.astimezone(UTC)
    except OverflowError:
        raise Refused("must be in the years 1 to 9999 in UTC") from None


CHECKS: Final[Mapping[str, Callable[[Any], Any]]] = {
    "date": one_date,
    "timestamptz": _aware,
    "bigint": one_integer(-INT64_MAX - 1, INT64_MAX),
    "integer": one_integer(-(2**31), 2**31 - 1),
    "double precision": one_float,
    "text": one_text,
}
"""The check of a value of each type; None is NULL and not checked."""


def _one(kind: Declared, dumpers: Dumpers) -> Callable[[Any], Any]:
    """A function that checks a parameter that is not None and converts it for the driver."""
    check = CHECKS[kind.type]
    dump = dumpers.values.get(kind.type)

    def one(value: Any) -> Any:
        return check(value) if dump is None else dump(check(value))

    def many(value: Any) -> Any:
        if isinstance(value, str | bytes) or not isinstance(value, Sequence):
            raise Refused(f"must be a list of {kind.type}, not {type(value).__name__}")
        return dumpers.array([None if each is None else one(each) for each in value])

    if kind.array:
        return many
    return one if dump is not None else check


def dumper(
    query: str, types: Mapping[str, Declared], dumpers: Dumpers
) -> Callable[[Mapping[str, Any]], dict[str, Any]]:
    """A function from the parameters of a call to those of the driver.

    It raises InvalidRecord, naming query and parameter, for a value of another type.
    """
    ones = [(name, _one(kind, dumpers)) for name, kind in types.items()]

    def dump(parameters: Mapping[str, Any]) -> dict[str, Any]:
        ready = {}
        name = ""
        try:
            for name, one in ones:
                value = parameters[name]
                ready[name] = None if value is None else one(value)
        except Refused as refused:
            reason = f"{_reason(name, types[name], parameters[name], str(refused))} [{query}]"
            raise InvalidRecord([Problem(None, name, parameters[name], reason)]) from None
        return ready

    return dump


def _reason(name: str, kind: Declared, value: Any, reason: str) -> str:
    if kind.array or not isinstance(value, list | tuple | set | frozenset):
        return reason
    return f"{reason}; {list_form(name, kind.type)}"


def list_form(name: str, kind: str) -> str:
    """How a query is written that takes a list, for a message."""
    return (
        f"a list is written = ANY(CAST(:{name} AS {kind} [])) on PostgreSQL and "
        f"read from json_each(:{name}) on SQLite"
    )


def row_dumper(
    query: str, types: Mapping[str, Declared], dumpers: Dumpers
) -> Callable[[Iterable[Mapping[str, Any]]], Iterator[list[list[Any]]]]:
    """A function from rows of parameters to lists of rows as the driver takes them, by position.

    It raises InvalidRecord as :func:`dumper` does, with the number of the row.
    """
    dump = dumper(query, types, dumpers)

    def batches(rows: Iterable[Mapping[str, Any]]) -> Iterator[list[list[Any]]]:
        number = 0
        if isinstance(rows, Mapping | str) or not isinstance(rows, Iterable):
            reason = f"must be an iterable of mappings, not {type(rows).__name__} [{query}]"
            raise InvalidRecord([Problem(None, "rows", rows, reason)])
        source = iter(rows)
        while batch := list(islice(source, _BATCH_ROWS)):
            ready = []
            for row in batch:
                if problem := _unlike(row, types):
                    field, reason = problem
                    raise InvalidRecord([Problem(number, field, row, f"{reason} [{query}]")])
                try:
                    ready.append(list(dump(row).values()))
                except InvalidRecord as invalid:
                    raise InvalidRecord([invalid.problems[0]._replace(row=number)]) from None
                number += 1
            yield ready

    return batches


def _unlike(row: object, types: Mapping[str, Declared]) -> tuple[str, str] | None:
    """What is wrong with the names in a row of parameters: the field and the reason."""
    if not isinstance(row, Mapping):
        return "row", f"must be a mapping of {', '.join(types)}, not {type(row).__name__}"
    if row.keys() == types.keys():
        return None
    missing = [name for name in types if name not in row]
    if missing:
        return missing[0], "is missing"
    return str(next(name for name in row if name not in types)), "is no parameter"
