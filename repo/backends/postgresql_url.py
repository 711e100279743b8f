"""A PostgreSQL URL: libpq's parameters, this package's options, and TLS where it is due."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

import psycopg
from psycopg.conninfo import conninfo_to_dict

from repo.errors import ConfigurationError

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
    parts = urlsplit(url)
    options: dict[str, Any] = {}
    others: list[tuple[str, str]] = []
    for name, value in parse_qsl(parts.query, keep_blank_values=True):
        if name not in _OPTIONS:
            others.append((name, value))
            continue
        try:
            options[name] = _OPTIONS[name](value)
        except ValueError:
            raise ConfigurationError(f"{name} in the URL cannot be {value!r}") from None
    rest = parts._replace(query=urlencode(others, quote_via=quote)).geturl()
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
