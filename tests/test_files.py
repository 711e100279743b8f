"""Files that are past all measure, or change while they are read: an error that names file and line."""

from __future__ import annotations

import gzip
import os
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest

import repo
from repo import Bar, ConfigurationError, Database, InvalidRecord, Ticker
from repo.delimited import files
from repo.delimited.files import BLANK_ROWS, COLUMNS, ROW_BYTES, Delimited
from repo.errors import Problem
from repo.loading import load
from tests.builders import day
from tests.cli_helpers import smdi

HEADER = b"symbol,date,close\n"
LONG = ROW_BYTES + 1
MEGABYTES = 6
BLANK = BLANK_ROWS // 100


pytestmark = pytest.mark.usefixtures("folder")


def read(path: Path) -> int:
    """Read a whole file; how many rows it has."""
    return sum(len(chunk.rows) for chunk in Delimited(path).chunks())


def row(size: int) -> bytes:
    """A row of three cells of so many bytes with its line end, none of them too long by itself."""
    third = (size - 3) // 3
    return b",".join([b"A" * third, b"B" * third, b"C" * (size - 3 - 2 * third)]) + b"\n"


_PAST_ALL_MEASURE: dict[str, tuple[bytes, int, str]] = {
    "a header": (row(LONG + 1), 1, "longer than"),
    "a line": (HEADER + b"A,2020-01-02,1\n\n" + row(LONG + 1), 4, "longer than"),
    "a line without end": (HEADER + b"," * (MEGABYTES << 20), 2, "longer than"),
    "a line that ends in return": (HEADER + row(LONG + 1).replace(b"\n", b"\r"), 2, "longer than"),
    "a row of many lines": (HEADER + b'A,1,1\n"' + b'\n","' * LONG + b'"\n', 3, "longer than"),
    "blank lines": (HEADER + b"\n" * (MEGABYTES << 20), 2, f"{BLANK:,} blank lines"),
    "blank lines and no header": (b"\r" * (MEGABYTES << 20), 1, f"{BLANK:,} blank lines"),
    "columns": (b"a" + b",a" * COLUMNS + b"\n", 1, f"{COLUMNS + 1:,} columns"),
}


@pytest.mark.parametrize("case", _PAST_ALL_MEASURE)
@pytest.mark.parametrize("name", ["market.csv.gz", "market.txt.gz"])
def test_past_all_measure(case: str, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lines, rows, columns and blank lines without end are refused by line, in bounded memory."""
    monkeypatch.setattr(files, "BLANK_ROWS", BLANK)
    data, line, reason = _PAST_ALL_MEASURE[case]
    Path(name).write_bytes(gzip.compress(data, 1))
    tracemalloc.start()
    try:
        with pytest.raises(InvalidRecord, match=reason) as refused:
            read(Path(name))
        assert tracemalloc.get_traced_memory()[1] < 4 << 20
    finally:
        tracemalloc.stop()
    (problem,) = refused.value.problems
    assert problem.file == name
    if "blank" in case:
        assert line < (problem.line or 0) <= line + BLANK + 1000
    elif name == "market.csv.gz" or case != "a header":
        assert problem.line == line
    assert len(str(refused.value)) < 300


def test_up_to_the_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """A line, blank lines and columns that are just within the limits are read."""
    monkeypatch.setattr(files, "BLANK_ROWS", BLANK)
    path = Path("market.csv")
    path.write_bytes(HEADER + row(ROW_BYTES) + b"\n" * (BLANK - 1000) + row(ROW_BYTES) * 30)
    assert read(path) == 31
    path.write_bytes(b",".join([b"column"] * COLUMNS) + b"\n")
    assert len(Delimited(path).header) == COLUMNS


def test_rows_of_many_cells_take_little_memory() -> None:
    """Rows as wide as can be are read a few at a time."""
    path = Path("market.csv.gz")
    path.write_bytes(gzip.compress(HEADER + (b"," * ROW_BYTES + b"\n") * 80, 1))
    tracemalloc.start()
    try:
        assert read(path) == 80
        assert tracemalloc.get_traced_memory()[1] < 130 << 20
    finally:
        tracemalloc.stop()


def test_many_columns_are_told_in_few_words() -> None:
    """However many columns there are and however long their names, a message is one to read."""
    path = Path("market.csv")
    names = [f"{'x' * 100} {number}" for number in range(2000)]
    path.write_text(",".join(names), encoding="utf-8")
    with (
        repo.connect("sqlite://") as empty,
        pytest.raises(ConfigurationError, match=r"no column for symbol, date, close") as refused,
    ):
        load(empty, path)
    assert len(str(refused.value)) < 1500
    assert "and 1,980 more" in str(refused.value)
    path.write_text(",".join(["symbol", "date", "close", *names]), encoding="utf-8")
    told = smdi("load", path, "--url", "sqlite:///x.db").err
    assert "ignored columns: 'xxx" in told
    assert len(told) < 1500


_CHANGES: dict[str, Callable[[Path], object]] = {
    "a row more": lambda path: path.write_bytes(path.read_bytes() + b"A,2020-01-02,1\n"),
    "a cell in place of another": lambda path: path.write_text(path.read_text().replace(",1\n", ",2\n")),
    "another file of its size": lambda path: Path("other").replace(path),
    "no file": lambda path: path.unlink(),
}


@pytest.mark.parametrize("case", _CHANGES)
def test_a_file_that_is_written_while_it_is_read(db: Database, case: str) -> None:
    """What was read of it may be half of one and half of another: nothing of it is kept."""
    db.tickers.upsert([Ticker("A", "Aye")])
    path = Path("market.csv")
    rows = "".join(f"A,{day(number)},1\n" for number in range(21_000))
    path.write_text(HEADER.decode() + rows)
    Path("other").write_text(HEADER.decode() + rows)
    os.utime(path, (1, 1))
    done: list[int] = []

    def change(kind: str, rows: int, position: int, size: int) -> None:
        if not done:
            done.append(rows)
            _CHANGES[case](path)

    with pytest.raises(ConfigurationError, match=r"market\.csv was changed while it was read"):
        load(db, path, progress=change)
    assert done == [20_000]
    assert db.market.history("A") == []


def test_a_file_that_was_changed_before_it_is_read(db: Database) -> None:
    """Between the look at its header and the rows there must be no change either."""
    path = Path("market.csv")
    path.write_bytes(HEADER)
    file = Delimited(path)
    path.write_bytes(HEADER + b"A,2020-01-02,1\n")
    with pytest.raises(ConfigurationError, match="was changed while it was read"):
        list(file.chunks())


def test_numbers_too_long_to_be_written_out(db: Database) -> None:
    """An int of thousands of digits is refused like any other, wherever it is given."""
    huge = 10**5000
    db.tickers.upsert([Ticker("A", "Aye")])
    said = r"<int of 16,610 bits>: must be from 0 to"
    with pytest.raises(InvalidRecord, match=said):
        db.market.upsert([Bar("A", day(0), None, None, None, 1.0, huge)])
    with pytest.raises(InvalidRecord, match="close = <int of 16,610 bits>: must be a float"):
        db.market.upsert([Bar("A", day(0), None, None, None, huge, 1)])
    with pytest.raises(InvalidRecord, match="cik = <int of"):
        db.institutions.get(huge)
    with pytest.raises(InvalidRecord, match="limit = <int of"):
        db.divergence.ranking(day(0), limit=huge)
    with pytest.raises(InvalidRecord, match=r"limit = <int of .*\[divergence\.ranking\]"):
        db.queries.divergence.ranking(
            as_of=day(0), source="s", recent_from=day(0), before_from=day(0), limit=huge
        )
    with pytest.raises(ConfigurationError, match=r"busy_timeout must be .* not <int of"):
        repo.connect("sqlite://", busy_timeout=huge)
    Path("market.csv").write_text(f"symbol,date,close,volume\nA,2020-01-02,1,1{'0' * 5000}\n")
    with pytest.raises(InvalidRecord, match=r"market\.csv:2: volume = '1000.*\.\.\.: is too large"):
        load(db, "market.csv")


def test_what_has_no_words_of_its_own() -> None:
    """A value whose repr fails is told by its type."""

    class Silent:
        def __repr__(self) -> str:
            raise LookupError

    assert str(Problem(3, "volume", Silent(), "must be an int")) == (
        "row 3: volume = <Silent>: must be an int"
    )
    assert len(str(Problem(3, "f" * 10_000, "v" * 10_000, "is no value"))) < 200
