"""How things are measured: in a process of their own, by its clock, its memory and what it sends."""

from __future__ import annotations

import gc
import itertools
import os
import pickle
import sqlite3
import sys
import tempfile
import threading
import traceback
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Any, Final, TypeVar

import psycopg
from psycopg import pq

__all__ = ["ChildFailed", "Statements", "in_child", "memory", "rotated", "timed"]

_T = TypeVar("_T")

_STATUS: Final = Path("/proc/self/status")
_CLEAR: Final = Path("/proc/self/clear_refs")
_RESET_HIGH_WATER: Final = "5"


class ChildFailed(Exception):
    """What a child process raised, as text."""


def in_child(work: Callable[[], _T]) -> _T:
    """What ``work`` gives, in a forked process that is gone afterwards.

    It has all the data of this process for nothing, and leaves no memory, no connection and no patch
    behind. This process has to have one thread only.
    """
    assert threading.active_count() == 1, "a lock that a thread holds would stay locked in the child"
    sys.stdout.flush()
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(reading)
            try:
                answer: tuple[bool, Any] = (True, work())
            except BaseException:  # it has to reach the parent, whatever it is
                answer = (False, traceback.format_exc())
            with os.fdopen(writing, "wb") as pipe:
                pickle.dump(answer, pipe)
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        raw = pipe.read()
    _, status = os.waitpid(child, 0)
    if not raw:
        raise ChildFailed(f"the child process died (status {status})")
    worked, value = pickle.loads(raw)  # noqa: S301  # from our own child
    if not worked:
        raise ChildFailed(value)
    result: _T = value
    return result


def timed(work: Callable[[int], Any], calls: int) -> float:
    """The seconds of one call, over ``calls`` of them, each with its number."""
    gc.collect()
    start = perf_counter()
    for number in range(calls):
        work(number)
    return (perf_counter() - start) / calls


def rotated(names: list[str], number: int) -> list[str]:
    """The names beginning with another one in every round, so that nobody is always first."""
    start = number % len(names) if names else 0
    return names[start:] + names[:start]


def memory(work: Callable[[], Any]) -> tuple[int | None, int | None]:
    """The high water of memory during ``work``, in KiB: above what there was before, and in all.

    None and None where the system does not tell (anything but Linux).
    """
    if not _CLEAR.exists():
        work()
        return None, None
    gc.collect()
    _CLEAR.write_text(_RESET_HIGH_WATER, encoding="ascii")
    before = _status("VmRSS")
    work()
    peak = _status("VmHWM")
    return max(peak - before, 0), peak


def _status(name: str) -> int:
    for line in _STATUS.read_text(encoding="ascii").splitlines():
        if line.startswith(name):
            return int(line.split()[1])
    raise AssertionError(f"{_STATUS} has no {name}")


class Statements:
    """Counts the statements this process sends from now on, whoever sends them; for a child process.

    On SQLite every execution counts, so one of ``executemany`` counts a row; on PostgreSQL every
    query of the simple protocol and every execution of a prepared one.
    """

    def __init__(self, backend: str) -> None:
        self._sqlite = 0
        self._folder = Path(tempfile.mkdtemp(prefix="smdi-trace-"))
        self._files = itertools.count()
        if backend == "sqlite":
            self._watch_sqlite()
        else:
            self._watch_postgresql()

    def _watch_sqlite(self) -> None:
        original = sqlite3.connect

        def count(statement: str) -> None:
            if not statement.startswith("--"):  # what a trigger or a virtual table runs
                self._sqlite += 1

        def connect(*arguments: Any, **options: Any) -> sqlite3.Connection:
            connection: sqlite3.Connection = original(*arguments, **options)
            connection.set_trace_callback(count)
            return connection

        for module in (sqlite3, sqlite3.dbapi2):
            setattr(module, "connect", connect)  # noqa: B010  # mypy refuses the assignment

    def _watch_postgresql(self) -> None:
        original = psycopg.Connection.connect.__func__  # type: ignore[attr-defined]  # a bound method's

        def connect(kind: Any, *arguments: Any, **options: Any) -> Any:
            connection = original(kind, *arguments, **options)
            path = self._folder / str(next(self._files))
            connection.pgconn.trace(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600))
            connection.pgconn.set_trace_flags(pq.Trace.SUPPRESS_TIMESTAMPS)
            return connection

        for owner in (psycopg.Connection, psycopg):
            bound = classmethod(connect) if owner is psycopg.Connection else None
            setattr(owner, "connect", bound or psycopg.Connection.connect)  # noqa: B010  # as above

    def sent(self) -> int:
        """How many there were so far."""
        total = self._sqlite
        for path in self._folder.iterdir():
            with path.open("rb") as trace:
                total += sum(line.startswith((b"F\t",)) and _executes(line) for line in trace)
        return total

    def close(self) -> None:
        """Delete what was written down."""
        for path in self._folder.iterdir():
            path.unlink()
        self._folder.rmdir()


def _executes(line: bytes) -> bool:
    """Whether a line of libpq's trace is a message that runs a statement."""
    kind = line.split(b"\t", 3)[2]
    return kind in (b"Query", b"Execute")
