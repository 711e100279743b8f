"""What introspection needs of an engine: a schema described, and an empty one to build in."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Protocol

from repo.binding import BoundQueries
from repo.engine.connection import Connection

if TYPE_CHECKING:
    from repo.schemas import Schema


class Introspection(Protocol):
    """Describes a schema, and offers an empty database to build one in."""

    def describe(self, connection: Connection, queries: BoundQueries) -> Schema:
        """The tables with their columns, constraints and indexes, without the record of migrations."""

    def scratch(self) -> AbstractContextManager[Connection]:
        """A connection on which a schema can be built in a transaction, unseen, and is gone after it."""
