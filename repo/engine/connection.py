"""A connection and queries, as the package hands them to a backend."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

Connection = Any
"""A driver's connection, opaque outside its backend."""

Bound = Mapping[str, Callable[..., Any]]
"""Queries bound to an engine, by full name: see :class:`repo.binding.BoundQueries`."""
