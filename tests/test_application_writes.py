"""An application's own writes: many rows at once, and the row that a write returns."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest

import repo

NOTES = """
-- name: make()!
-- Makes the table of notes. Index: none, it creates a table.
CREATE TABLE notes (id integer PRIMARY KEY, day date, weight double precision);

-- name: add_many(id, day, weight)*!
-- Writes notes. Index: the primary key.
INSERT INTO notes (id, day, weight)
VALUES (CAST(:id AS bigint), CAST(:day AS date), CAST(:weight AS double precision));

-- name: put(id, day, weight)<!
-- record_class: Note(id: int, day: date | None, weight: float | None)
-- Writes a note and gives it back. Index: the primary key.
INSERT INTO notes (id, day, weight)
VALUES (CAST(:id AS bigint), CAST(:day AS date), CAST(:weight AS double precision))
RETURNING id, day, weight;

-- name: every()
-- record_class: Note(id: int, day: date | None, weight: float | None)
-- The notes by id. Index: the primary key.
SELECT n.id AS id, n.day AS day, CAST(n.weight AS double precision) AS weight
FROM notes AS n
ORDER BY n.id;
"""


@pytest.fixture
def notes(url: str, tmp_path: Path) -> Iterator[repo.Database]:
    """A database with an application's table and queries."""
    folder = tmp_path / "sql"
    folder.mkdir()
    (folder / "notes.sql").write_text(NOTES, encoding="utf-8")
    with repo.connect(url, queries=[folder]) as db:
        db.queries.notes.make()
        yield db


def test_many_rows_are_written_and_counted(notes: repo.Database) -> None:
    """Rows are mappings of the declared parameters, in any order."""
    rows = [{"id": 2, "weight": -0.0, "day": date(2020, 1, 2)}, {"day": None, "id": 1, "weight": None}]
    assert notes.queries.notes.add_many(rows) == 2
    assert list(map(tuple, notes.queries.notes.every())) == [(1, None, None), (2, date(2020, 1, 2), 0.0)]
    assert str(notes.queries.notes.every()[1].weight) == "0.0"


def test_a_bad_row_among_many_is_named_and_nothing_is_written(notes: repo.Database) -> None:
    """The row's number, the parameter and the reason are in the error."""
    good = {"id": 1, "day": None, "weight": 1.0}
    with pytest.raises(repo.InvalidRecord) as caught:
        notes.queries.notes.add_many([good, {**good, "weight": float("nan")}])
    assert (caught.value.row, caught.value.field) == (1, "weight")
    with pytest.raises(repo.InvalidRecord) as caught:
        notes.queries.notes.add_many([good, {"id": 2, "day": None}])
    assert (caught.value.row, caught.value.field) == (1, "weight")
    with pytest.raises(repo.InvalidRecord, match=r"wieght.* is no parameter"):
        notes.queries.notes.add_many([good, {**good, "id": 2, "wieght": 1.0}])
    rows: list[Any] = [[(1, None, 1.0)], [None], good, None, "rows", 5]
    for each in rows:
        with pytest.raises(repo.InvalidRecord, match="mapping"):
            notes.queries.notes.add_many(each)
    with pytest.raises(repo.UniqueViolation):
        notes.queries.notes.add_many([good, good])
    assert notes.queries.notes.every() == []


def test_a_write_gives_its_row_back_as_a_record(notes: repo.Database) -> None:
    """RETURNING is typed like any other answer, whole floats included."""
    written = notes.queries.notes.put(id=7, day=date(2020, 1, 2), weight=2.0)
    assert (type(written).__name__, *written) == ("Note", 7, date(2020, 1, 2), 2.0)
    assert type(written.weight) is float
    assert notes.queries.notes.every() == [written]
