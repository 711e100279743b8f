"""Ctrl-C at any moment: whatever line it strikes, the database reads and writes at once afterwards."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

import repo
from repo import Database
from tests.builders import bar, day, seed

PACKAGE = str(Path(repo.__file__).parent)
MOST = 5000
"""More lines than any of these runs."""


KEPT: list[BaseException] = []
"""The last error, with the frames that it went through: an interactive Python keeps those too."""


class Interrupt:
    """Raises KeyboardInterrupt once, before a line of the package that none was raised before yet.

    A line counts anew where it is come by on another way: the two calls that led to it are looked at.
    """

    def __init__(self, struck: set[tuple[int, ...]]) -> None:
        self.struck = struck
        self.place = ""

    def __enter__(self) -> Interrupt:
        self._before = sys.gettrace()
        sys.settrace(self._call)
        return self

    def __exit__(self, *_: object) -> None:
        sys.settrace(self._before)

    def _call(self, frame: FrameType, event: str, given: Any) -> Any:
        # Python ignores what is raised while it collects garbage, whenever that happens to be.
        ours = frame.f_code.co_filename.startswith(PACKAGE) and frame.f_code.co_name != "__del__"
        return self._line if ours and not self.place else None

    def _line(self, frame: FrameType, event: str, given: Any) -> Any:
        if event == "line" and not self.place:
            way = _way(frame)
            if way not in self.struck:
                self.struck.add(way)
                self.place = f"{frame.f_code.co_filename}:{frame.f_lineno}"
                sys.settrace(None)
                raise KeyboardInterrupt
        return self._line


def _way(frame: FrameType) -> tuple[int, ...]:
    """A line and the two calls that led to it; code by its number, for to hash it takes long."""
    way: list[int] = []
    at: FrameType | None = frame
    while at is not None and len(way) < 6:
        way += (id(at.f_code), at.f_lineno)
        at = at.f_back
    return tuple(way)


def one_read(db: Database) -> None:
    db.market.history("AAPL")


def one_upsert(db: Database) -> None:
    db.market.upsert([bar(on=day(1), close=7.0), bar(on=day(2))])


def one_transaction(db: Database) -> None:
    with db.transaction() as tx:
        tx.market.upsert([bar(on=day(1), close=9.0)])
        with tx.transaction():
            db.market.upsert([bar(on=day(2))])
        tx.market.history("AAPL")


def one_that_goes_on(db: Database) -> None:
    """A block in which an interrupt is caught ends well or rolled back; what was undone stays so."""
    caught: BaseException | None = None
    try:
        with db.transaction() as tx:
            try:
                with suppress(LookupError), tx.transaction():
                    tx.market.upsert([bar("MSFT", day(1)), bar("MSFT", day(2))])
                    raise LookupError
            except KeyboardInterrupt as error:
                caught = error
            tx.market.history("AAPL")
    except repo.RepoError:
        if caught is None:
            raise
    assert db.market.history("MSFT") == []
    if caught is not None:
        raise KeyboardInterrupt


WORK: dict[str, Callable[[Database], None]] = {
    "a read": one_read,
    "an upsert": one_upsert,
    "a transaction": one_transaction,
    "a transaction that goes on": one_that_goes_on,
}


@pytest.fixture
def impatient(url: str, backend: str) -> Iterator[Database]:
    """A database that waits for nobody and has two connections at the most."""
    options: dict[str, Any] = {"busy_timeout": 0.05}
    if backend == "postgresql":
        options = {"min_size": 2, "max_size": 2, "pool_timeout": 30.0}
    gc.collect()  # or the database of an earlier test might be closed, and struck, by the way
    with repo.connect(url, **options) as db:
        seed(db)
        gc.collect()
        gc.disable()  # what earlier tests left would be closed by lines that are struck
        yield db
        gc.enable()


def strike(db: Database, work: Callable[[Database], None], struck: set[tuple[int, ...]]) -> str | None:
    """Where a line was struck; None where no other was left."""
    interrupt = Interrupt(struck)
    try:
        with interrupt:
            work(db)
    except KeyboardInterrupt as error:
        KEPT[:] = [error]
        return interrupt.place
    # What is struck while something is closed by the way may be swallowed; it was struck all the same.
    return interrupt.place or None


@pytest.mark.parametrize("case", WORK)
def test_the_connections_come_back(impatient: Database, backend: str, case: str) -> None:
    """Line after line of a call is struck, and each time the next read and the next write work."""
    work = WORK[case]
    work(impatient)
    struck: set[tuple[int, ...]] = set()
    for number in range(1, MOST):
        place = strike(impatient, work, struck)
        if place is None:
            break
        try:
            assert impatient.market.upsert([bar(on=day(100 + number))]) == 1
            assert impatient.market.history("AAPL", day(100 + number)) == [bar(on=day(100 + number))]
        except repo.RepoError as error:
            raise AssertionError(f"struck at {place}") from error
    assert 50 < number < MOST
    if backend == "sqlite":
        assert len(impatient._backend._all) <= 3  # type: ignore[attr-defined]  # none is left lying about
