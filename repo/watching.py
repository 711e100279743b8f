"""Watching statements: the logger ``repo``, slow queries, and a hook for metrics.

Only names, numbers and times are logged, no values and no passwords. Without a hook, a limit or a logger
at DEBUG, a query costs one look at the logger's level more.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextvars import ContextVar
from time import perf_counter
from typing import Any, Final

from repo.binding import Runs
from repo.errors import ConfigurationError
from repo.showing import short

LOG: Final = logging.getLogger("repo")
LOG.addHandler(logging.NullHandler())

OnQuery = Callable[[str, float, int], object]
"""Called after each statement with its query's name, the seconds it took and its number of rows.

A statement that failed has 0 rows. Statements of the hook itself are not reported to it.
"""


_telling: ContextVar[bool] = ContextVar("repo_telling", default=False)
"""Whether a hook is being called, which its own statements would call again."""


class Watch:
    """Reports statements: each at DEBUG and to the hook, slow ones at WARNING."""

    def __init__(self, slow_query: float | None, on_query: OnQuery | None) -> None:
        """Check what ``connect()`` was given.

        :raises ConfigurationError: if the limit is no number of seconds, or the hook no function.
        """
        number: Any = slow_query
        if type(number) not in (int, float, type(None)) or (number or 0) < 0:
            raise ConfigurationError(f"slow_query must be a number of seconds, not {short(number)}")
        if on_query is not None and not callable(on_query):
            raise ConfigurationError(f"on_query must be a function, not {short(on_query)}")
        self._slow = slow_query
        self._hook = on_query
        self._always = slow_query is not None or on_query is not None

    def watched(self, name: str, run: Runs) -> Runs:
        """The function, reporting each call, also one that fails."""
        always, wanted, tell = self._always, LOG.isEnabledFor, self._tell

        def watching(connection: Any, given: Any, /) -> Any:
            if not always and not wanted(logging.DEBUG):
                return run(connection, given)
            started = perf_counter()
            try:
                answer = run(connection, given)
            except BaseException as error:
                tell(name, perf_counter() - started, 0, type(error).__name__)
                raise
            tell(name, perf_counter() - started, _rows(answer))
            return answer

        return watching

    def _tell(self, name: str, seconds: float, rows: int, failure: str = "") -> None:
        outcome = failure or f"{rows} rows"
        LOG.debug("%s: %.3f ms, %s", name, 1000 * seconds, outcome)
        if self._slow is not None and seconds > self._slow:
            LOG.warning("slow query %s: %.3f s, %s", name, seconds, outcome)
        if self._hook is not None and not _telling.get():
            told = _telling.set(True)
            try:
                self._hook(name, seconds, rows)
            except Exception:
                # A failing hook must not fail the statement, which may be committed already.
                LOG.exception("on_query failed for %s", name)
            finally:
                _telling.reset(told)


def _rows(answer: Any) -> int:
    """The rows of an answer: of a list its length, of a write its count, of a record one."""
    if type(answer) is list:
        return len(answer)
    if type(answer) is int:
        return answer
    return 0 if answer is None else 1
