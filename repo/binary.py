"""Rows in PostgreSQL's binary COPY format, made a column at a time, to be sent or hashed.

A row is a 16-bit count of fields, then each field as a 32-bit length and its bytes (-1 for NULL), all
big-endian: https://www.postgresql.org/docs/current/sql-copy.html#SQL-COPY-BINARY-FORMAT. Adjacent
columns without NULLs are packed by one struct, so a row costs only a few calls.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import chain, repeat
from struct import Struct, error
from typing import Any, Final

from repo.batches import EPOCH, Columns

HEADER: Final = b"PGCOPY\n\xff\r\n\0" + Struct(">ii").pack(0, 0)
TRAILER: Final = Struct(">h").pack(-1)

_POSTGRESQL_EPOCH: Final = 730_120 - EPOCH
"""2000-01-01, the day PostgreSQL counts from, in days since 1970-01-01."""

_MICROSECONDS: Final = _POSTGRESQL_EPOCH * 86_400_000_000

_NULL: Final = Struct(">i").pack(-1)
_LENGTH: Final = Struct(">i")
_FORMATS: Final[Mapping[str, tuple[str, int]]] = {
    "row": ("q", 8),
    "id": ("i", 4),
    "day": ("i", 4),
    "moment": ("q", 8),
    "int": ("q", 8),
    "float": ("d", 8),
}
_SHIFTS: Final[Mapping[str, int]] = {"day": _POSTGRESQL_EPOCH, "moment": _MICROSECONDS}


@lru_cache(maxsize=256)
def _packer(kinds: tuple[str, ...], first: bool) -> Callable[..., bytes]:
    return Struct(">" + "h" * first + "".join("i" + _FORMATS[kind][0] for kind in kinds)).pack


def _fixed(kinds: list[str], columns: list[Iterable[Any]], fields: int) -> Iterator[bytes]:
    """Columns of fixed length as one piece a row; ``fields`` is the row's count, 0 inside a row."""
    arguments: list[Iterable[Any]] = [repeat(fields)] if fields else []
    for kind, column in zip(kinds, columns, strict=True):
        arguments += [repeat(_FORMATS[kind][1]), column]
    return map(_packer(tuple(kinds), bool(fields)), *arguments)


def _nullable(kind: str, column: Iterable[Any]) -> list[bytes]:
    form, length = _FORMATS[kind]
    pack = Struct(f">i{form}").pack
    shift = _SHIFTS.get(kind, 0)
    return [_NULL if value is None else pack(length, value - shift) for value in column]


def _text(column: Sequence[str | None]) -> Iterable[bytes]:
    coded: dict[str | None, bytes] = {None: _NULL}
    for text in set(column) - {None}:
        raw = text.encode()  # type: ignore[union-attr]  # None was taken out
        coded[text] = _LENGTH.pack(len(raw)) + raw
    return map(coded.__getitem__, column)


def encode(kinds: Sequence[str], columns: Columns) -> bytes:
    """Rows of a binary COPY, without header and trailer.

    :param kinds: of each column ``row`` (a row number), ``id``, ``day``, ``moment``, ``int``, ``float``
        or ``text``; the first is never NULL and not text. Moments are microseconds since 1970, UTC.
    :raises struct.error: for an integer that its kind has no room for.
    """
    try:
        return _joined(kinds, columns, [False] * len(kinds))
    except (error, TypeError):  # as a NULL is no number; to look for them first takes longer than this
        return _joined(kinds, columns, [None in column for column in columns])


def _joined(kinds: Sequence[str], columns: Columns, nulls: Sequence[bool]) -> bytes:
    pieces: list[Iterable[bytes]] = []
    run: list[str] = []
    run_columns: list[Iterable[Any]] = []

    def end_run() -> None:
        if run:
            pieces.append(_fixed(list(run), list(run_columns), 0 if pieces else len(kinds)))
            run.clear()
            run_columns.clear()

    for kind, column, null in zip(kinds, columns, nulls, strict=True):
        if kind == "text":
            end_run()
            pieces.append(_text(column))
        elif null:
            end_run()
            pieces.append(_nullable(kind, column))
        else:
            run.append(kind)
            shift = _SHIFTS.get(kind)
            run_columns.append(column if shift is None else [value - shift for value in column])
    end_run()
    if len(pieces) == 1:
        return b"".join(pieces[0])
    return b"".join(chain.from_iterable(zip(*pieces, strict=True)))
