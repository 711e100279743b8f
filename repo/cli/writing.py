"""The command that writes rows: load."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from repo.cli.options import As, SchemaFolders, Url, opened
from repo.cli.output import Format, progress_bar, say, show, show_table
from repo.errors import Missing
from repo.showing import listed, short_name
from repo.tables import SINGLE_TICKER, TABLES

if TYPE_CHECKING:
    from repo.loading import Loaded, LoadProgress

_KINDS = f"{', '.join([*TABLES][:-1])} or {[*TABLES][-1]}"


def load(
    ctx: typer.Context,
    paths: Annotated[
        list[Path],
        typer.Argument(
            metavar="PATH",
            exists=True,
            help="Files (.csv .tsv .txt, plain or .gz, or .parquet), or folders of files named "
            f"{_KINDS}. All are loaded or none.",
        ),
    ],
    kind: Annotated[
        str | None,
        typer.Option(
            metavar="KIND",
            help=f"What a file holds, if neither its name nor its columns tell: {_KINDS}.",
        ),
    ] = None,
    symbol: Annotated[
        str | None,
        typer.Option(
            metavar="SYMBOL",
            help=f"The ticker of a file of {' or '.join(SINGLE_TICKER)} without such a column.",
        ),
    ] = None,
    mapping: Annotated[
        list[str] | None,
        typer.Option(
            "--map", metavar="FIELD=COLUMN", help="Take a field from this column; may be given again."
        ),
    ] = None,
    skip_bad: Annotated[
        bool, typer.Option("--skip-bad", help="Leave bad rows out and write them to a reject file.")
    ] = False,
    strict: Annotated[
        bool, typer.Option("--strict", help="Refuse a file in which a key comes more than once.")
    ] = False,
    rejects: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="The reject file; without it <file name>.rejects.csv in the current folder.",
        ),
    ] = None,
    schema: SchemaFolders = None,
    form: As = Format.TABLE,
    url: Url = None,
) -> None:
    """Load CSV, TSV and Parquet files, all or nothing.

    New rows are inserted, different ones changed, equal ones left alone. If a key comes more than once,
    the last row counts. The first row of a file names its columns: the fields' own names, or those of
    Yahoo Finance and Stooq. A field that may be empty needs no column: it stays as it is in stored rows,
    and is empty in new ones.

    Exits with 1 when every row of a file was rejected.
    """
    from repo import loading

    fields = _as_mapping(mapping or [])
    with opened(ctx, url, read_only=False, schema=schema) as db:
        if db.version() == 0:
            typer.echo(f"the database is empty; applied {', '.join(db.migrate())}", err=True)
        try:
            with _progress() as progress:
                done = loading.load(
                    db,
                    paths,
                    kind=kind,
                    symbol=symbol,
                    mapping=fields,
                    skip_bad=skip_bad,
                    strict=strict,
                    rejects=rejects,
                    progress=progress,
                    on_other=lambda other: say(f"left alone: {other}"),
                )
        except Missing as error:
            _explain_missing(error)
            raise typer.Exit(1) from None
    _report(form, done)
    if any(each.rejected and each.rejected == each.rows for each in done):
        raise typer.Exit(1)


def _as_mapping(pairs: list[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for pair in pairs:
        field, _, column = pair.partition("=")
        if not field or not column:
            raise typer.BadParameter(f"{pair!r} is not FIELD=COLUMN", param_hint="--map")
        if field in found:
            raise typer.BadParameter(f"{field} is given two columns", param_hint="--map")
        found[field] = column
    return found


def _explain_missing(error: Missing) -> None:
    table = next(each for each in TABLES.values() if isinstance(error, each.unknown))
    say(
        f"error: {error}\nload a file of {table.aggregate} first (its columns: "
        f"{' and '.join(table.required)}), or leave such rows out with --skip-bad"
    )


def _report(form: Format, done: list[Loaded]) -> None:
    if form is Format.TABLE:
        fields = ["kind", "rows_read", "new", "changed", "unchanged", "repeated", "rejected", "file"]
        show_table(fields, [{**each._asdict(), "rows_read": each.rows} for each in done])
    else:
        from repo.loading import Loaded

        show(form, Loaded, done)
    if form is Format.TABLE and not any(each.new or each.changed for each in done):
        typer.echo("nothing changed")
    for each in done:
        if each.ignored:
            names = [repr(short_name(column)) for column in each.ignored]
            say(f"{each.file}: ignored columns: {listed(names)}")
        if each.rejected:
            rows = "1 row was" if each.rejected == 1 else f"{each.rejected:,} rows were"
            if each.rejected == each.rows:
                rows = f"every row ({rows.split()[0]}) was"
            say(f"{each.file}: {rows} rejected, see {each.rejects}")


@contextmanager
def _progress() -> Iterator[LoadProgress]:
    """The rows of each kind, on a terminal."""
    with progress_bar("{task.description:<12}", "{task.fields[rows]:>12,} rows") as bar:
        tasks: dict[str, Any] = {}

        def tell(kind: str, rows: int, position: int, size: int) -> None:
            if bar is not None:
                if kind not in tasks:
                    tasks[kind] = bar.add_task(kind, total=size, rows=0)
                bar.update(tasks[kind], completed=position, total=size, rows=rows)

        yield tell
