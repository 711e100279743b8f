"""A server's connections: how they are made, kept warm, handed out and given back."""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Mapping
from typing import Any, Final
from weakref import finalize

import psycopg
import psycopg_pool

from repo.backends.postgresql import connection as one
from repo.backends.postgresql.connection import PooledConnection, SessionSettings
from repo.engine.forks import running_loop
from repo.errors import ConfigurationError, DatabaseUnavailable

_OLDEST: Final = 14
_PREPARE_THRESHOLD: Final = 5
_PROVE_AFTER_SECONDS: Final = 1.0
_WARM_SECONDS: Final = 60.0
_LOOK_AGAIN_SECONDS: Final = 1.0
_RECONNECT_SECONDS: Final = 2.0
"""When the pool's pauses between attempts grow to this, they start short again, so that a server that is
back is soon found."""

_PATIENCE: Final = {
    "connect_timeout": 10,
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}
"""A call notices within half a minute that a host is gone; by libpq's defaults it takes two hours."""


class Connections:
    """A pool of connections that grows with its use; the one given back last is used first.

    A pool hands its connections out in turn. So each call would wake another server process, and wait
    longer for that than for the answer; those given back a moment ago are kept in ``_warm`` instead.
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
        """Connect once without the pool, for an error that says at once what is wrong; open the pool.

        :param parameters: of the driver's ``connect``; where ``prepare_threshold`` is not among them
            nothing is prepared behind a pooler, which may mix prepared statements up.
        :param statement_seconds: that a statement may take; 0 is no limit.
        :param timeout: seconds to wait for a connection when all are taken.
        :raises DatabaseUnavailable: if the server cannot be reached.
        :raises ConfigurationError: if it is too old, or has another encoding than UTF-8.
        """
        self.parameters = {**_PATIENCE, **parameters, "autocommit": True, "client_encoding": "utf8"}
        self._read_only = read_only
        self._size = size
        self._timeout = timeout
        pooler = self._first()
        self.parameters.setdefault("prepare_threshold", None if pooler else _PREPARE_THRESHOLD)
        self._settings = SessionSettings(read_only, statement_seconds, pooler)
        self._opening = threading.Lock()
        self._warm: deque[PooledConnection] = deque()
        self._lost: deque[PooledConnection] = deque()
        self._in_loops: set[PooledConnection] = set()
        self._waiting: set[int] = set()
        self._pool: _Pool | None = None
        self.closed = False
        self._open_pool()

    def _first(self) -> bool:
        """Check the server; whether a pooler is in front of it."""
        shown: str | None = None
        try:
            with PooledConnection.connect(**self.parameters) as connection:
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
                # A pooler gives keys of its own for cancelling, not those of the server's process.
                with connection.impatient():
                    ((pid,),) = connection.execute("SELECT pg_backend_pid()").fetchall()
                return bool(pid != connection.info.backend_pid)
        except psycopg.Error as error:
            cause: psycopg.Error = error
            shown = _without_secrets(str(error), self.parameters)
        if shown != str(cause):
            # The chained error must not hold the password either, because logs show it.
            cause = type(cause)(shown)
        raise DatabaseUnavailable(shown) from cause

    def _open_pool(self) -> _Pool:
        smallest, largest = self._size
        settings, lost, parameters = self._settings, self._lost, self.parameters

        def look() -> bool:
            trouble = _trouble(parameters)
            return trouble is None or "FATAL:" in trouble  # which is an answer too

        def configure(connection: PooledConnection) -> None:
            settings.configure(connection)
            connection.look = look
            connection.home = lost

        pool = psycopg_pool.ConnectionPool(
            kwargs=self.parameters,
            connection_class=PooledConnection,
            min_size=smallest,
            max_size=largest,
            timeout=self._timeout,
            reconnect_timeout=_RECONNECT_SECONDS,
            reconnect_failed=_try_again,
            configure=configure,
            open=True,
        )
        self._pool = pool
        # The process id lets a child of a fork leave the pool alone.
        self._close = finalize(self, _close, os.getpid(), pool, self._warm, self._lost)
        return pool

    @property
    def pooler(self) -> bool:
        """Whether a pooler is in front of the server."""
        return self._settings.pooler

    @property
    def pool(self) -> _Pool:
        """The pool of this process; a child of a fork makes its own when it first needs one."""
        if self._pool is None:
            with self._opening:
                if self.closed:
                    raise DatabaseUnavailable("no connection is available: the database is closed")
                if self._pool is None:
                    return self._open_pool()
        return self._pool

    def after_fork(self) -> None:
        """Leave the parent's sockets alone: to close one properly would end the parent's session."""
        self._warm = deque()
        self._lost = deque()
        self._in_loops = set()
        self._waiting = set()
        self._opening = threading.Lock()
        self._pool = None

    def take(self, seconds: float | None = None) -> PooledConnection:
        """A connection that works.

        :param seconds: to wait for one; None is the usual time.
        :raises DatabaseUnavailable: when there is none.
        :raises ConfigurationError: when the event loop that would wait here has them all.
        """
        connection = None
        try:
            loop = running_loop()
            connection = self._take_warm() or self._take_cold(loop, seconds)
            if loop is not None:
                connection.loop = loop
                self._in_loops.add(connection)
            return connection  # noqa: TRY300  # an interrupt may strike here as well
        except BaseException:
            if connection is not None:
                self._leave_loop(connection)
                self._to_pool(connection)
            raise

    def _leave_loop(self, connection: PooledConnection) -> None:
        """Forget that a task of an event loop has the connection."""
        if connection.loop is not None:
            connection.loop = None
            self._in_loops.discard(connection)

    def _take_warm(self) -> PooledConnection | None:
        """The connection that was given back last, if that was a moment ago."""
        connection = None
        try:
            while connection := _last(self._warm):
                if _is_warm(connection):
                    return connection
                connection = self._to_pool(connection)  # type: ignore[func-returns-value]  # see held()
        except BaseException:
            if connection is not None:
                self._to_pool(connection)
            raise
        return None

    def _to_pool(self, connection: PooledConnection) -> None:
        return self.pool.putconn(connection)

    def _take_cold(self, loop: object, seconds: float | None) -> PooledConnection:
        """One of the pool, or one that is given back meanwhile."""
        pool = self.pool
        self._fetch_lost(pool)
        if loop is not None and sum(each.loop is loop for each in self._in_loops) >= pool.max_size:
            raise ConfigurationError(
                f"the tasks of this event loop have all {pool.max_size} connections in transactions "
                "held over an await: waiting here would stop the loop that they need to end; put "
                "what is done in a transaction into a function and call that with asyncio.to_thread"
            )
        me = threading.get_ident()
        deadline = time.monotonic() + (self._timeout if seconds is None else seconds)
        try:
            self._waiting.add(me)
            while True:
                # One may have been given back just before this caller was known to wait.
                if found := self._take_warm():
                    return found
                left = deadline - time.monotonic()
                try:
                    return self._take_of_pool(pool, max(min(left, _LOOK_AGAIN_SECONDS), 0.001))
                except psycopg_pool.PoolTimeout as error:
                    if left <= _LOOK_AGAIN_SECONDS:
                        raise self._none(seconds) from error
        finally:
            self._waiting.discard(me)

    def _none(self, seconds: float | None) -> DatabaseUnavailable:
        """Why there is none: the server cannot be reached, or all are in use."""
        waited = self._timeout if seconds is None else seconds
        if seconds is None and (trouble := _trouble(self.parameters)):
            return DatabaseUnavailable(f"no connection is available: {trouble}")
        return DatabaseUnavailable(
            f"no connection is available: all {self.pool.max_size} were in use for {waited:g} seconds"
        )

    def _take_of_pool(self, pool: _Pool, seconds: float) -> PooledConnection:
        """One of the pool, checked if it was idle for a while."""
        deadline = time.monotonic() + seconds
        cause: psycopg.Error | None = None
        connection = None
        try:
            # The pool would pause between two dead connections, and longer each time.
            for _ in range(pool.max_size):
                try:
                    connection = pool.getconn(max(deadline - time.monotonic(), 0.001))
                except psycopg_pool.PoolClosed as error:
                    raise DatabaseUnavailable(f"no connection is available: {error}") from error
                connection.taken_at = time.monotonic()
                idle = connection.taken_at - connection.used_at
                if idle < _PROVE_AFTER_SECONDS and not connection.heard_something():
                    return connection
                try:
                    connection.prove(read_only=self._read_only)
                    return connection  # noqa: TRY300  # an interrupt may strike here as well
                except psycopg.Error as error:
                    cause = error
                    silent = time.monotonic() - connection.taken_at >= one.PROOF_SECONDS
                    connection = self._to_pool(connection)  # type: ignore[func-returns-value]  # see held()
                if silent:
                    break  # it does not answer, and would not on another connection
        except BaseException:
            if connection is not None:
                self._to_pool(connection)
            raise
        raise DatabaseUnavailable(f"no connection is available: {cause}") from cause

    def _fetch_lost(self, pool: _Pool) -> None:
        """Have the pool replace connections that an interrupt left without a holder."""
        while self._lost:
            connection = self._lost.pop()
            connection.close()
            connection._pool = pool
            pool.putconn(connection)

    def give_back(self, connection: PooledConnection) -> None:
        """Keep a connection for the next caller if it is still usable."""
        self._leave_loop(connection)
        connection.used_at = time.monotonic()
        if connection.stale:
            connection.close()  # the pool makes another in its place
        if connection.closed or self._waiting or self.pool.closed:
            self.pool.putconn(connection)  # which gives it to who has waited longest
        else:
            self._warm.append(connection)

    def replace(self) -> None:
        """Replace all connections."""
        _cool(self.pool, self._warm)
        self.pool.drain()

    def close(self) -> None:
        """Close them all; one that is in use, when it is given back."""
        self.closed = True
        self._close()


_Pool = psycopg_pool.ConnectionPool[PooledConnection]


def _try_again(pool: psycopg_pool.ConnectionPool[Any]) -> None:
    """Begin a new series of attempts if a caller waits; otherwise the next caller does."""
    if pool.get_stats().get("requests_waiting"):
        pool.check()


def _last(warm: deque[PooledConnection]) -> PooledConnection | None:
    """Take the connection that was kept last; None if another thread has taken it."""
    try:
        return warm.pop()
    except IndexError:
        return None


def _is_warm(connection: PooledConnection) -> bool:
    """Whether a connection can be used unchecked: used a moment ago, and not kept for too long."""
    now = time.monotonic()
    return (
        now - connection.used_at < _PROVE_AFTER_SECONDS
        and now - connection.taken_at < _WARM_SECONDS
        and not connection.heard_something()
    )


def _cool(pool: _Pool, warm: deque[PooledConnection]) -> None:
    while connection := _last(warm):
        pool.putconn(connection)


def _close(
    process: int, pool: _Pool, warm: deque[PooledConnection], lost: deque[PooledConnection]
) -> None:
    """Close a pool, unless it is of the process that forked this one."""
    if process == os.getpid():
        _cool(pool, warm)
        pool.close()
        while lost:
            lost.pop().close()


def _trouble(parameters: Mapping[str, Any]) -> str | None:
    """The error that a new connection meets; None if it succeeds."""
    try:
        PooledConnection.connect(**{**parameters, "connect_timeout": round(one.PROOF_SECONDS)}).close()
    except psycopg.Error as error:
        return _without_secrets(str(error), parameters)
    return None


def _without_secrets(message: str, parameters: Mapping[str, Any]) -> str:
    for name in ("password", "sslpassword"):
        if secret := parameters.get(name):
            message = message.replace(str(secret), "***")
    return message
