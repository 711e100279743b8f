"""Records on stdout: as a table for reading, or as CSV or JSON for programs."""

from __future__ import annotations

import csv
import io
import json
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

import typer

from repo.progress import Progress, no_progress
from repo.showing import visible

_SECONDS_BETWEEN: Final = 0.5


def say(text: str, *, err: bool = True) -> None:
    """Write a message, with control characters in names and values written out."""
    typer.echo(visible(text, keep="\n"), err=err)


class Format(StrEnum):
    """How rows are written."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"


def _price(value: float) -> str:
    if value >= 1.0:
        return f"{value:,.2f}"
    return f"{value:.4f}" if value >= 0.0001 else f"{value:.4g}"


def _whole(value: float) -> str:
    return f"{value:,.0f}"


def _size(value: float) -> str:
    """Bytes, in a unit that leaves three or four digits."""
    for unit in ("bytes", "kB", "MB"):
        if abs(value) < 10_000:
            return f"{value:,.0f} {unit}"
        value /= 1024
    return f"{value:,.1f} GB"


def _signed_percent(value: float) -> str:
    return f"{100.0 * value:+,.1f}%"


_FORMS: Final[Mapping[str, Callable[[Any], str]]] = {
    **dict.fromkeys(("open", "high", "low", "close", "average_close"), _price),
    **dict.fromkeys(("volume", "average_volume", "shares_held", "market_value"), _whole),
    **dict.fromkeys(("rows", "other_rows", "interest", "rows_read", "new", "changed"), _whole),
    **dict.fromkeys(("unchanged", "repeated", "rejected"), _whole),
    **dict.fromkeys(("flow", "interest_change", "price_return"), _signed_percent),
    **dict.fromkeys(("institutional_rank", "retail_rank"), "{:.2f}".format),
    **dict.fromkeys(("bytes", "free", "grown"), _size),
    "share": "{:.1%}".format,
    "seconds": "{:.1f}".format,
    "divergence": "{:+.2f}".format,
    "ownership_percent": "{:.2f}%".format,
    "score": "{:+.2f}".format,
    "cik": str,
}
"""How numbers look in a table, by field; other fields are text."""


def shown(field: str, value: Any) -> str:
    """A value as it is shown in a table, safe to print on a terminal; empty for None."""
    if value is None:
        return ""
    form = _FORMS.get(field)
    return visible(str(value)) if form is None else form(value)


def show(
    form: Format, record: Any, rows: Sequence[Any], *, hide: Sequence[str] = (), upright: bool = False
) -> None:
    """Write rows of a record, all fields of it in CSV and JSON.

    CSV has every character as it is stored, except on a terminal, where control characters are written
    out; JSON has its own escapes.

    :param hide: fields that a table leaves out.
    :param upright: in a table, write each field of a row on a line of its own.
    """
    fields: Sequence[str] = record._fields
    if form is Format.JSON:
        objects = [dict(zip(fields, map(_plain, row), strict=True)) for row in rows]
        typer.echo(json.dumps(objects, indent=2))
    elif form is Format.CSV:
        _write_csv([fields, *rows])
    elif upright:
        pairs = [(field, value) for row in rows for field, value in zip(fields, row, strict=True)]
        lines = [(field.replace("_", " "), shown(field, value)) for field, value in pairs]
        _write(("", ""), (False, True), lines)
    else:
        show_table([field for field in fields if field not in hide], [row._asdict() for row in rows])


def show_table(
    fields: Sequence[str], rows: Iterable[Mapping[str, Any]], form: Format = Format.TABLE
) -> None:
    """Write a table with a line for each row and a column for each field, or the same as CSV."""
    if form is Format.CSV:
        _write_csv([fields, *([row[field] for field in fields] for row in rows)])
        return
    cells = [[shown(field, row[field]) for field in fields] for row in rows]
    titles = [field.replace("_", " ") for field in fields]
    _write(titles, [field in _FORMS for field in fields], cells)


@contextmanager
def progress_bar(before: str, after: str) -> Iterator[Any]:
    """A bar of rich's on stderr, between two texts of its tasks; None where that is no terminal."""
    if not _stderr_is_a_terminal():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bars

    columns = (TextColumn(before), BarColumn(), TextColumn(after), TimeElapsedColumn())
    with Bars(*columns, console=Console(stderr=True), transient=True) as bar:
        yield bar


@contextmanager
def progress_lines() -> Iterator[Progress]:
    """Lines on stderr, twice a second at most: rows, rate and time left."""
    started: dict[str, tuple[float, int]] = {}
    last = 0.0

    def tell(what: str, done: int, total: int) -> None:
        nonlocal last
        now = time.monotonic()
        begun, before = started.setdefault(what, (now, done))
        if not total and not done:
            if what == "indexes":
                say(what)
            return
        if not 0 < total <= done and now - last < _SECONDS_BETWEEN:
            return
        last = now
        line = f"{what}: {done:,} of {total:,} rows" if total else f"{what}: {done:,} rows"
        if now > begun and done > before:
            rate = (done - before) / (now - begun)
            line += f", {rate:,.0f} a second"
            line += f", {(total - done) / rate:.0f} s left" if total else ""
        say(line)

    yield tell if _stderr_is_a_terminal() else no_progress


def _stderr_is_a_terminal() -> bool:
    return sys.stderr is not None and sys.stderr.isatty()


def _write_csv(rows: Iterable[Iterable[Any]]) -> None:
    text = "\n".join(_csv_lines(rows))
    typer.echo(visible(text, keep="\r\n") if _on_a_terminal() else text)


def _csv_lines(rows: Iterable[Iterable[Any]]) -> Iterator[str]:
    text = io.StringIO()
    # Before Python 3.13, the writer quotes a cell for a line end only if it is the writer's own.
    writer = csv.writer(text, lineterminator="\r\n")
    for row in rows:
        writer.writerow(row)
        yield text.getvalue().removesuffix("\r\n")
        text.seek(0)
        text.truncate()


def _on_a_terminal() -> bool:
    return sys.stdout is not None and sys.stdout.isatty()


def _plain(value: Any) -> Any:
    if isinstance(value, Path):
        return str(value)
    return value.isoformat() if isinstance(value, date) else value


def _write(titles: Sequence[str], right: Sequence[bool], rows: Sequence[Sequence[str]]) -> None:
    if _on_a_terminal():
        _write_rich(titles, right, rows)
        return
    widths = [max(map(len, column)) for column in zip(titles, *rows, strict=True)]
    lines = [titles, *rows] if any(titles) else rows
    typer.echo("\n".join(_line(line, widths, right) for line in lines))


def _line(cells: Sequence[str], widths: Sequence[int], right: Sequence[bool]) -> str:
    """A line for a pipe: not folded or cut."""
    return "  ".join(
        cell.rjust(width) if to_right else cell.ljust(width)
        for cell, width, to_right in zip(cells, widths, right, strict=True)
    ).rstrip()


def _write_rich(titles: Sequence[str], right: Sequence[bool], rows: Sequence[Sequence[str]]) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, show_header=any(titles), show_edge=False, pad_edge=False)
    for title, to_right in zip(titles, right, strict=True):
        table.add_column(Text(title), justify="right" if to_right else "left", overflow="fold")
    for row in rows:
        table.add_row(*map(Text, row))  # Text, because a name may look like rich's markup
    Console().print(table)
