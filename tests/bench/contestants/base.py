"""What a contestant does: the jobs, and its results in a form that can be compared."""

from __future__ import annotations

import sqlite3
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, closing, nullcontext
from datetime import date, timedelta
from typing import Any, Final

from repo import Bar
from repo.sample import SOURCE
from tests.bench.data import WINDOW_DAYS

EPOCH: Final = date(1970, 1, 1).toordinal()

PRAGMAS: Final[Mapping[str, str]] = {
    "cache_size": "-65536",
    "temp_store": "MEMORY",
    "foreign_keys": "ON",
    "synchronous": "NORMAL",
}
"""The settings of this package's SQLite connections, for everybody. WAL is a property of the file.

``temp_store`` is that of its readers; nobody here has a savepoint, for which its writer has another.
"""


class NotOffered(Exception):
    """What cannot be measured here; the argument is the reason."""


def sqlite_path(url: str) -> str:
    """The file of a SQLite URL."""
    return url.removeprefix("sqlite:///")


def set_pragmas(connection: sqlite3.Connection) -> None:
    """Give a connection the settings that all contestants have."""
    for name, value in PRAGMAS.items():
        connection.execute(f"PRAGMA {name} = {value}")


def in_days(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters as SQLite stores them: dates as days since 1970-01-01."""
    return {
        name: value.toordinal() - EPOCH if isinstance(value, date) else value
        for name, value in parameters.items()
    }


def ranking_parameters(as_of: date) -> dict[str, Any]:
    """The parameters of the hand-written ranking."""
    return {
        "as_of": as_of,
        "source": SOURCE,
        "recent_from": as_of - timedelta(days=WINDOW_DAYS - 1),
        "before_from": as_of - timedelta(days=2 * WINDOW_DAYS - 1),
    }


class Contestant(ABC):
    """One way of doing the jobs, on a database of its own; made connected.

    A method gives what a caller of that package would get. ``bar``, ``row`` and the like turn it into
    plain values afterwards, outside of what is measured.
    """

    def __init__(self, url: str) -> None:
        self.url = url

    @abstractmethod
    def close(self) -> None:
        """Give up every connection."""

    def thread(self) -> AbstractContextManager[Contestant]:
        """What a thread of its own works with."""
        return nullcontext(self)

    @abstractmethod
    def latest(self, symbol: str) -> Any:
        """A ticker's last bar."""

    @abstractmethod
    def history(self, symbol: str, start: date, end: date) -> Any:
        """A ticker's bars in a range, by date."""

    @abstractmethod
    def load(self, bars: Sequence[Bar]) -> int | None:
        """Write bars where they are new or different, all or none; how many, where that is known."""

    def bar(self, native: Any) -> tuple[Any, ...]:
        """A bar as plain values in the order of Bar."""
        return self.row(native, 1)

    def of_ticker(self, native: Any, symbol: str) -> tuple[Any, ...]:
        """The same of a bar of the ticker that was asked for, of those that leave its symbol out."""
        return self.bar(native)

    def row(self, native: Any, day: int) -> tuple[Any, ...]:
        """A row as plain values; the one at ``day`` is a date, or SQLite's number of a day."""
        values = list(native)
        if type(values[day]) is int:
            values[day] = date.fromordinal(values[day] + EPOCH)
        return tuple(values)


class OneConnection(Contestant):
    """One that works on a connection of the driver, and whose threads have one each."""

    connection: Any

    def close(self) -> None:
        self.connection.close()

    def thread(self) -> AbstractContextManager[Contestant]:
        return closing(type(self)(self.url))
