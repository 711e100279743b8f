"""Equality to the last bit: what a call returned or raised, in a form that compares so."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from repo import ConfigurationError, InvalidRecord, UnknownInstitution, UnknownTicker
from repo.batches import RepeatedKeys, Unfit

__all__ = ["Outcome", "exact", "outcome"]


def exact(value: Any, *, plain: bool = False) -> Any:
    """A value whose comparison tells types apart, 0.0 from -0.0, and every bit of a float.

    :param plain: take records for the tuples that they are.
    """
    kind = tuple if plain and isinstance(value, tuple) else type(value)
    if isinstance(value, float):
        return kind.__name__, struct.pack(">d", value).hex(), repr(value)
    if isinstance(value, list | tuple):
        return kind.__name__, tuple(exact(item, plain=plain) for item in value)
    return kind.__name__, value


@dataclass(frozen=True)
class Outcome:
    """What a call came to: a value, or an error's class and what callers can read from it."""

    value: Any = None
    error: str | None = None
    fields: tuple[Any, ...] = ()
    answer: Any = field(default=None, compare=False, repr=False)
    """The value as it was returned."""
    raised: Exception | None = field(default=None, compare=False, repr=False)


def _fields(error: Exception) -> tuple[Any, ...]:
    """What a caller may act on; the words of a driver's error are its engine's own."""
    if isinstance(error, InvalidRecord):
        # By repr, for a NaN is not equal to itself.
        problems = tuple((p.row, p.field, repr(p.value), p.reason) for p in error.problems)
        return problems, str(error)
    if isinstance(error, UnknownTicker | UnknownInstitution):
        return error.missing, str(error)
    if isinstance(error, RepeatedKeys):
        return tuple(map(tuple, error.rows))
    if isinstance(error, Unfit):
        return error.rows
    if isinstance(error, ConfigurationError):
        return (str(error),)
    return ()


def outcome(call: Callable[[], Any], common: Callable[[Any], Any] = lambda answer: answer) -> Outcome:
    """Call, and tell what it returned or raised.

    :param common: what of the answer is compared.
    """
    try:
        answer = call()
    except Exception as error:  # whatever it is, both engines must raise it
        return Outcome(error=type(error).__name__, fields=_fields(error), raised=error)
    return Outcome(value=exact(common(answer)), answer=answer)
