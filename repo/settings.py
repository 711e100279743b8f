"""The environment: DATABASE_URL and the options beside it. Passwords are never shown."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import unquote

from repo.errors import ConfigurationError

DEFAULT_URL: Final = "sqlite:///data/divergence.db"

_SCHEMES: Final[Mapping[str, str]] = {
    "sqlite": "sqlite",
    "postgresql": "postgresql",
    "postgres": "postgresql",
}
_CREDENTIALS: Final = re.compile(r"[^@/]*@", re.DOTALL)
_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*")
_EXAMPLES: Final = (
    "sqlite:///relative/file.db, sqlite:////absolute/file.db, sqlite:// (memory) or "
    "postgresql://user@host/database"
)


@dataclass(frozen=True, slots=True, repr=False)
class DatabaseURL:
    """Where a database is: ``engine``, and the URL itself, which may hold a password.

    ``str()`` and ``repr()`` give the URL without its password and query.
    """

    engine: str
    secret: str

    @property
    def file(self) -> Path | None:
        """The file of a SQLite URL; None for a database in memory or on a server."""
        name = unquote(self.secret.partition("://")[2]).removeprefix("/")
        return Path(name) if self.engine == "sqlite" and name else None

    def __str__(self) -> str:
        if self.engine == "sqlite":
            return self.secret
        scheme, credentials, location, _ = split_url(self.secret)
        if "@" in location:  # the text before it may be the rest of a password
            return f"{scheme}://..."
        user = credentials.partition(":")[0]
        return f"{scheme}://{user}{'@' if user else ''}{location}"

    def __repr__(self) -> str:
        return f"DatabaseURL({str(self)!r})"


def split_url(url: str) -> tuple[str, str, str, str]:
    """Scheme, credentials, location (host, port and database) and query of a URL, split as libpq does.

    The credentials end at the first ``@``, unless a ``/`` comes before it. No part is decoded.
    """
    scheme, _, rest = url.partition("://")
    found = _CREDENTIALS.match(rest)
    credentials = found[0].removesuffix("@") if found else ""
    location, _, query = (rest[found.end() :] if found else rest).partition("?")
    return scheme, credentials, location, query


def database_url(url: str | None = None) -> DatabaseURL:
    """The URL given, or that of the environment's DATABASE_URL, or :data:`DEFAULT_URL`.

    :raises ConfigurationError: for a URL of an unknown scheme, or a SQLite URL that names no file.
    """
    text = url if url is not None else os.environ.get("DATABASE_URL") or DEFAULT_URL
    if not isinstance(text, str):
        raise ConfigurationError(f"the database URL must be a str, not {type(text).__name__}")
    scheme, colon, rest = text.partition("://")
    engine = _SCHEMES.get(scheme)
    if not colon or engine is None:
        # Anything but a scheme is not shown: it may hold a password.
        named = colon and _SCHEME.fullmatch(scheme)
        shown = f"the scheme is {scheme!r}" if named else "there is no '://' after a scheme"
        raise ConfigurationError(f"the database URL must be {_EXAMPLES}; {shown}")
    if engine == "sqlite":
        _check_file(rest)
    return DatabaseURL(engine, text)


def _check_file(rest: str) -> None:
    """Check that ``sqlite://`` is followed by nothing or a file's name; no message shows a password."""
    if rest and not rest.startswith("/"):
        raise ConfigurationError(
            "a SQLite URL has no host, user or password: a relative file has three slashes and an "
            f"absolute one four: {_EXAMPLES}"
        )
    if "?" in rest:
        raise ConfigurationError("a SQLite URL has no parameters; in a file's name write %3F for '?'")
    name = unquote(rest).removeprefix("/")
    if name == ":memory:":
        raise ConfigurationError("a database in memory is sqlite://")
    if rest and not name.strip():
        raise ConfigurationError(
            "the SQLite URL names no file; is a variable in it not set? A database in memory is sqlite://"
        )
    try:
        if b"\0" in os.fsencode(name):
            raise ConfigurationError("the name of a file cannot contain NUL")
    except UnicodeEncodeError:
        raise ConfigurationError("a file cannot have the name in the SQLite URL") from None
