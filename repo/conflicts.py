"""Work that meets a conflict is tried again."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import TypeVar

from repo.errors import ConflictError
from repo.watching import LOG

_T = TypeVar("_T")


def tried(
    work: Callable[[], _T],
    attempts: int,
    *,
    pause: float,
    longest: float = 0.0,
    worth: Callable[[ConflictError], bool] = lambda conflict: True,
    undo: Callable[[], None] = lambda: None,
) -> _T:
    """Call ``work`` until it meets no conflict; what it returns.

    :param pause: the most seconds between two attempts, doubled each time as long as they are below
        ``longest``.
    :param worth: whether a conflict is worth another attempt.
    :param undo: called before another attempt.
    :raises ConflictError: that of the last attempt.
    """
    for attempt in range(1, attempts):
        try:
            return work()
        except ConflictError as conflict:
            if not worth(conflict):
                raise
            LOG.info("attempt %d of %d met a conflict: %s", attempt, attempts, conflict)
        undo()
        time.sleep(random.uniform(0, pause))  # or those who met would meet again
        pause = max(pause, min(2 * pause, longest))
    return work()
