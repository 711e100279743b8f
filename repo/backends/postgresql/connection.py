"""One connection to a server, and the settings of its session."""

from __future__ import annotations

import random
import select
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import psycopg
from psycopg import errors, pq
from psycopg.abc import PQGen

from repo.watching import LOG

_T = TypeVar("_T")

PROOF_SECONDS: Final = 5.0
"""How long a server may take to prove that it answers."""

GRACE_SECONDS: Final = 10.0
"""How much longer than a statement may take its answer is waited for."""
_LOOK_SECONDS: Final = 15.0
"""How long to wait for an answer before looking whether the server lives, and how often then."""

_IDLE_IN_TRANSACTION_SECONDS: Final = 600

# Here and not in queries/: a session is set up before queries are bound to it.
_CONFIGURE: Final = """
SELECT
    set_config('timezone', 'UTC', false),
    set_config('statement_timeout', %(statement)s, false),
    CASE WHEN %(read_only)s THEN set_config('default_transaction_read_only', 'on', false) END,
    (
        SELECT set_config(s.name, %(idle)s, false)
        FROM pg_settings AS s
        WHERE s.name = 'idle_in_transaction_session_timeout' AND s.source = 'default'
    )
"""
"""Sets a session up; the limit on idling only where neither server nor role sets one."""


class PooledConnection(psycopg.Connection[Any]):
    """A pooled connection that knows when it was last used, and whether the server sent something since.

    ``reader`` is a cursor of binary results, kept from one query to the next. ``began`` is the statement
    that began its transaction. ``each_time`` are the settings with which every transaction begins if a
    pooler shares the server's sessions. ``patience`` is how many seconds an answer may take; ``look``
    tells whether the server answers a new connection. ``home`` takes the connection when nobody holds
    it. ``loop`` is the event loop of the task that took it, if any.
    """

    reader: psycopg.Cursor[Any] | None = None
    began = ""
    each_time = ""
    patience: float | None = None
    look: Callable[[], bool] | None = None
    home: deque[PooledConnection] | None = None
    loop: object = None
    used_at = 0.0
    taken_at = 0.0
    stale = False
    _poll: Any = None

    def heard_something(self) -> bool:
        """Whether the server has sent anything unasked, which mostly means that the session ended.

        Only the socket is looked at, which takes microseconds.
        """
        if not hasattr(select, "poll"):  # Windows
            return False
        if self._poll is None:
            self._poll = select.poll()
            self._poll.register(self.fileno(), select.POLLIN)
        return bool(self._poll.poll(0))

    def wait(self, gen: PQGen[_T], interval: float = 0.1, timeout: float | None = None) -> _T:
        """Wait for an answer, but not for ever: a frozen server keeps its sockets open.

        After some seconds, ``look`` tells whether the server still answers. Calls with a ``timeout`` are
        the driver's own, which handles it.
        """
        if timeout is not None:
            return super().wait(gen, interval, timeout)
        limit = self.patience
        waited = 0.0
        while True:
            turn = _LOOK_SECONDS if limit is None else min(_LOOK_SECONDS, limit - waited)
            try:
                return super().wait(gen, interval, turn)
            except errors._WaitTimeout as error:
                waited += turn
                if (limit is None or waited < limit) and (self.look is None or self.look()):
                    continue
                self.pgconn.finish()
                raise psycopg.OperationalError(
                    f"the server has not answered for {waited:.0f} seconds"
                ) from error

    @contextmanager
    def impatient(self) -> Iterator[None]:
        """Wait only briefly, for statements that a healthy server answers at once."""
        usual, self.patience = self.patience, PROOF_SECONDS
        try:
            yield
        finally:
            self.patience = usual

    def enter(self) -> None:
        """Begin a transaction for a single read, which would lack the settings otherwise."""
        if self.pgconn.transaction_status == pq.TransactionStatus.IDLE:
            self.execute(f"BEGIN READ ONLY{self.each_time}", prepare=False)

    def prove(self, *, read_only: bool) -> None:
        """Check that the server answers, and takes writes unless only reads are wanted.

        :raises psycopg.Error: where it does not; the connection is closed then.
        """
        try:
            with self.impatient():
                answer = self.execute("SHOW transaction_read_only").fetchone()
            if answer == ("on",) and not read_only:
                raise errors.ReadOnlySqlTransaction("the server takes no writes")
        except psycopg.Error:
            self.close()  # or the pool would hand it out again
            raise

    def __del__(self, *_: Any) -> None:
        """Return to the pool if an interrupt struck while nobody held it."""
        if self.home is not None and not self.closed:
            self.home.append(self)
        else:
            super().__del__()


@dataclass(frozen=True, slots=True)
class SessionSettings:
    """The settings of each session, or of each transaction where a ``pooler`` shares sessions."""

    read_only: bool
    statement_seconds: float
    pooler: bool

    def configure(self, connection: psycopg.Connection[Any]) -> None:
        """Set a new connection up."""
        LOG.info("connected to %s", connection.info.host or "the server")
        assert isinstance(connection, PooledConnection)
        milliseconds = round(self.statement_seconds * 1000 + 0.5)
        if self.statement_seconds:
            connection.patience = self.statement_seconds + GRACE_SECONDS
        else:
            milliseconds = 0
        if self.pooler:
            # If statements are prepared all the same, their names differ from those of other clients.
            connection._prepared._prepared_idx = random.getrandbits(60)
            connection.each_time = (
                "; SET LOCAL timezone TO 'UTC'"
                f"; SET LOCAL statement_timeout TO {milliseconds:d}"
                f"; SET LOCAL idle_in_transaction_session_timeout TO '{_IDLE_IN_TRANSACTION_SECONDS:d}s'"
            )
            return
        with connection.impatient():
            connection.execute(
                _CONFIGURE,
                {
                    "statement": str(milliseconds),
                    "idle": f"{_IDLE_IN_TRANSACTION_SECONDS:d}s",
                    "read_only": self.read_only,
                },
            )
