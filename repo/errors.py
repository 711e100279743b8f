"""The errors that callers meet: one base, and a class for each that they can do something about.

Both engines raise the same classes. The code of a driver's error (SQLSTATE, or SQLite's extended result
code) decides which, in ``repo.backends``; the driver's error is chained as ``__cause__``. No message
holds a password or another caller's rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from repo.showing import listed, short, short_name

PROBLEM_LIMIT = 20
"""How many problems an :class:`InvalidRecord` carries; the rest are not looked for."""


class RepoError(Exception):
    """The base of every error this package raises on purpose."""


class ConfigurationError(RepoError):
    """A URL, a setting or an option that cannot be used; the message says which and why."""


class Problem(NamedTuple):
    """One thing wrong with one value.

    ``row`` counts from 0 in what the caller handed over and is None for an argument of a call.
    ``file``, ``line`` (from 1) and ``column`` (the header's own spelling) are there when the row
    came from a file.
    """

    row: int | None
    field: str
    value: Any
    reason: str
    file: str | None = None
    line: int | None = None
    column: str | None = None

    def __str__(self) -> str:
        if self.file is not None:
            where = f"{self.file}:{self.line}: "
        elif self.row is not None:
            where = f"row {self.row}: "
        else:
            where = ""
        name = short_name(self.column or self.field)
        return f"{where}{name} = {short(self.value)}: {self.reason}"


class InvalidRecord(RepoError):
    """A row or an argument that cannot be stored or compared; nothing was written.

    ``problems`` has the first 20, in row order; ``row``, ``field``, ``value`` and ``reason`` are
    those of the first.
    """

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems: tuple[Problem, ...] = tuple(problems)[:PROBLEM_LIMIT]
        first = self.problems[0]
        self.row: int | None = first.row
        self.field: str = first.field
        self.value: Any = first.value
        self.reason: str = first.reason
        super().__init__("\n".join(map(str, self.problems)))

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.problems,)


class Missing(RepoError):
    """Something was named that the database does not hold; ``missing`` lists all of it, sorted."""

    noun = "key"

    def __init__(self, missing: Iterable[Any]) -> None:
        self.missing: tuple[Any, ...] = tuple(sorted(missing))
        super().__init__(f"unknown {self.noun}: {listed(list(map(str, self.missing)))}")

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.missing,)


class UnknownTicker(Missing):
    """Symbols that are not in ``tickers``; ``missing`` has them all, sorted."""

    noun = "ticker"


class UnknownInstitution(Missing):
    """CIKs that are not in ``institutions``; ``missing`` has them all, sorted."""

    noun = "institution"


class IntegrityError(RepoError):
    """The database refused a write because of a constraint; the transaction is rolled back."""


class UniqueViolation(IntegrityError):
    """A value that must be unique is stored already: two tickers with one CUSIP.

    ``problems`` has the first 20 rows with such a CUSIP where they are known; the reason of each says
    which ticker has it, and where.
    """

    def __init__(self, message: str, problems: Iterable[Problem] = ()) -> None:
        self.problems: tuple[Problem, ...] = tuple(problems)[:PROBLEM_LIMIT]
        super().__init__(message)

    @classmethod
    def of(cls, problems: Sequence[Problem]) -> UniqueViolation:
        """The error that names these."""
        return cls("\n".join(map(str, problems[:PROBLEM_LIMIT])), problems)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (str(self), self.problems)


class ForeignKeyViolation(IntegrityError):
    """A row refers to a ticker or an institution that is missing, or is still referred to itself."""


class CheckViolation(IntegrityError):
    """A value outside what the schema allows."""


class NotNullViolation(IntegrityError):
    """A NULL where the schema wants a value."""


class ConflictError(RepoError):
    """Another transaction was in the way; the same work may succeed on another attempt.

    :meth:`repo.Database.run` makes those attempts.
    """


class RangeError(RepoError):
    """A number left what its type holds: a sum past 64 bits, say."""


class DatabaseUnavailable(RepoError):
    """The database cannot be reached, opened or used: no server, no file, no permission, no space."""


class QueryContractError(RepoError):
    """SQL files that break the contract of ``queries/``, or a query called with other parameters."""


class MigrationError(RepoError):
    """The schema is not what the package's migrations say: changed, missing, newer or failed."""


class TransferError(RepoError):
    """A copy between two databases differs from the original."""


class BackupError(RepoError):
    """A backup could not be taken, or a restore did not prove it."""
