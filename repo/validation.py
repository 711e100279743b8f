"""The checks of values: they refuse what the engines would store differently, or not at all.

Each kind of value has a check for one value, which returns it as it is stored or raises the reason, and
one for a whole column.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from itertools import repeat
from operator import add
from types import NoneType
from typing import Any, Final

from repo.errors import InvalidRecord, Problem

INT64_MAX: Final = 2**63 - 1
CIK_MAX: Final = 9_999_999_999
_PRICE_END: Final = 1e12
_CODES_REMEMBERED: Final = 10_000


class Refused(Exception):
    """A value that cannot be stored; the argument is the reason."""


def _plain(value: Any) -> Any:
    """Turn a numpy integer or float, which is what a DataFrame gives, into Python's own."""
    kind = getattr(getattr(value, "dtype", None), "kind", "")
    if kind and kind in "iuf" and getattr(value, "shape", None) == ():
        return value.item()
    return value


def one_integer(low: int, high: int) -> Callable[[Any], int]:
    """The check of an int from ``low`` to ``high``, both included."""

    def one(value: Any) -> int:
        if type(value) is not int:
            value = _plain(value)
            if type(value) is not int:
                raise Refused(f"must be an int, not {type(value).__name__}")
        if not low <= value <= high:
            raise Refused(f"must be from {low} to {high}")
        return value

    return one


def _many_integers(low: int, high: int) -> Callable[[Sequence[Any]], Sequence[int] | None]:
    def many(column: Sequence[Any]) -> Sequence[int] | None:
        return column if min(column) >= low and max(column) <= high else None

    return many


def one_float(value: Any) -> float:
    """The check of a finite float; an int is taken if the conversion loses nothing. -0.0 is 0.0."""
    return _as_float(value) + 0.0  # SQLite would drop the sign of a zero, PostgreSQL keep it


def _as_float(value: Any) -> float:
    value = _plain(value)
    if type(value) is int and -(2**1023) < value < 2**1023 and int(float(value)) == value:
        value = float(value)
    if type(value) is not float:
        raise Refused(f"must be a float, not {type(value).__name__}")
    if not math.isfinite(value):
        raise Refused("must be finite")
    return value


def _one_price(value: Any) -> float:
    number = _as_float(value)
    if not 0.0 < number < _PRICE_END:
        raise Refused("must be above 0 and below 1e12")
    return number


def _many_prices(column: Sequence[Any]) -> Sequence[float] | None:
    # A NaN hides from min and max, not from the sum.
    fits = min(column) > 0.0 and max(column) < _PRICE_END and math.isfinite(sum(column))
    return column if fits else None


def _one_between(low: float, high: float) -> Callable[[Any], float]:
    def one(value: Any) -> float:
        number = _as_float(value)
        if not low <= number <= high:
            raise Refused(f"must be from {low:g} to {high:g}")
        return number + 0.0  # see one_float()

    return one


def _many_between(low: float, high: float) -> Callable[[Sequence[Any]], Sequence[float] | None]:
    def many(column: Sequence[Any]) -> Sequence[float] | None:
        if min(column) >= low and max(column) <= high and math.isfinite(sum(column)):
            return list(map(add, column, repeat(0.0)))
        return None

    return many


def one_date(value: Any) -> date:
    """The check of a day: a ``datetime.date``, and no ``datetime``."""
    if type(value) is not date:
        raise Refused(f"must be a datetime.date, not {type(value).__name__}")
    return value


def _many_dates(column: Sequence[Any]) -> Sequence[date] | None:
    return column  # every date that Python has, both engines have


def one_text(value: Any) -> str:
    """The check of text that both engines store: without NUL and lone surrogates."""
    if type(value) is not str:
        raise Refused(f"must be a str, not {type(value).__name__}")
    if "\0" in value:
        raise Refused("must not contain NUL")
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise Refused("must not contain a lone surrogate") from None
    return value


def _one_name(length: int) -> Callable[[Any], str]:
    def one(value: Any) -> str:
        if type(value) is str and not 1 <= len(value) <= length:
            raise Refused(f"must have 1 to {length} characters")
        if type(value) is str and not value.strip():
            raise Refused("must not be blank")
        return one_text(value)

    return one


def _one_code(pattern: re.Pattern[str], reason: str) -> Callable[[Any], str]:
    @lru_cache(_CODES_REMEMBERED)  # most are given again and again
    def fold(value: str) -> str:
        if pattern.fullmatch(value) is None:
            raise Refused(reason)
        return value.upper()  # the pattern allows ASCII only

    def one(value: Any) -> str:
        if type(value) is not str:
            raise Refused(f"must be a str, not {type(value).__name__}")
        return fold(value)

    return one


def _by_distinct_value(one: Callable[[Any], str]) -> Callable[[Sequence[Any]], Sequence[str] | None]:
    """Check a text column by its distinct values, which are few in all but the smallest tables."""

    def many(column: Sequence[Any]) -> Sequence[str] | None:
        try:
            cleaned = {value: one(value) for value in set(column)}
        except Refused:
            return None
        if all(value is clean or value == clean for value, clean in cleaned.items()):
            return column
        return list(map(cleaned.__getitem__, column))

    return many


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a record: ``one`` cleans a value or refuses it, ``many`` a whole column.

    ``many`` gets values of exactly ``type`` and returns None unless all are valid; neither gets a None.
    A ``measure`` is a number by which nothing is looked up, so its range can be checked after the row
    was compared with the table. A file's column may also be named as in ``headers``, or as in
    ``second_choice`` if no column is named as in ``headers``.
    """

    name: str
    type: type
    one: Callable[[Any], Any]
    many: Callable[[Sequence[Any]], Sequence[Any] | None]
    nullable: bool = False
    measure: bool = False
    headers: tuple[str, ...] = ()
    second_choice: tuple[str, ...] = ()

    def fits(self, column: Sequence[Any]) -> bool:
        """Whether every value has the field's type, or is None if that is allowed."""
        kinds = set(map(type, column))
        return kinds == {self.type} or (self.nullable and kinds <= {self.type, NoneType})

    def clean(self, column: Sequence[Any]) -> Sequence[Any] | None:
        """A column that fits as it is stored; None if its values have to be checked one by one."""
        if self.measure:
            try:
                return self.many(column)  # min() and max() find a None by themselves
            except TypeError:
                pass
        elif not self.nullable or None not in column:
            return self.many(column)
        there = [value for value in column if value is not None]
        cleaned = self.many(there) if there else ()
        if cleaned is None:
            return None
        rest = iter(cleaned)
        return [None if value is None else next(rest) for value in column]

    def check(self, value: Any) -> Any:
        """The value as it is stored; raises ``Refused``."""
        if value is None:
            if self.nullable:
                return None
            raise Refused("must not be None")
        return self.one(value)


SYMBOL: Final = _one_code(
    re.compile(r"[A-Za-z0-9.\-]{1,16}", re.ASCII),
    "must have 1 to 16 characters from A-Z, 0-9, '.' and '-'",
)
CUSIP: Final = _one_code(
    re.compile(r"[A-Za-z0-9*@#]{9}", re.ASCII), "must have 9 characters from A-Z, 0-9, '*', '@' and '#'"
)
NAME: Final = _one_name(300)
SOURCE: Final = _one_name(64)


def text_field(name: str, one: Callable[[Any], str], *, nullable: bool = False) -> Field:
    """A field of text, checked by its distinct values."""
    return Field(name, str, one, _by_distinct_value(one), nullable)


def cik_field() -> Field:
    """An institution's Central Index Key."""
    return Field("cik", int, one_integer(1, CIK_MAX), _many_integers(1, CIK_MAX))


def count_field(name: str, *, nullable: bool = False) -> Field:
    """A field of integers from 0 on."""
    many = _many_integers(0, INT64_MAX)
    return Field(name, int, one_integer(0, INT64_MAX), many, nullable, measure=True)


def price_field(name: str, *, nullable: bool = False) -> Field:
    """A field of prices in dollars, above 0 and below 1e12."""
    return Field(name, float, _one_price, _many_prices, nullable, measure=True)


def between_field(name: str, low: float, high: float) -> Field:
    """A field of floats from ``low`` to ``high``, or None."""
    many = _many_between(low, high)
    return Field(name, float, _one_between(low, high), many, nullable=True, measure=True)


def date_field(name: str) -> Field:
    """A field of days."""
    return Field(name, date, one_date, _many_dates)


_ARGUMENTS: Final[dict[str, Callable[[Any], Any]]] = {
    "symbol": SYMBOL,
    "cik": one_integer(1, CIK_MAX),
    "source": SOURCE,
    "date": one_date,
    "days": one_integer(1, INT64_MAX),
    "count": one_integer(0, INT64_MAX),
}


def arguments(kind: str, name: str, values: Iterable[Any]) -> list[Any]:
    """Check each of several values as :func:`argument` does."""
    check = _ARGUMENTS[kind]
    checked = []
    for value in values:
        try:
            checked.append(check(value))
        except Refused as refused:
            raise InvalidRecord([Problem(None, name, value, str(refused))]) from None
    return checked


def argument(kind: str, name: str, value: Any, *, optional: bool = False) -> Any:
    """Check one argument of a call as a stored value is checked; the value as it would be stored.

    :param kind: ``symbol``, ``cik``, ``source``, ``date``, ``days`` (from 1) or ``count`` (from 0).
    :param name: what the argument is called, for the message.
    :raises InvalidRecord: with one problem, whose row is None.
    """
    if value is None and optional:
        return None
    try:
        return _ARGUMENTS[kind](value)
    except Refused as refused:
        raise InvalidRecord([Problem(None, name, value, str(refused))]) from None
