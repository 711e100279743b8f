"""Help for backends with forks, interrupts and event loops."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol
from weakref import WeakSet

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop


@contextmanager
def held(lock: threading.Lock) -> Iterator[None]:
    """Hold a lock, as ``with lock`` does, and release it even if Ctrl-C strikes at the end.

    An interrupt may strike between any two lines, and on the line of a ``with`` itself. So a line that
    gives something back also sets the flag that says so.
    """
    taken = freed = False
    try:
        try:
            taken = lock.acquire()
            yield
        finally:
            if taken:
                freed = lock.release() is None  # type: ignore[func-returns-value]  # on one line, see above
    finally:
        if taken and not freed:
            lock.release()


def running_loop() -> AbstractEventLoop | None:
    """The event loop that runs in this thread; asyncio is not imported for it."""
    asyncio = sys.modules.get("asyncio")
    loop: AbstractEventLoop | None = None if asyncio is None else asyncio._get_running_loop()
    return loop


class ForkAware(Protocol):
    """An object that is told of forks: its sockets and locks belong to one process."""

    def before_fork(self) -> None:
        """Called in the process that is about to fork, by the forking thread."""

    def after_fork_in_parent(self) -> None:
        """Called in the same process after the fork."""

    def after_fork_in_child(self) -> None:
        """Called in the child, first of all."""


_forking: WeakSet[ForkAware] = WeakSet()
_told: list[ForkAware] = []
_lock = threading.Lock()
_forks = 0


def forks() -> int:
    """How many forks there were between the first process and this one."""
    return _forks


def on_fork(each: ForkAware) -> None:
    """Tell an object of every fork, as long as it lives."""
    with held(_lock):
        _forking.add(each)


def _before() -> None:
    _lock.acquire()  # or the child would find the set half changed
    _told[:] = _forking
    for each in _told:
        each.before_fork()


def _in_parent() -> None:
    for each in _told:
        each.after_fork_in_parent()
    _told.clear()
    _lock.release()


def _in_child() -> None:
    global _forks
    _forks += 1
    for each in _told:
        each.after_fork_in_child()
    _told.clear()
    _lock.release()


if hasattr(os, "register_at_fork"):  # not on Windows, which has no fork
    os.register_at_fork(before=_before, after_in_parent=_in_parent, after_in_child=_in_child)
