"""A PostgreSQL URL: libpq's parameters, this package's options, and TLS for other machines."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Mapping
from contextlib import suppress
from itertools import zip_longest
from typing import Any, Final
from urllib.parse import unquote

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.pq import Conninfo, PGconn

from repo.backends.options import check_option
from repo.errors import ConfigurationError
from repo.settings import split_url

OPTIONS: Final[Mapping[str, Callable[[str], Any]]] = {
    "min_size": int,
    "max_size": int,
    "pool_timeout": float,
    "statement_timeout": float,
    "prepare_threshold": lambda text: None if text.lower() == "none" else int(text),
}
"""What the URL may hold beside libpq's own parameters."""


_NO_TLS: Final = frozenset({None, "disable", "allow", "prefer"})
"""The modes in which libpq may connect without TLS."""


def _is_local(host: str) -> bool:
    if host == "" or host.startswith(("/", "@")) or host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def url_settings(url: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The parameters of libpq in a URL, and the options of this package in it."""
    scheme, credentials, location, query = split_url(url)
    if "@" in location:
        raise ConfigurationError(
            "the PostgreSQL URL has an '@' too many; in a user or password write %40 for '@', "
            "%2F for '/' and %3A for ':'"
        )
    options: dict[str, Any] = {}
    others: list[str] = []
    for part in filter(None, query.split("&")):
        name, _, value = part.partition("=")
        if name not in OPTIONS:
            others.append(part)
            continue
        try:
            options[name] = OPTIONS[name](unquote(value))
        except ValueError:
            raise ConfigurationError(f"{name} in the URL cannot be {unquote(value)!r}") from None
    user = f"{credentials}@" if credentials else ""
    rest = f"{scheme}://{user}{location}" + (f"?{'&'.join(others)}" if others else "")
    # ssl=true is JDBC's, and libpq takes it in a URL.
    known = {"ssl", *(setting.keyword.decode() for setting in Conninfo.get_defaults())}
    if not {unquote(part.partition("=")[0]) for part in others} <= known:
        # It is not shown: where an '@' or '?' is not encoded, it is part of a password.
        names = ", ".join(OPTIONS)
        raise ConfigurationError(
            f"the PostgreSQL URL has a parameter that is neither libpq's nor one of {names}"
        )
    with suppress(psycopg.ProgrammingError, UnicodeDecodeError):
        return conninfo_to_dict(rest), options
    # The driver's message repeats what it could not read, and that may be the password.
    raise ConfigurationError("the PostgreSQL URL cannot be read")


def check_options(options: Mapping[str, Any]) -> None:
    """Refuse options with values that cannot be used.

    :raises ConfigurationError: naming the option.
    """
    for name, value in options.items():
        if value is not None:
            check_option(name, value, whole=name in ("min_size", "max_size", "prepare_threshold"))


def demand_tls(parameters: dict[str, Any]) -> None:
    """Require TLS where a host is not this machine, unless the URL itself sets ``sslmode``.

    The hosts are those that libpq would connect to: the environment and a service file may name some,
    and may set ``sslmode`` too.
    """
    if "sslmode" in parameters:
        return
    found = _resolved(parameters)
    names, addresses = (found.get(name, "").split(",") for name in ("host", "hostaddr"))
    hosts = [address or name for name, address in zip_longest(names, addresses, fillvalue="")]
    if found.get("sslmode") in _NO_TLS and not all(map(_is_local, hosts)):
        parameters["sslmode"] = "require"


def _resolved(parameters: Mapping[str, Any]) -> dict[str, str]:
    """What libpq makes of parameters, environment and service file, without connecting."""
    # libpq stops at this value, which it does not know, before it opens a socket.
    asked = {**parameters, "target_session_attrs": "to-be-looked-at"}
    looked = PGconn.connect_start(make_conninfo("", **asked).encode())
    try:
        return {
            option.keyword.decode(): option.val.decode("utf-8", "replace")
            for option in looked.info
            if option.val is not None
        }
    finally:
        looked.finish()


def explicit(parameters: Mapping[str, Any]) -> dict[str, str]:
    """What libpq makes of parameters, environment and service file, without its own defaults.

    It is for another program's libpq, which may be older and not know every parameter.

    :param parameters: of the driver's ``connect``, in which the driver's own are left out.
    """
    usual = {each.keyword.decode(): each.compiled for each in Conninfo.get_defaults()}
    given = {name: value for name, value in parameters.items() if name in usual}
    found = {**_resolved(given), "target_session_attrs": given.get("target_session_attrs")}
    return {
        name: str(value)
        for name, value in found.items()
        if value
        and name not in ("service", "servicefile", "client_encoding")
        and (name in given or str(value).encode() != usual[name])
    }
