"""A transaction, and the ``with`` blocks that share it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, TypeVar

from repo.engine.backend import Backend
from repo.engine.connection import Connection
from repo.engine.forks import forks
from repo.errors import ConfigurationError, DatabaseUnavailable, RepoError

_T = TypeVar("_T")

TWO_THREADS: Final = (
    "the transaction is in use by another thread at this moment; a handle is used by one at a time"
)
ENDED: Final = "the block of this transaction has been left; a handle is of use only inside its block"
CLOSED: Final = "the database was closed inside the block; nothing of it is kept"
STRUCK: Final = "an interrupt struck while a block was left; nothing of the transaction is kept"
OVER: Final = (
    "the transaction was rolled back: a block around this one was left before it, or this one was left "
    "while another thread used it"
)
WRONG_ORDER: Final = (
    "blocks were left in the wrong order: one inside is still open; all of the transaction is rolled "
    "back"
)
FORKED: Final = "the transaction is of the process that forked this one, and only that can use it"


class SharedTransaction:
    """A transaction on its connection, shared by its blocks; the thread that uses it holds ``lock``.

    After the error ``failed`` it can only be rolled back to a savepoint, after ``lost`` only as a whole.
    """

    def __init__(self, backend: Backend, connection: Connection, *, write: bool) -> None:
        self.backend = backend
        self.connection = connection
        self.write = write
        self.blocks: list[Block] = []
        self.depth = 0
        self.failed: RepoError | None = None
        self.lost: RepoError | None = None
        self.forks = forks()
        self.lock = threading.RLock()
        self.uses = 0
        self.left = False
        self.ended = False
        self.returned = False

    def raise_failure(self) -> None:
        """Raise the error after which it can only be rolled back, if there was one."""
        failure = self.lost or self.failed
        if failure is not None:
            raise failure

    def _take(self) -> int:
        """Begin to use it; how many uses this thread had already."""
        before = None
        taken = False
        try:
            taken = self.lock.acquire(blocking=False)
            if not taken:
                raise ConfigurationError(TWO_THREADS)
            if self.backend.closed:
                raise DatabaseUnavailable(CLOSED)
            if self.ended or self.left:
                raise ConfigurationError(ENDED)
            before = self.uses
            self.uses = before + 1
            return before  # noqa: TRY300  # an interrupt may strike here as well
        except BaseException:
            if before is not None:
                self.uses = before
            if taken:
                self.lock.release()
            raise

    def _give_back(self, before: int) -> None:
        self.uses = before
        self.lock.release()  # last, see held()

    @contextmanager
    def used(self) -> Iterator[None]:
        """Use it, and end it if its block was left meanwhile.

        :raises ConfigurationError: if another thread is using it, or it is over.
        """
        if self.forks != forks():
            raise ConfigurationError(FORKED)
        before = None
        given = False
        try:
            try:
                before = self._take()
                yield
            finally:
                if before is not None:
                    given = self._give_back(before) is None  # type: ignore[func-returns-value]  # see held()
        finally:
            if before is not None and not given:
                self._give_back(before)
            if self.left:
                self.abandon()

    def use(self, work: Callable[[Connection], _T]) -> _T:
        """What ``work`` gives of the connection, which is used as in :meth:`used`.

        Small reads go this way, because by generators they take a third longer.
        """
        if self.forks != forks():
            raise ConfigurationError(FORKED)
        before = None
        given = False
        try:
            try:
                before = self._take()
                return work(self.connection)
            finally:
                if before is not None:
                    given = self._give_back(before) is None  # type: ignore[func-returns-value]  # see held()
        finally:
            if before is not None and not given:
                self._give_back(before)
            if self.left:
                self.abandon()

    def abandon(self) -> None:
        """Roll back and give the connection back: now, or once its user is done."""
        self.left = True
        # If the lock is taken, its holder looks at ``left`` after releasing it and does the rest.
        if self.lock.acquire(blocking=False):
            try:
                if self.uses == 0 and not self.ended:
                    self.end(commit=False)
            finally:
                self.lock.release()

    def end(self, *, commit: bool) -> None:
        """Commit or roll back, and give the connection back, once."""
        self.ended = True
        for block in self.blocks:
            block.open = False
        self.blocks.clear()
        try:
            if commit:
                self.backend.commit(self.connection)
            else:
                self.backend.rollback(self.connection)
        finally:
            self.returned = self.backend.release(self.connection, write=self.write) is None  # type: ignore[func-returns-value]  # see held()

    def force(self) -> None:
        """Roll back and give the connection back after an interrupt, wherever that struck.

        The interrupted call is over, whatever ``uses`` says; a call of another thread ends it itself.
        """
        self.left = True
        if not self.returned and self.lock.acquire(blocking=False):
            self.uses = 0
            if not self.ended:
                self.end(commit=False)
            else:
                self.returned = self.backend.release(self.connection, write=self.write) is None  # type: ignore[func-returns-value]
            self.lock.release()


class Block:
    """One ``with`` block of a transaction: the outermost, or a savepoint in it."""

    __slots__ = ("depth", "open", "read_only", "transaction")

    def __init__(self, transaction: SharedTransaction, depth: int, *, read_only: bool) -> None:
        self.transaction = transaction
        self.depth = depth
        self.read_only = read_only
        self.open = True

    def entered(self) -> Block:
        """This block, for a call by its handle.

        :raises ConfigurationError: if it was left.
        """
        if not self.open:
            raise ConfigurationError(ENDED)
        return self
