"""A relay between a client and a PostgreSQL server, whose line can be frozen or cut."""

from __future__ import annotations

import select
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psycopg

from tests.builders import plain_url

__all__ = ["Relay", "relayed"]


class Relay:
    """Copies bytes both ways, for every connection, as long as the line is whole."""

    def __init__(self, target: str | tuple[str, int]) -> None:
        self._target = target
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._pairs: dict[socket.socket, socket.socket] = {}
        self._flows = threading.Event()
        self._flows.set()
        self._whole = True
        self._ended = False
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        """Where it listens, on 127.0.0.1."""
        return int(self._listening.getsockname()[1])

    def freeze(self) -> None:
        """Let nothing through, and keep every socket open: what a stopped process looks like."""
        self._flows.clear()

    def thaw(self) -> None:
        """Let through what was held up."""
        self._flows.set()

    def cut(self) -> None:
        """End every connection, and every new one at once."""
        self._whole = False
        for each in list(self._pairs):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def mend(self) -> None:
        """Take connections again."""
        self._whole = True

    def close(self) -> None:
        """End."""
        self._ended = True
        self.thaw()
        self._thread.join()
        for each in [self._listening, *self._pairs]:
            each.close()

    def _run(self) -> None:
        while not self._ended:
            self._flows.wait()
            ready, _, _ = select.select([self._listening, *self._pairs], [], [], 0.02)
            if self._flows.is_set():
                for each in ready:
                    self._carry(each)

    def _carry(self, each: socket.socket) -> None:
        if each is self._listening:
            client, _ = each.accept()
            if not self._whole:
                client.close()
                return
            server = self._connect()
            self._pairs.update({client: server, server: client})
            return
        other = self._pairs.get(each)
        if other is None:  # its other half ended a moment ago
            return
        data = b""
        with suppress(OSError):
            data = each.recv(1 << 16)
        try:
            if data:
                other.sendall(data)
                return
        except OSError:
            pass
        for half in (each, other):
            del self._pairs[half]
            half.close()

    def _connect(self) -> socket.socket:
        if isinstance(self._target, tuple):
            return socket.create_connection(self._target)
        made = socket.socket(socket.AF_UNIX)
        made.connect(self._target)
        return made


@contextmanager
def relayed(url: str) -> Iterator[tuple[Relay, str]]:
    """A relay to the server of a URL, and the URL that leads through it."""
    with psycopg.connect(plain_url(url)) as connection:
        info = connection.info
        user, host, port, database = info.user, info.host, info.port, info.dbname
        password = f":{info.password}" if info.password else ""
    target = f"{host}/.s.PGSQL.{port}" if host.startswith("/") else (host, port)
    relay = Relay(target)
    try:
        yield relay, f"postgresql://{user}{password}@127.0.0.1:{relay.port}/{database}"
    finally:
        relay.close()
