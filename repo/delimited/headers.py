"""Which kind of rows a file holds, and which column belongs to which field."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from repo.errors import ConfigurationError
from repo.showing import listed, short, short_name
from repo.tables import SINGLE_TICKER, TABLES, Table
from repo.validation import Field


@dataclass(frozen=True, slots=True)
class Layout:
    """The fields of a record with the positions of their columns; None for a field without one."""

    kind: str
    columns: tuple[tuple[Field, int | None], ...]
    ignored: tuple[str, ...]

    @property
    def table(self) -> Table:
        """The table that its rows go into."""
        return TABLES[self.kind]

    @property
    def absent(self) -> frozenset[str]:
        """The fields that may be NULL and have no column."""
        return frozenset(
            field.name for field, position in self.columns if field.nullable and position is None
        )

    def position(self, name: str) -> int | None:
        """The position of a field's column; None if it has none."""
        return next((position for field, position in self.columns if field.name == name), None)


def _key(column: str) -> str:
    """A header in the form for comparing: ``<VOL>`` as ``vol``, ``Adj Close`` as ``adj_close``."""
    return re.sub(r"[\s_-]+", "_", column.strip().removeprefix("<").removesuffix(">").strip().lower())


def _named(path: Path, header: Sequence[str], field: str, column: str) -> int:
    """The position of the column that a mapping names."""
    exact = [position for position, each in enumerate(header) if each == column.strip()]
    found = exact or [position for position, each in enumerate(header) if _key(each) == _key(column)]
    if len(found) != 1:
        number = "no" if not found else "more than one"
        raise ConfigurationError(
            f"{path}: there is {number} column {short(column)} for {field}; there are: {_shown(header)}"
        )
    return found[0]


def _candidates(
    path: Path, header: Sequence[str], kind: str, mapping: Mapping[str, str]
) -> dict[str, list[int]]:
    """The positions of the columns that may be each field of the record."""
    fields = TABLES[kind].fields
    mapped = {
        field.name: _named(path, header, field.name, mapping[field.name])
        for field in fields
        if field.name in mapping
    }
    keys = [
        (position, _key(column))
        for position, column in enumerate(header)
        if position not in mapped.values()
    ]

    def positions(names: Collection[str]) -> list[int]:
        return [position for position, key in keys if key in names]

    return {
        field.name: [mapped[field.name]]
        if field.name in mapped
        else positions((field.name, *field.headers)) or positions(field.second_choice)
        for field in fields
    }


def _missing(kind: str, candidates: Mapping[str, Sequence[int]]) -> list[str]:
    return [name for name in TABLES[kind].required if not candidates[name]]


def find_kind(path: Path, stem: str, header: Sequence[str], mapping: Mapping[str, str]) -> str:
    """What a file holds: by its name, or else by the only table that its columns suffice for.

    :raises ConfigurationError: if they suffice for none or for several.
    """
    if stem.lower() in TABLES:
        return stem.lower()
    fitting = []
    nearly = []
    for kind in TABLES:
        missing = _missing(kind, _candidates(path, header, kind, mapping))
        if not missing:
            fitting.append(kind)
        elif missing == ["symbol"] and kind in SINGLE_TICKER:
            nearly.append(kind)
    # Only the symbol is missing: a file about one ticker, for which lay_out() needs the symbol.
    found = fitting or nearly
    if len(found) != 1:
        fits = f"the columns fit {' and '.join(found)}" if found else "the columns fit no kind of rows"
        raise ConfigurationError(
            f"{path}: {fits}; name the file for what it holds or say kind= (--kind on the command "
            f"line), one of {', '.join(TABLES)}; there are: {_shown(header)}"
        )
    return found[0]


def lay_out(
    path: Path, header: Sequence[str], kind: str, symbol: str | None, mapping: Mapping[str, str]
) -> Layout:
    """Find the column of each field.

    :raises ConfigurationError: for two columns of one field, a required field without any, a column of
        the mapping that is not there, or a symbol beside a column of symbols.
    """
    candidates = _candidates(path, header, kind, mapping)
    for name, positions in candidates.items():
        if len(positions) > 1:
            columns = " and ".join(short_name(header[position]) for position in positions[:2])
            raise ConfigurationError(
                f"{path}: {columns} are both {name}; say which with a mapping (--map {name}=COLUMN)"
            )
    if symbol is not None:
        if kind not in SINGLE_TICKER:
            raise ConfigurationError(
                f"{path}: a symbol is given for files of {' and '.join(SINGLE_TICKER)}, not of {kind}"
            )
        if candidates["symbol"]:
            column = short_name(header[candidates["symbol"][0]])
            raise ConfigurationError(f"{path}: a symbol is given, and the file has the column {column}")
    missing = [name for name in _missing(kind, candidates) if name != "symbol" or symbol is None]
    if missing:
        help_ = f"a mapping tells which column it is (--map {missing[0]}=COLUMN)"
        if missing == ["symbol"] and kind in SINGLE_TICKER:
            help_ = f"give the symbol of a file about one ticker (--symbol), or {help_}"
        raise ConfigurationError(
            f"{path}: no column for {', '.join(missing)}, which {kind} must have; "
            f"there are: {_shown(header)}; {help_}"
        )
    fields = TABLES[kind].fields
    columns_found = tuple((field, next(iter(candidates[field.name]), None)) for field in fields)
    used = {position for _, position in columns_found}
    ignored = tuple(column for position, column in enumerate(header) if position not in used)
    return Layout(kind, columns_found, ignored)


def _shown(header: Sequence[str]) -> str:
    return listed([column or "(a column without a name)" for column in header]) or "none"
