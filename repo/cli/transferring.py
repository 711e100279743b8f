"""The commands between two databases: copy and verify."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Annotated

import typer

from repo.cli.options import As, day
from repo.cli.output import Format, progress_lines, say, show_table
from repo.errors import ConfigurationError
from repo.settings import database_url
from repo.showing import listed

if TYPE_CHECKING:
    from repo.transfer import Copied

__all__ = ["copy", "verify"]

SourceUrl = Annotated[str, typer.Argument(metavar="SOURCE", help="The URL of the database to read.")]
Target = Annotated[str, typer.Argument(metavar="TARGET", help="The URL of the database to fill.")]


def copy(
    source: SourceUrl,
    target: Target,
    merge: Annotated[
        bool,
        typer.Option("--merge", help="Upsert into a target that holds rows, by symbols and CIKs."),
    ] = False,
    replace: Annotated[
        bool, typer.Option("--replace", help="Put the copy in the place of all rows of the target.")
    ] = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the same copy, which was cut off.")
    ] = False,
    abandon: Annotated[
        bool, typer.Option("--abandon", help="Remove what a copy that was cut off has left, and end.")
    ] = False,
    symbols: Annotated[
        str | None, typer.Option(metavar="A,B,...", help="Copy these tickers only.")
    ] = None,
    since: Annotated[
        date | None,
        typer.Option(parser=day, metavar="DATE", help="Copy the days from this one on, YYYY-MM-DD."),
    ] = None,
    until: Annotated[
        date | None, typer.Option(parser=day, metavar="DATE", help="Copy the days up to this one.")
    ] = None,
    form: As = Format.TABLE,
) -> None:
    """Copy a database into another, of either engine, and prove both equal.

    SOURCE is read as it is at one moment, whoever writes to it, and never written. Readers of TARGET see
    nothing of the copy until all of it has arrived and every digest agrees; if it is cut off, they have
    what they had, and --resume goes on where it was. An empty target is migrated first, one that holds
    rows is refused without --merge or --replace. With --symbols, --since or --until a part is copied
    that refers to nothing outside of it: holdings by the day they were filed, institutions with those.
    An application's own tables are not copied, and are named at the end; those of TARGET stay.

    Exits with 1 when the copy did not arrive.
    """
    from repo import transfer
    from repo.database import connect

    if merge + replace + abandon > 1 or (abandon and resume):
        raise ConfigurationError("--merge, --replace and --abandon exclude each other")
    urls = database_url(source), database_url(target)
    files = [url.file and url.file.resolve() for url in urls]
    if urls[0].secret == urls[1].secret or (files[0] is not None and files[0] == files[1]):
        raise ConfigurationError("SOURCE and TARGET are one database")
    if abandon:
        with connect(target) as new:
            found = transfer.abandon(new)
        typer.echo("removed" if found else "there was no unfinished copy")
        return
    wanted = (
        None if symbols is None else tuple(each.strip() for each in symbols.split(",") if each.strip())
    )
    part = transfer.Slice(wanted, since, until)
    with connect(source, read_only=True) as old, connect(target) as new, progress_lines() as progress:
        done = transfer.copy(
            old, new, replace=replace, merge=merge, resume=resume, part=part, progress=progress
        )
    _report(form, done)


def _report(form: Format, done: Copied) -> None:
    for name in done.changed:
        say(f"the source's {name} changed since the copy was begun: it was copied anew")
    if done.left_out:
        say(f"not copied, for they are no tables of this package: {listed(done.left_out)}")
    if form is Format.JSON:
        import json
        from dataclasses import asdict

        typer.echo(json.dumps(asdict(done), indent=2))
        return
    if done.merged is not None:
        rows = [{"table": name, "rows": count} for name, count in done.merged.items()]
        show_table(["table", "rows"], rows, form)
        say(
            "merged: these rows were new or different, and all are now as in the source",
            err=form is Format.CSV,
        )
        return
    tables = done.tables.values()
    show_table(
        ["table", "rows", "sha256"],
        [{"table": each.table, "rows": each.rows, "sha256": each.sha256} for each in tables],
        form,
    )
    say("proven equal", err=form is Format.CSV)


def verify(
    first: Annotated[str, typer.Argument(metavar="A", help="The URL of a database.")],
    second: Annotated[str, typer.Argument(metavar="B", help="The URL of another.")],
    limit: Annotated[
        int, typer.Option(min=0, metavar="N", help="Name the first N differences, row by row.")
    ] = 20,
    form: As = Format.TABLE,
) -> None:
    """Compare two databases of either engine: every row, key and constraint.

    Digests of all tables are compared, then the rows of those parts that differ, by key, column and both
    values; keys that the databases gave are part of a row. Keys that are there more than once, rows that
    refer to nothing, and schemas that are not as the migrations made them are named, of each database.

    Exits with 1 on any difference.
    """
    from repo import transfer
    from repo.database import connect

    with connect(first, read_only=True) as one, connect(second, read_only=True) as two:
        found = transfer.verify(one, two, limit=limit)
    rows = [
        {
            "table": name,
            "rows": digest.rows,
            "other_rows": found.second[name].rows,
            "equal": "yes" if digest == found.second[name] else "no",
        }
        for name, digest in found.first.items()
    ]
    if form is Format.JSON:
        import json

        typer.echo(
            json.dumps(
                {
                    "equal": found.equal,
                    "tables": rows,
                    "differences": [each._asdict() for each in found.differences],
                    "faults": found.faults,
                    "unseen": found.unseen,
                },
                indent=2,
            )
        )
    else:
        show_table(["table", "rows", "other_rows", "equal"], rows, form)
        for line in (*found.differences, *found.faults):
            say(str(line), err=form is Format.CSV)
    for line in found.unseen:
        say(line)
    if not found.equal:
        raise typer.Exit(1)
