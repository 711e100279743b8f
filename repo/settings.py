"""The environment: DATABASE_URL and the options beside it. Passwords are never shown."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote, urlsplit

from repo.errors import ConfigurationError

__all__ = ["DEFAULT_URL", "DatabaseURL", "database_url"]

DEFAULT_URL: Final = "sqlite:///data/divergence.db"

_SCHEMES: Final[Mapping[str, str]] = {
    "sqlite": "sqlite",
    "postgresql": "postgresql",
    "postgres": "postgresql",
}
_EXAMPLES: Final = (
    "sqlite:///relative/file.db, sqlite:////absolute/file.db, sqlite:// (memory) or "
    "postgresql://user@host/database"
)


@dataclass(frozen=True, slots=True, repr=False)
class DatabaseURL:
    """Where a database is: ``engine``, and the URL itself, which may hold a password.

    ``str()`` and ``repr()`` give the URL without user's password and without its query.
    """

    engine: str
    secret: str

    @property
    def path(self) -> str:
        """The file of a SQLite URL; empty for a database in memory."""
        path = unquote(self.secret.partition("://")[2])
        return path.removeprefix("/")

    def __str__(self) -> str:
        if self.engine == "sqlite":
            return self.secret
        parts = urlsplit(self.secret)
        place = parts.netloc.rpartition("@")[2]
        user = parts.netloc.rpartition("@")[0].partition(":")[0]
        return f"{parts.scheme}://{user}{'@' if user else ''}{place}{parts.path}"

    def __repr__(self) -> str:
        return f"DatabaseURL({str(self)!r})"


def database_url(url: str | None = None) -> DatabaseURL:
    """The URL given, or that of the environment's DATABASE_URL, or :data:`DEFAULT_URL`.

    :raises ConfigurationError: for a URL of no engine there is.
    """
    text = url if url is not None else os.environ.get("DATABASE_URL") or DEFAULT_URL
    scheme, colon, rest = text.partition("://")
    engine = _SCHEMES.get(scheme)
    if not colon or engine is None:
        shown = scheme if colon else "it"
        raise ConfigurationError(f"the database URL must be {_EXAMPLES}; {shown!r} is neither")
    if engine == "sqlite" and rest and not rest.startswith("/"):
        raise ConfigurationError(
            f"{text!r}: a relative file has three slashes and an absolute one four: {_EXAMPLES}"
        )
    if engine == "sqlite" and "?" in rest:
        raise ConfigurationError(f"{text!r}: a SQLite URL has no parameters")
    return DatabaseURL(engine, text)
