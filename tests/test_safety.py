"""What every upsert promises: counts, duplicates, bad rows, nothing half done, bounded memory."""

from __future__ import annotations

import itertools
import random
import signal
import tracemalloc
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest

import repo
from repo import Database, InvalidRecord, Ticker, UnknownInstitution, UnknownTicker
from tests.builders import (
    BAD,
    SERIES,
    TABLE_OF,
    bar,
    content,
    day,
    holding,
    python,
    seed,
    spoil,
)

FORMS: tuple[Callable[[Iterable[Any]], Iterable[Any]], ...] = (list, iter)
ROWS = 3500
SIZES = (1, 100, 101, 1000, 2500)
MEMORY_ROWS = 300_000
MEMORY_BYTES = 16 << 20

EACH = pytest.mark.parametrize("kind", SERIES)


@pytest.fixture
def seeded(db: Database) -> Database:
    """The database under test with two tickers and two institutions."""
    seed(db)
    return db


def upsert(db: Database, kind: str, rows: Iterable[Any]) -> int:
    """Write rows through the repository of a kind."""
    written: int = getattr(db, kind).upsert(rows)
    return written


def numbers_of(duplicates: bool) -> list[int]:
    """The numbers of many rows, each once or the first of them again later."""
    return [number % 1500 if duplicates else number for number in range(ROWS)]


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


@EACH
def test_the_last_of_a_key_wins(pair: tuple[Database, Database], kind: str) -> None:
    """However duplicates lie, the last one stays and both engines count what differs from before."""
    for db in pair:
        seed(db)
    make = SERIES[kind]
    cases = itertools.product(("sorted", "reverse", "shuffled"), (40, 700, ROWS), FORMS)
    for case, (order, size, form) in enumerate(cases):
        chance = random.Random(case)
        start = 2000 * case
        numbers = [start + chance.randrange(size // 2) for _ in range(size)]
        if order != "shuffled":
            numbers.sort(reverse=order == "reverse")
        rows = [make(number, chance.randrange(3)) for number in numbers]
        before = {number: make(number, 1) for number in range(start, start + size // 2, 2)}
        after = before | dict(zip(numbers, rows, strict=True))
        expected = sum(before.get(number) != row for number, row in after.items())
        for db in pair:
            upsert(db, kind, before.values())
            assert upsert(db, kind, form(rows)) == expected, (db, order, size, form)
            assert upsert(db, kind, after.values()) == 0, (db, order, size, form)


@EACH
def test_a_reload_with_a_few_changes(pair: tuple[Database, Database], kind: str) -> None:
    """Among many rows that are there, changes and changes back count as they end."""
    make = SERIES[kind]
    base = [make(number, 0) for number in range(2500)]
    for db in pair:
        seed(db)
        upsert(db, kind, base)
    for case in (1, 2, 5):
        chance = random.Random(case)
        rows = list(enumerate(base))
        for _ in range(case):
            number, version = chance.randrange(2500), chance.randrange(3)
            rows.insert(chance.randrange(len(rows)), (number, make(number, version)))
            if case % 2:
                rows[number] = (rows[number][0], make(rows[number][0], version))
        after = dict(rows)
        expected = sum(after[number] != base[number] for number in after)
        for form, db in itertools.product(FORMS, pair):
            assert upsert(db, kind, form([row for _, row in rows])) == expected, (case, db, form)
            assert upsert(db, kind, form(list(after.values()))) == 0, (case, db, form)
            assert upsert(db, kind, base) == expected, (case, db, form)


@EACH
@pytest.mark.parametrize("duplicates", [False, True], ids=["each once", "some twice"])
def test_a_bad_row_anywhere_leaves_no_trace(
    seeded: Database, url: str, kind: str, duplicates: bool
) -> None:
    """The row is named by its place in the whole input, and the database is as it was."""
    make = SERIES[kind]
    upsert(seeded, kind, [make(0, 999), make(5000, 999)])
    before = content(url)
    for form, place in itertools.product(FORMS, (0, 2500, ROWS - 1)):
        rows = [make(number, version) for version, number in enumerate(numbers_of(duplicates))]
        rows[place] = spoil(kind, rows[place])
        with pytest.raises(InvalidRecord) as raised:
            upsert(seeded, kind, form(rows))
        assert content(url) == before
        assert len(raised.value.problems) == 1
        assert (raised.value.row, raised.value.field) == (place, BAD[kind][0]), form


def test_the_first_twenty_problems_in_order(seeded: Database) -> None:
    """Problems of several batches come by row and then by field, and end after the twentieth."""
    rows = [bar(on=day(number)) for number in range(ROWS)]
    bad = [*range(7, 3000, 300), 3001, 3002, 3003, 3004]
    for place in bad:
        rows[place] = rows[place]._replace(open=-1.0, volume=-place)
    expected = [
        (place, field, value) for place in bad for field, value in (("open", -1.0), ("volume", -place))
    ]
    for form in FORMS:
        with pytest.raises(InvalidRecord) as raised:
            seeded.market.upsert(form(rows))
        error = raised.value
        assert [(each.row, each.field, each.value) for each in error.problems] == expected[:20]
        assert (error.row, error.field, error.value) == (7, "open", -1.0)
        assert error.reason == error.problems[0].reason == "must be above 0 and below 1e12"
        assert str(error).splitlines()[0] == "row 7: open = -1.0: must be above 0 and below 1e12"
        assert len(str(error).splitlines()) == 20


def test_a_row_of_another_type(seeded: Database, url: str) -> None:
    """What is no Bar is refused by its row, beside good rows and alone."""
    before = content(url)
    wrong: tuple[Any, ...] = (None, (), ("AAPL",), {}, "AAPL", Ticker("A", "a"), tuple(bar()))
    for each in wrong:
        for place, rows in ((0, [each]), (1, [bar(), each]), (1, [bar(), each, bar()])):
            with pytest.raises(InvalidRecord) as raised:
                seeded.market.upsert(rows)
            assert (raised.value.row, raised.value.field) == (place, "Bar"), each
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


@EACH
def test_an_input_that_fails_by_itself(seeded: Database, url: str, kind: str) -> None:
    """A generator's own error comes out as it is, and what it gave before is not there."""

    def rows(duplicates: bool) -> Iterator[Any]:
        for version, number in enumerate(numbers_of(duplicates)):
            yield SERIES[kind](number, version)
        raise LookupError("the file ends here")

    before = content(url)
    for duplicates in (False, True):
        with pytest.raises(LookupError, match="the file ends here"):
            upsert(seeded, kind, rows(duplicates))
        assert content(url) == before
    assert upsert(seeded, kind, [SERIES[kind](0, 0)]) == 1


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
    """Hundreds of thousands of rows of a generator are never in memory together."""

    def rows() -> Iterator[repo.Institution]:
        for number in range(MEMORY_ROWS):
            yield repo.Institution(100 + number, "Some Capital LLC")
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
