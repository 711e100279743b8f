"""One call in a process that has done nothing else, for what it takes in time and in all of its memory.

``python -m tests.bench.alone JOB CONTESTANT URL [FILE...]`` prints a JSON object.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Callable
from importlib import import_module
from time import perf_counter
from typing import Any, Final

import repo
from repo import loading
from repo.sample import LAST_DAY, SOURCE
from tests.bench.contestants.base import NotOffered, ranking_parameters
from tests.bench.data import WINDOW_DAYS
from tests.bench.measure import memory

Call = Callable[[], Any]
Plain = Callable[[Any], list[tuple[Any, ...]]]


def _module(name: str) -> Any:
    try:
        return import_module(name)
    except ImportError as error:
        raise NotOffered(f"not installed ({error.name})") from error


def _tuples(rows: Any) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in rows]


def _frame(url: str, _: str) -> tuple[Call, Plain]:
    db = repo.connect(url)
    frame: Any = db.market.frame
    _module("pyarrow")
    frame([db.tickers.all()[0].symbol])  # imports what it needs

    def plain(table: Any) -> list[tuple[Any, ...]]:
        columns = [table.column(name).to_pylist() for name in repo.Bar._fields]
        return list(zip(*columns, strict=True))

    return frame, plain


def _records(url: str, _: str) -> tuple[Call, Plain]:
    db = repo.connect(url)
    names = [ticker.symbol for ticker in db.tickers.all()]
    return lambda: [bar for name in names for bar in db.market.history(name)], _tuples


def _ranking(url: str, _: str) -> tuple[Call, Plain]:
    db = repo.connect(url)
    return lambda: db.divergence.ranking(LAST_DAY, SOURCE, WINDOW_DAYS), _tuples


def _pandas(url: str, _: str) -> tuple[Call, Plain]:
    """The same ranking over the rows that were known that day, which are read by SQLAlchemy Core."""
    _module("pandas")
    core: Any = _module("tests.bench.pandas_ranking")
    engine = _module("tests.bench.contestants.sqlalchemy_core").make_engine(url)
    return lambda: core.ranking(engine, ranking_parameters(LAST_DAY)), _tuples


def _csv(url: str, path: str) -> tuple[Call, Plain]:
    """Load a file of bars."""
    db = repo.connect(url)

    def plain(_: Any) -> list[tuple[Any, ...]]:
        return [(sum(coverage.rows for coverage in db.market.coverage()),)]

    return lambda: loading.load(db, path, kind="market"), plain


CONTESTANTS: Final[dict[str, dict[str, Callable[[str, str], tuple[Call, Plain]]]]] = {
    "frame": {"ours": _frame, "list of records": _records},
    "ranking_large": {"ours": _ranking, "pandas": _pandas},
    "csv_memory": {"ours": _csv},
}


def _digest(rows: list[tuple[Any, ...]]) -> str:
    found = hashlib.sha256()
    for row in rows:
        found.update(repr(row).encode())
    return found.hexdigest()


def main(arguments: list[str]) -> dict[str, Any]:
    """Make the call; what it took, and what stands for its answer."""
    job, contestant, url = arguments[:3]
    try:
        call, plain = CONTESTANTS[job][contestant](url, arguments[3] if arguments[3:] else "")
    except NotOffered as missing:
        return {"reason": str(missing)}
    answers: list[Any] = []
    seconds: list[float] = []

    def run() -> None:
        start = perf_counter()
        answers.append(call())
        seconds.append(perf_counter() - start)

    above, resident = memory(run)
    rows = plain(answers[0])
    return {
        "seconds": seconds[0],
        "memory": above,
        "resident": resident,
        "rows": len(rows),
        "first": repr(rows[:1]),
        "digest": _digest(rows),
    }


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1:])))
