"""The plans of this package's queries, as the engines tell them."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from typing import Any

import psycopg

from repo import queries
from tests.bench.contestants.base import in_days, sqlite_path
from tests.bench.statements import for_psycopg

__all__ = ["plan"]


def plan(url: str, name: str, parameters: Mapping[str, Any]) -> list[str]:
    """The lines of a query's plan for these values; ``name`` is its full name."""
    if url.startswith("sqlite:"):
        return _sqlite(url, queries.load().query(name, "sqlite").sql, parameters)
    return _postgresql(url, queries.load().query(name, "postgresql").sql, parameters)


def _sqlite(url: str, sql: str, parameters: Mapping[str, Any]) -> list[str]:
    with closing(sqlite3.connect(sqlite_path(url))) as connection:
        rows = connection.execute(f"EXPLAIN QUERY PLAN {sql}", in_days(parameters)).fetchall()
    depths = {0: -1}
    lines = []
    for number, parent, _, detail in rows:
        depths[number] = depths[parent] + 1
        lines.append("  " * depths[number] + detail)
    return lines


def _postgresql(url: str, sql: str, parameters: Mapping[str, Any]) -> list[str]:
    connection: Any
    with psycopg.connect(url, cursor_factory=psycopg.ClientCursor) as connection:
        text = for_psycopg(sql.replace("%", "%%"))
        rows = connection.execute(f"EXPLAIN {text}", parameters).fetchall()
    return [line for (line,) in rows]
