"""What every upsert promises: counts, duplicates, bad rows, nothing half done, bounded memory."""

from __future__ import annotations

import signal
import tracemalloc
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest

import repo
from repo import Database, InvalidRecord, UnknownInstitution, UnknownTicker
from tests.builders import SERIES, TABLE_OF, bar, content, day, holding, python

FORMS: tuple[Callable[[Iterable[Any]], Iterable[Any]], ...] = (list, iter)
ROWS = 3500
SIZES = (1, 100, 101, 1000, 2500)
MEMORY_ROWS = 30_000
MEMORY_BYTES = 3 << 20  # two thirds of what these rows take

EACH = pytest.mark.parametrize("kind", SERIES)


def upsert(db: Database, kind: str, rows: Iterable[Any]) -> int:
    """Write rows through the repository of a kind."""
    written: int = getattr(db, kind).upsert(rows)
    return written


@EACH
def test_only_new_and_different_rows_count(seeded: Database, kind: str) -> None:
    """New rows count, the same again do not, and of a mixture only the new and the changed do."""
    make = SERIES[kind]
    for start, size in zip(range(0, 50_000, 10_000), SIZES, strict=True):
        numbers = range(start, start + size)
        rows = [make(number, 0) for number in numbers]
        assert upsert(seeded, kind, rows) == size
        assert upsert(seeded, kind, rows) == 0
        assert upsert(seeded, kind, iter(rows)) == 0
        changed = [make(number, int(number % 3 == 0)) for number in numbers]
        new = [make(number, 0) for number in range(start + size, start + size + 5)]
        assert upsert(seeded, kind, [*changed, *new]) == sum(n % 3 == 0 for n in numbers) + 5
        assert upsert(seeded, kind, [*changed, *new]) == 0
    for form in FORMS:
        assert upsert(seeded, kind, form([])) == 0


@EACH
def test_the_same_rows_again_write_nothing(seeded: Database, url: str, kind: str) -> None:
    """A second load leaves every stored row as it is, down to when it was created."""
    rows = [SERIES[kind](number, 0) for number in range(150)]
    upsert(seeded, kind, rows)
    before = content(url)
    assert len(before[TABLE_OF[kind]]) >= 150
    upsert(seeded, kind, rows)
    assert content(url) == before


@pytest.mark.parametrize("kind", ["market", "holdings", "sentiment"])
def test_every_missing_ticker_is_named(seeded: Database, url: str, kind: str) -> None:
    """The symbols missing from the whole input are named, once each, folded and sorted."""
    rows = [SERIES[kind](number, 0) for number in range(ROWS)]
    for place, symbol in ((0, "zz"), (1, "ZZ"), (1700, "nope"), (ROWS - 1, "B.1")):
        rows[place] = rows[place]._replace(symbol=symbol)
    before = content(url)
    for form in FORMS:
        with pytest.raises(UnknownTicker, match=r"^unknown ticker: B\.1, NOPE, ZZ$") as raised:
            upsert(seeded, kind, form(rows))
        assert raised.value.missing == ("B.1", "NOPE", "ZZ")
    assert content(url) == before


def test_every_missing_institution_is_named(seeded: Database, url: str) -> None:
    """The CIKs missing from the whole input are named, once each, sorted."""
    rows = [holding(quarter_end=day(number)) for number in range(ROWS)]
    for place, cik in ((3, 77), (4, 77), (1700, 5), (ROWS - 1, 66)):
        rows[place] = rows[place]._replace(cik=cik)
    before = content(url)
    for form in FORMS:
        with pytest.raises(UnknownInstitution) as raised:
            seeded.holdings.upsert(form(rows))
        assert raised.value.missing == (5, 66, 77)
    assert content(url) == before


def test_a_long_list_of_the_missing_is_cut_in_the_message_only(seeded: Database) -> None:
    """The error holds all that are missing; its message names twenty and counts the rest."""
    with pytest.raises(UnknownTicker) as raised:
        seeded.market.upsert(bar(f"N{number:02}") for number in range(50))
    assert len(raised.value.missing) == 50
    assert str(raised.value).endswith("N19 and 30 more")


def test_bad_rows_come_before_missing_tickers(seeded: Database) -> None:
    """An input with both is refused for its bad rows."""
    rows = [bar("NOPE"), *(bar(on=day(number)) for number in range(2000)), bar(volume=-1)]
    with pytest.raises(InvalidRecord) as raised:
        seeded.market.upsert(rows)
    assert raised.value.row == 2001


def test_rows_that_are_read_while_they_are_written(seeded: Database) -> None:
    """An input may read the database it is for."""
    seeded.market.upsert(bar(on=day(number)) for number in range(1500))

    def copies() -> Iterator[repo.Bar]:
        for number in range(1500):
            if number % 500 == 0:
                seeded.tickers.get("MSFT")
            yield bar("MSFT", day(number))

    assert seeded.market.upsert(copies()) == 1500
    copied = (row._replace(symbol="AAPL", volume=7) for row in seeded.market.history("MSFT"))
    assert seeded.market.upsert(copied) == 1500


def test_memory_is_bounded(seeded: Database) -> None:
    """Tens of thousands of rows of a generator are never in memory together."""

    def rows() -> Iterator[repo.Institution]:
        for number in range(MEMORY_ROWS):
            yield repo.Institution(100 + number, f"Some Capital {number} LLC")
        yield repo.Institution(100, "Another")  # the first key again: everything has to settle

    tracemalloc.start()
    try:
        assert seeded.institutions.upsert(rows()) == MEMORY_ROWS
        assert tracemalloc.get_traced_memory()[1] < MEMORY_BYTES
    finally:
        tracemalloc.stop()


_LOAD_AND_WAIT = """
import sys, time, repo
from tests.builders import bar, day

def rows():
    for number in range(5000):
        yield bar(on=day(number % 1500 if sys.argv[2] else number), close=3.0)
    print("written", flush=True)
    time.sleep(600)

with repo.connect(sys.argv[1]) as db:
    db.market.upsert(rows())
"""


@pytest.mark.parametrize("duplicates", ["", "duplicates"], ids=["each once", "some twice"])
def test_a_process_killed_in_the_middle_leaves_no_trace(
    seeded: Database, url: str, duplicates: str
) -> None:
    """After a kill the database is as it was, and takes the same rows whole."""
    seeded.market.upsert(bar(on=day(number)) for number in range(1000))
    before = content(url)
    with python(_LOAD_AND_WAIT, url, duplicates) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == "written\n", process.stderr.read()
        process.kill()
        assert process.wait() == -signal.SIGKILL
    assert content(url) == before
    assert seeded.market.upsert(bar(on=day(number), close=3.0) for number in range(5000)) == 5000
