"""The check list of a PostgreSQL server in production."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any, Final

from repo.engine.backend import Backend, taken
from repo.engine.maintenance import Check, Status, checked
from repo.queries import RunQuery

_OLDEST: Final = 14
_UNITS: Final[Mapping[str, int]] = {"B": 1, "kB": 1 << 10, "8kB": 8 << 10, "MB": 1 << 20}
_SETTINGS: Final = (
    "autovacuum",
    "data_checksums",
    "data_directory",
    "effective_cache_size",
    "fsync",
    "full_page_writes",
    "idle_in_transaction_session_timeout",
    "maintenance_work_mem",
    "random_page_cost",
    "shared_buffers",
    "statement_timeout",
    "synchronous_commit",
    "TimeZone",
    "track_counts",
    "work_mem",
)
_GB: Final = 1 << 30
_LARGE_BUFFERS: Final = 8 * _GB
_FEW_MAINTENANCE: Final = 256 << 20
_FREE_SHARE: Final = 0.15
_LOCAL: Final = ("", "localhost", "127.0.0.1", "::1")


def enforced(ask: RunQuery) -> Iterator[Check]:
    """Whether what keeps rows right is at work: indexes, constraints, foreign keys."""
    yield checked(
        "invalid indexes",
        [each.name for each in ask("server.invalid_indexes")],
        "smdi maintain builds them again",
        status=Status.FAIL,
    )
    yield checked(
        "unvalidated constraints",
        [f"{each.name} of {each.owner}" for each in ask("server.unvalidated")],
        "ALTER TABLE ... VALIDATE CONSTRAINT, once the rows that break it are mended",
        status=Status.FAIL,
    )
    yield checked(
        "disabled foreign keys",
        [f"{each.name} of {each.owner}" for each in ask("server.unenforced")],
        "ALTER TABLE ... ENABLE TRIGGER ALL, once the rows are checked",
        status=Status.FAIL,
    )


def checks(backend: Backend, pool: int, ask: RunQuery) -> Iterator[Check]:
    """The engine's lines of the check list.

    :param pool: how many connections a process may have.
    """
    state = ask("deployment.state")
    found = {each.name: each for each in ask("deployment.settings", names=list(_SETTINGS))}
    values = {name: each.value for name, each in found.items()}
    with taken(backend, write=False) as connection:
        host = connection.info.host
        mode = connection.info.get_parameters().get("sslmode", "prefer")
        encrypted = connection.pgconn.ssl_in_use
    local = host in _LOCAL or host.startswith(("/", "@"))
    yield _version(state)
    yield _tls(mode, local=local, encrypted=encrypted)
    yield checked(
        "role",
        (["a superuser"] if state.superuser else []) + (["may make roles"] if state.makes_roles else []),
        "connect as a role that owns the tables, or as a member of smdi_writer: smdi grant --help",
        otherwise="no superuser, cannot make roles",
        status=Status.FAIL if state.superuser else Status.WARN,
    )
    yield checked(
        "read-only roles",
        [f"{each.grantee} may write {each.name}" for each in ask("deployment.writing_readers")]
        + [f"PUBLIC may make tables in {each.name}" for each in ask("deployment.open_schemas")],
        "REVOKE it; smdi grant does that for smdi_reader and PUBLIC",
        otherwise="cannot write",
        status=Status.FAIL,
    )
    yield from enforced(ask)
    yield checked(
        "time zone",
        [] if values["TimeZone"] in ("UTC", "Etc/UTC", "GMT") else [values["TimeZone"]],
        "ALTER DATABASE ... SET timezone TO 'UTC', for other programs",
        otherwise="UTC",
    )
    yield checked(
        "encoding",
        [] if state.encoding == "UTF8" else [state.encoding],
        "make a new database: CREATE DATABASE ... ENCODING 'UTF8', and restore into it",
        otherwise=f"UTF8, collation {state.collation}; text sorts by code point in any case",
        status=Status.FAIL,
    )
    yield _pool(pool, ask("server.connections").allowed)
    yield checked(
        "time-outs",
        [
            f"{name} is 0"
            for name in ("statement_timeout", "idle_in_transaction_session_timeout")
            if values[name] == "0"
        ],
        "ALTER ROLE ... SET it, for other programs; this package sets both to 600 s",
        otherwise="both are set",
    )
    yield checked(
        "isolation",
        [] if state.isolation == "read committed" else [f"{state.isolation} by default"],
        "other programs may meet unexpected conflicts; this package sets its own level",
        otherwise="read committed by default; this package sets its own",
    )
    yield checked(
        "autovacuum",
        [f"{name} is off" for name in ("autovacuum", "track_counts") if values[name] != "on"],
        "ALTER SYSTEM SET it TO on: without it tables grow for ever and plans go bad",
        otherwise="on",
        status=Status.FAIL,
    )
    yield checked(
        "durability",
        [f"{name} is off" for name in ("fsync", "full_page_writes") if values[name] != "on"],
        "ALTER SYSTEM SET it TO on: without it a power cut destroys the database",
        otherwise="fsync and full_page_writes are on",
        status=Status.FAIL,
    )
    yield checked(
        "commits",
        ["synchronous_commit is off"] if values["synchronous_commit"] == "off" else [],
        "turn it on, or accept that a power cut takes the last half second of commits",
        otherwise="on disk when they are answered",
    )
    yield checked(
        "page checksums",
        [] if values["data_checksums"] == "on" else ["off"],
        "stop the server and run pg_checksums --enable, so that a failing disk is noticed",
        otherwise="on",
    )
    yield from _memory(found, local=local)
    yield _disk(values.get("data_directory", ""), local=local)


def _version(state: Any) -> Check:
    major = state.version // 10_000
    end = date(major + 2012, 11, 15)  # five years after a release, which is in the autumn
    if major < _OLDEST:
        advice = f"upgrade: this package needs PostgreSQL {_OLDEST} or newer"
        return Check(Status.FAIL, "server version", state.release, advice)
    return checked(
        "server version",
        [f"{state.release}, without corrections since {end:%B %Y}"] if date.today() > end else [],
        "upgrade to a newer major version: see the README",
        otherwise=state.release,
    )


def _tls(mode: str, *, local: bool, encrypted: bool) -> Check:
    if not encrypted:
        found = [] if local else ["not in use"]
        advice = "turn ssl on at the server, and put sslmode=verify-full into the URL"
        return checked("TLS", found, advice, otherwise="the server is this machine", status=Status.FAIL)
    found = [] if mode.startswith("verify-") else [f"in use, but sslmode={mode} takes any certificate"]
    advice = "put sslmode=verify-full and sslrootcert=FILE (or system) into the URL"
    return checked("TLS", found, advice, otherwise=f"in use, sslmode={mode}")


def _pool(pool: int, allowed: int) -> Check:
    return checked(
        "pool",
        [f"a process may take {pool} of {allowed} connections"] if 2 * pool > allowed else [],
        "lower max_size in the URL, so that all processes together stay below",
        otherwise=f"a process may take {pool} of {allowed} connections",
        status=Status.FAIL if pool > allowed else Status.WARN,
    )


def _memory(found: Mapping[str, Any], *, local: bool) -> Iterator[Check]:
    def size(name: str) -> int:
        return int(found[name].value) * _UNITS[found[name].unit]

    def shown(name: str) -> str:
        return f"{name} {size(name) >> 20:,} MB"

    memory = _memory_of_machine() if local else None
    buffers, cache = size("shared_buffers"), size("effective_cache_size")
    if memory is None:
        names = ("shared_buffers", "effective_cache_size", "work_mem", "maintenance_work_mem")
        found_ = f"{', '.join(map(shown, names))}; the memory of the server's machine is not known here"
        yield Check(Status.PASS, "memory", found_)
    else:
        wrong = []
        if buffers < min(0.15 * memory, _LARGE_BUFFERS) or buffers > 0.5 * memory:
            wrong.append(f"{shown('shared_buffers')} (a quarter would be {memory >> 22:,})")
        if not 0.4 * memory <= cache <= memory:
            wrong.append(
                f"{shown('effective_cache_size')} (three quarters would be {3 * memory >> 22:,})"
            )
        if size("maintenance_work_mem") < min(_FEW_MAINTENANCE, memory // 32):
            wrong.append(f"{shown('maintenance_work_mem')} (a thirty-second would be {memory >> 25:,})")
        if size("work_mem") > memory // 64:
            wrong.append(f"{shown('work_mem')} for each sort of each connection")
        yield checked(
            "memory",
            wrong,
            "ALTER SYSTEM SET it; shared_buffers counts after a restart",
            otherwise=f"{shown('shared_buffers')}, {shown('effective_cache_size')}, of {memory >> 20:,}",
        )
    cost = float(found["random_page_cost"].value)
    yield checked(
        "random_page_cost",
        [f"{cost:g}, which is a spinning disk's"] if cost > 2 else [],
        "ALTER SYSTEM SET random_page_cost TO 1.1 where the disk is an SSD",
        otherwise=f"{cost:g}",
    )


def _memory_of_machine() -> int | None:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None


def _disk(folder: str, *, local: bool) -> Check:
    try:
        if not local or not folder:
            raise OSError
        disk = shutil.disk_usage(Path(folder))
    except OSError:
        return Check(Status.PASS, "free disk", "not known here: look at the server's machine")
    return checked(
        "free disk",
        [f"{disk.free >> 30:,} of {disk.total >> 30:,} GB"]
        if disk.free < _FREE_SHARE * disk.total
        else [],
        "add disk before it is full: then the server stops",
        otherwise=f"{disk.free >> 30:,} of {disk.total >> 30:,} GB",
    )
