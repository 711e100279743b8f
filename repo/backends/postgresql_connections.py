"""A server's connections: how each is made, proved, kept warm, and given back."""

from __future__ import annotations

import os
import random
import select
import threading
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeVar
from weakref import finalize

import psycopg
import psycopg_pool
from psycopg import errors, pq
from psycopg.abc import PQGen

from repo.engine import running_loop
from repo.errors import ConfigurationError, DatabaseUnavailable
from repo.watching import LOG

__all__ = ["Connection", "Connections", "Settings"]

_T = TypeVar("_T")

_OLDEST: Final = 14
_PREPARE_THRESHOLD: Final = 5
_PROVE_AFTER_SECONDS: Final = 1.0
_PROOF_SECONDS: Final = 5.0
_WARM_SECONDS: Final = 60.0
_GRACE_SECONDS: Final = 10.0
_IDLE_IN_TRANSACTION_SECONDS: Final = 600
_RECONNECT_SECONDS: Final = 2.0
"""How long the pool's pauses between attempts may grow before it begins anew: a server that is back is
found within a second or two."""

_PATIENCE: Final = {
    "connect_timeout": 10,
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}
"""Within half a minute a call knows that a host is gone: libpq's own patience is two hours."""


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
"""What a session is set to; how long it may idle, only where neither server nor role says so."""


class Connection(psycopg.Connection[Any]):
    """A pooled connection that knows when it was last used and can tell if it was spoken to since.

    ``reader`` is a cursor of binary results, kept from one query to the next. ``began`` is the statement
    that began its transaction. ``each_time`` are the settings that every transaction begins with, where
    a pooler gives the server's session to somebody else after it. ``patience`` is how many seconds an
    answer may take. ``home`` takes the connection if nobody else has it any more. ``loop`` is the event
    loop of the task that took it, if one did.
    """

    reader: psycopg.Cursor[Any] | None = None
    began = ""
    each_time = ""
    patience: float | None = None
    home: deque[Connection] | None = None
    loop: object = None
    used_at = 0.0
    taken_at = 0.0
    stale = False
    _poll: Any = None

    def heard_something(self) -> bool:
        """Whether the server has sent anything while nothing was asked: an end, as a rule.

        It asks the socket and not the server, so it costs microseconds.
        """
        if not hasattr(select, "poll"):  # Windows
            return False
        if self._poll is None:
            self._poll = select.poll()
            self._poll.register(self.fileno(), select.POLLIN)
        return bool(self._poll.poll(0))

    def wait(self, gen: PQGen[_T], interval: float = 0.1, timeout: float | None = None) -> _T:
        """Wait for an answer, and not for ever: a server that is frozen keeps its sockets open."""
        limit = self.patience if timeout is None else timeout
        try:
            return super().wait(gen, interval, limit)
        except errors._WaitTimeout as error:
            self.pgconn.finish()
            raise psycopg.OperationalError(
                f"the server has not answered for {limit:.0f} seconds"
            ) from error

    def enter(self) -> None:
        """Begin a transaction for a read by itself, where it would have no settings without one."""
        if self.pgconn.transaction_status == pq.TransactionStatus.IDLE:
            self.execute(f"BEGIN READ ONLY{self.each_time}", prepare=False)

    def prove(self, *, read_only: bool) -> None:
        """Have the server answer soon, and take writes unless only reads are wanted.

        :raises psycopg.Error: where it does not; the connection is closed then.
        """
        usual, self.patience = self.patience, _PROOF_SECONDS
        try:
            answer = self.execute("SHOW transaction_read_only").fetchone()
            if answer == ("on",) and not read_only:
                raise errors.ReadOnlySqlTransaction("the server takes no writes")
        except psycopg.Error:
            self.close()  # or the pool would hand it out again
            raise
        self.patience = usual

    def __del__(self, *_: Any) -> None:
        """Go home if an interrupt came when it was taken and in nobody's hands yet, or no longer."""
        if self.home is not None and not self.closed:
            self.home.append(self)
        else:
            super().__del__()


@dataclass(frozen=True, slots=True)
class Settings:
    """What each session is set to; of its own, or by each transaction where a ``pooler`` shares it."""

    read_only: bool
    statement_seconds: float
    pooler: bool

    def configure(self, connection: psycopg.Connection[Any]) -> None:
        """Set a new connection up."""
        LOG.info("connected to %s", connection.info.host or "the server")
        assert isinstance(connection, Connection)
        milliseconds = round(self.statement_seconds * 1000 + 0.5)
        if self.statement_seconds:
            connection.patience = self.statement_seconds + _GRACE_SECONDS
        else:
            milliseconds = 0
        if self.pooler:
            # Where statements are prepared all the same, no name is that of another's statement.
            connection._prepared._prepared_idx = random.getrandbits(60)
            connection.each_time = (
                "; SET LOCAL timezone TO 'UTC'"
                f"; SET LOCAL statement_timeout TO {milliseconds:d}"
                f"; SET LOCAL idle_in_transaction_session_timeout TO '{_IDLE_IN_TRANSACTION_SECONDS:d}s'"
            )
            return
        connection.execute(
            _CONFIGURE,
            {
                "statement": str(milliseconds),
                "idle": f"{_IDLE_IN_TRANSACTION_SECONDS:d}s",
                "read_only": self.read_only,
            },
        )


class Connections:
    """A pool of connections that grows with its use; the one that was given back last is used first.

    A pool hands its connections out in turn. A caller that makes one call after another would wake
    another server process each time, and wait longer for that than for the answer.
    """

    def __init__(
        self,
        parameters: Mapping[str, Any],
        *,
        read_only: bool,
        statement_seconds: float,
        size: tuple[int, int],
        timeout: float,
    ) -> None:
        """Connect once in the open, for an error that tells at once what is wrong, and open the pool.

        :param parameters: of the driver's ``connect``; where ``prepare_threshold`` is not among them
            nothing is prepared behind a pooler, which may mix prepared statements up.
        :param statement_seconds: that a statement may take; 0 is no limit.
        :param timeout: seconds to wait for a connection when all are taken.
        :raises DatabaseUnavailable: where the server cannot be reached.
        :raises ConfigurationError: where it is too old, or has another encoding than UTF-8.
        """
        self._parameters = {**_PATIENCE, **parameters, "autocommit": True, "client_encoding": "utf8"}
        self._read_only = read_only
        self._size = size
        self._timeout = timeout
        pooler = self._first()
        self._parameters.setdefault("prepare_threshold", None if pooler else _PREPARE_THRESHOLD)
        self._settings = Settings(read_only, statement_seconds, pooler)
        self._opening = threading.Lock()
        self._warm: deque[Connection] = deque()
        self._lost: deque[Connection] = deque()
        self._in_loops: set[Connection] = set()
        self._waiting: deque[None] = deque()
        self._pool: _Pool | None = None
        self.closed = False
        self._open_pool()

    def _first(self) -> bool:
        """Look at the server; whether a pooler stands before it."""
        shown: str | None = None
        try:
            with Connection.connect(**self._parameters) as connection:
                encoding = connection.info.parameter_status("server_encoding")
                if encoding != "UTF8":
                    raise ConfigurationError(
                        f"the database is in {encoding}, and cannot hold every name; make one in UTF-8: "
                        "CREATE DATABASE name TEMPLATE template0 ENCODING 'UTF8'"
                    )
                version = connection.info.server_version // 10000
                if version < _OLDEST:
                    raise ConfigurationError(
                        f"PostgreSQL {_OLDEST} or newer is needed; the server is {version}"
                    )
                connection.prove(read_only=self._read_only)
                # A pooler gives its own keys for cancelling, not those of the server's process.
                ((pid,),) = connection.execute("SELECT pg_backend_pid()").fetchall()
                return bool(pid != connection.info.backend_pid)
        except psycopg.Error as error:
            cause: psycopg.Error = error
            shown = _without_secrets(str(error), self._parameters)
        if shown != str(cause):
            # Not even the driver's error may hold it, for that is what logs and error reports show.
            cause = type(cause)(shown)
        raise DatabaseUnavailable(shown) from cause

    def _open_pool(self) -> _Pool:
        smallest, largest = self._size
        settings, lost = self._settings, self._lost

        def configure(connection: Connection) -> None:
            settings.configure(connection)
            connection.home = lost

        pool = psycopg_pool.ConnectionPool(
            kwargs=self._parameters,
            connection_class=Connection,
            min_size=smallest,
            max_size=largest,
            timeout=self._timeout,
            reconnect_timeout=_RECONNECT_SECONDS,
            reconnect_failed=_try_again,
            configure=configure,
            open=True,
        )
        self._pool = pool
        # Held by the process and not by this object, so that a child of a fork leaves it alone.
        self._close = finalize(self, _close, os.getpid(), pool, self._warm, self._lost)
        return pool

    @property
    def pool(self) -> _Pool:
        """The pool of this process; a child of a fork makes its own when it first needs one."""
        if self._pool is None:
            with self._opening:
                if self.closed:
                    raise DatabaseUnavailable("no connection to be had: the database is closed")
                if self._pool is None:
                    return self._open_pool()
        return self._pool

    def after_fork(self) -> None:
        """Leave the parent's sockets alone: to close one properly would end the parent's session."""
        self._warm = deque()
        self._lost = deque()
        self._in_loops = set()
        self._waiting = deque()
        self._opening = threading.Lock()
        self._pool = None

    def take(self, seconds: float | None = None) -> Connection:
        """A connection that works.

        :param seconds: to wait for one, where that is not the usual time.
        :raises DatabaseUnavailable: where none is to be had.
        :raises ConfigurationError: where the event loop that would wait here has them all.
        """
        loop = running_loop()
        connection = self._take_warm() or self._take_cold(loop, seconds)
        if loop is not None:
            connection.loop = loop
            self._in_loops.add(connection)
        return connection

    def _take_warm(self) -> Connection | None:
        """The connection that was given back last, if that was a moment ago."""
        while connection := self._pop_warm():
            if self._is_warm(connection):
                return connection
            self.pool.putconn(connection)
        return None

    def _pop_warm(self) -> Connection | None:
        try:
            return self._warm.pop()
        except IndexError:
            return None

    def _take_cold(self, loop: object, seconds: float | None) -> Connection:
        """One of the pool, proved where it was not used for a while."""
        self._waiting.append(None)
        try:
            # One may have been given back before it was known that somebody waits.
            return self._take_warm() or self._take_of_pool(loop, seconds)
        finally:
            self._waiting.pop()

    def _take_of_pool(self, loop: object, seconds: float | None) -> Connection:
        pool = self.pool
        if loop is not None and sum(each.loop is loop for each in self._in_loops) >= pool.max_size:
            raise ConfigurationError(
                f"the tasks of this event loop have all {pool.max_size} connections in transactions "
                "held over an await: waiting here would stop the loop that they need to end; put "
                "what is done in a transaction into a function and call that with asyncio.to_thread"
            )
        self._fetch_lost(pool)
        deadline = time.monotonic() + (self._timeout if seconds is None else seconds)
        cause: psycopg.Error | None = None
        # The pool would pause between two dead connections, and longer each time.
        for _ in range(pool.max_size):
            try:
                connection = pool.getconn(max(deadline - time.monotonic(), 0.001))
            except (psycopg.Error, psycopg_pool.PoolClosed) as error:
                raise DatabaseUnavailable(f"no connection to be had: {cause or error}") from error
            connection.taken_at = time.monotonic()
            idle = connection.taken_at - connection.used_at
            if idle < _PROVE_AFTER_SECONDS and not connection.heard_something():
                return connection
            try:
                connection.prove(read_only=self._read_only)
            except psycopg.Error as error:
                pool.putconn(connection)
                cause = error
                if time.monotonic() - connection.taken_at >= _PROOF_SECONDS:
                    break  # it does not answer, and would not on another connection
            else:
                return connection
        raise DatabaseUnavailable(f"no connection to be had: {cause}") from cause

    def _is_warm(self, connection: Connection) -> bool:
        now = time.monotonic()
        return (
            now - connection.used_at < _PROVE_AFTER_SECONDS
            and now - connection.taken_at < _WARM_SECONDS
            and not connection.heard_something()
        )

    def _fetch_lost(self, pool: _Pool) -> None:
        """Have the pool replace what an interrupt left in nobody's hands."""
        while self._lost:
            connection = self._lost.pop()
            connection.close()
            connection._pool = pool
            pool.putconn(connection)

    def give_back(self, connection: Connection) -> None:
        """Keep a connection for the next caller, unless it is of no more use."""
        if connection.loop is not None:
            connection.loop = None
            self._in_loops.discard(connection)
        connection.used_at = time.monotonic()
        if connection.stale:
            connection.close()  # the pool makes another in its place
        pool = self.pool
        if connection.closed or pool.closed:
            pool.putconn(connection)
        else:
            self._warm.append(connection)
            if self._waiting and (given := self._pop_warm()):
                pool.putconn(given)  # which gives it to who has waited longest

    def replace(self) -> None:
        """Give up the connections there are."""
        _cool(self.pool, self._warm)
        self.pool.drain()

    def close(self) -> None:
        """Close them all; one that is in use, when it is given back."""
        self.closed = True
        self._close()


_Pool = psycopg_pool.ConnectionPool[Connection]


def _try_again(pool: psycopg_pool.ConnectionPool[Any]) -> None:
    """Begin a new series of attempts while somebody waits; otherwise the next caller does."""
    if pool.get_stats().get("requests_waiting"):
        pool.check()


def _cool(pool: _Pool, warm: deque[Connection]) -> None:
    while warm:
        pool.putconn(warm.pop())


def _close(process: int, pool: _Pool, warm: deque[Connection], lost: deque[Connection]) -> None:
    """Close a pool, unless it is of the process that forked this one."""
    if process == os.getpid():
        _cool(pool, warm)
        pool.close()
        while lost:
            lost.pop().close()


def _without_secrets(message: str, parameters: Mapping[str, Any]) -> str:
    for name in ("password", "sslpassword"):
        if secret := parameters.get(name):
            message = message.replace(str(secret), "***")
    return message
