"""How things are measured: in a process of their own, by its clock, its memory and what it sends."""

from __future__ import annotations

import gc
import os
import pickle
import sys
import threading
import traceback
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Any, Final, TypeVar

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
