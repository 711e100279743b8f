"""A PostgreSQL URL: libpq's parameters, this package's options, and TLS where it is due."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import unquote

import psycopg
from psycopg.conninfo import conninfo_to_dict

from repo.errors import ConfigurationError
from repo.settings import split_url

__all__ = ["demand_tls", "url_settings"]

_OPTIONS: Final[Mapping[str, Callable[[str], Any]]] = {
    "min_size": int,
    "max_size": int,
    "pool_timeout": float,
    "statement_timeout": float,
    "prepare_threshold": lambda text: None if text.lower() == "none" else int(text),
}
"""What the URL may hold beside libpq's own parameters."""


def _is_local(host: str) -> bool:
    if host == "" or host.startswith(("/", "@")) or host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def url_settings(url: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The parameters of libpq in a URL, and the options of this package in it."""
    scheme, credentials, place, query = split_url(url)
    if "@" in place:
        raise ConfigurationError(
            "the PostgreSQL URL has an '@' too many; in a user or password write %40 for '@', "
            "%2F for '/' and %3A for ':'"
        )
    options: dict[str, Any] = {}
    others: list[str] = []
    for part in filter(None, query.split("&")):
        name, _, value = part.partition("=")
        if name not in _OPTIONS:
            others.append(part)
            continue
        try:
            options[name] = _OPTIONS[name](unquote(value))
        except ValueError:
            raise ConfigurationError(f"{name} in the URL cannot be {unquote(value)!r}") from None
    user = f"{credentials}@" if credentials else ""
    rest = f"{scheme}://{user}{place}" + (f"?{'&'.join(others)}" if others else "")
    try:
        parameters = conninfo_to_dict(rest)
    except psycopg.ProgrammingError:
        # The driver's message repeats what it could not read, and that may be the password.
        raise ConfigurationError("the PostgreSQL URL cannot be read") from None
    return parameters, options


def demand_tls(parameters: dict[str, Any]) -> None:
    """Ask for TLS where a host is not this machine and the URL does not say what it wants."""
    hosts = [*str(parameters.get("host") or "").split(",")]
    hosts += [host for host in str(parameters.get("hostaddr") or "").split(",") if host]
    if "sslmode" not in parameters and not all(map(_is_local, hosts)):
        parameters["sslmode"] = "require"
