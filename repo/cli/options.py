"""Options that several commands have, and the database they open."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from repo.cli.output import Format
from repo.errors import ConfigurationError
from repo.settings import DatabaseURL, database_url

if TYPE_CHECKING:
    from repo.database import Database

IN_MEMORY: Final = "sqlite://"


def day(text: str) -> date:
    """A day from the command line."""
    try:
        if len(text) == len("YYYY-MM-DD"):
            return date.fromisoformat(text)
    except ValueError:
        pass
    raise typer.BadParameter(f"{text!r} is not a date; write it as YYYY-MM-DD")


Url = Annotated[
    str | None,
    typer.Option(
        "--url",
        metavar="URL",
        help="The database: sqlite:///relative/file.db, sqlite:////absolute/file.db or "
        "postgresql://user@host/name. Without it, DATABASE_URL of the environment, or else "
        "sqlite:///data/divergence.db.",
    ),
]
SchemaFolders = Annotated[
    list[str] | None,
    typer.Option(
        "--schema",
        metavar="FOLDER",
        help="A folder of an application's own migrations, laid out as the package's schema/. The "
        "sequence is named for the folder, or as in NAME=FOLDER; may be given again.",
    ),
]
QueryFolders = Annotated[
    list[Path] | None,
    typer.Option(
        metavar="FOLDER",
        help="A folder of an application's queries, laid out as the package's; may be given again.",
    ),
]
As = Annotated[
    Format,
    typer.Option(
        "--format",
        help="table is for reading, with rounded numbers; csv and json have every digit, and ISO dates.",
    ),
]
Symbol = Annotated[str, typer.Argument(metavar="SYMBOL", help="A ticker's symbol, such as BRK.B.")]
Start = Annotated[
    date | None,
    typer.Option("--start", parser=day, metavar="DATE", help="The first day, YYYY-MM-DD, included."),
]
End = Annotated[
    date | None,
    typer.Option("--end", parser=day, metavar="DATE", help="The last day, YYYY-MM-DD, included."),
]
Source = Annotated[
    str | None,
    typer.Option(
        "--source",
        metavar="NAME",
        help="Whose counts of retail interest to use; not needed if there is only one source.",
    ),
]


def chosen(ctx: typer.Context, url: str | None) -> DatabaseURL:
    """The URL of the command's --url, or else of the one before the command's name."""
    return database_url(ctx.obj if url is None else url)


def opened(
    ctx: typer.Context,
    url: str | None,
    *,
    read_only: bool = True,
    queries: Sequence[Path] = (),
    schema: Sequence[str] | None = None,
) -> Database:
    """The database of :func:`chosen`."""
    from repo.database import connect  # with the drivers, which --help does not need

    address = chosen(ctx, url)
    if not read_only and address.secret == IN_MEMORY:
        raise ConfigurationError("a database in memory is gone when the command ends: name a file")
    return connect(address.secret, read_only=read_only, queries=queries, schema=folders(schema or ()))


def folders(given: Sequence[str]) -> dict[str, Path]:
    """The folders of ``--schema``, by their names or those given before them."""
    found: dict[str, Path] = {}
    for each in given:
        name, named, folder = each.rpartition("=")
        path = Path(folder)
        found[name if named else path.resolve().name] = path
    if len(found) < len(given):
        raise ConfigurationError("two folders of --schema have one name; write NAME=FOLDER")
    return found
