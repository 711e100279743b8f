"""The command that writes files: export."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from repo.cli.options import Url, opened
from repo.cli.output import progress_lines, show_table

__all__ = ["export"]


class _Form(StrEnum):
    """How rows are written."""

    CSV = "csv"
    PARQUET = "parquet"


def export(
    ctx: typer.Context,
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="Where the files go; made if it is not there.")
    ],
    form: Annotated[
        _Form, typer.Option("--format", help="parquet needs the extra arrow: smart-money-repo[arrow].")
    ] = _Form.CSV,
    compress: Annotated[
        bool, typer.Option("--gzip", help="Write .csv.gz; Parquet is compressed as it is.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace files of the same names.")] = False,
    url: Url = None,
) -> None:
    """Write every table into a file that smdi load reads back exactly.

    The files are tickers, institutions, market, holdings and sentiment, all of one moment, whoever
    writes meanwhile, and for their owner alone. Rows name tickers by symbol and institutions by CIK: the
    keys that the database gave are left out, and so is created_at; smdi copy keeps both. Files that are
    there are left as they are without --force.
    """
    from repo import export as exports

    with opened(ctx, url) as db, progress_lines() as progress:
        done = exports.export(
            db, folder, form=form.value, compress=compress, force=force, progress=progress
        )
    show_table(["kind", "rows", "file"], [each._asdict() for each in done])
