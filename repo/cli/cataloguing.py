"""The commands about the files of queries: queries and stubs."""

from __future__ import annotations

import difflib
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from repo.cli.output import Format, say, show
from repo.errors import ConfigurationError

Folders = Annotated[
    list[Path] | None,
    typer.Option(
        "--queries",
        metavar="FOLDER",
        exists=True,
        file_okay=False,
        help="A folder of an application's queries, laid out as the package's; may be given again. "
        "Without it, the package's own.",
    ),
]


class _Form(StrEnum):
    """How the catalogue is written."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"
    MARKDOWN = "markdown"


def queries(
    name: Annotated[
        str,
        typer.Argument(metavar="[NAME]", help="One query, such as market.history, or one file of them."),
    ] = "",
    folders: Folders = None,
    code: Annotated[
        list[Path] | None,
        typer.Option(
            "--code", metavar="PATH", help="Python to look for callers in; may be given again."
        ),
    ] = None,
    form: Annotated[
        _Form, typer.Option("--format", help="markdown is a page for people who review SQL.")
    ] = _Form.TABLE,
) -> None:
    """List the named queries: what each takes, gives and is for, on which engines, and who calls it.

    Nothing is connected to. Exits with 1 when there is no such query.
    """
    from repo.review.catalogue import Entry, catalogue, markdown

    found = [
        entry
        for entry in catalogue(folders or (), code or ())
        if name in {"", entry.query, entry.query.rpartition(".")[0]}
    ]
    if not found:
        say(f"there is no query {name}; smdi queries lists them" if name else "there are no queries")
        raise typer.Exit(1)
    if form is _Form.MARKDOWN:
        typer.echo(markdown(found), nl=False)
    elif form is _Form.TABLE and name:
        typer.echo(markdown(found, title=""), nl=False)
    else:
        hidden = ("columns", "documentation", "files")
        show(Format(form.value), Entry, found, hide=hidden)


def stubs(
    folders: Folders = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", metavar="FILE", help="The stub; without it, queries.pyi in the first folder."
        ),
    ] = None,
    check: Annotated[
        bool,
        typer.Option("--check", help="Write nothing, and exit with 1 when the stub is not current."),
    ] = False,
) -> None:
    r"""Write type stubs of the named queries, for editors and type checkers.

    With them, db.queries.movers.gainers() is known to take its parameters and to give its records. Name
    the queries where the database is opened, here for SQL in the folder sql:

    \b
      from __future__ import annotations
      from typing import TYPE_CHECKING
      if TYPE_CHECKING:
          from sql.queries import Queries
      db: repo.Database[Queries] = repo.connect(queries=["sql"])
    """
    from repo.queries import shipped
    from repo.stubs import own_stub, stub

    if folders:
        wanted, file = stub(folders), output or folders[0] / "queries.pyi"
    elif shipped("queries").parent.name == "sql":
        raise ConfigurationError("name the folder of queries: smdi stubs --queries FOLDER")
    else:
        wanted, file = own_stub(), output or Path(__file__).parent.parent / "query_types.pyi"
    there = file.read_text(encoding="utf-8") if file.is_file() else ""
    if there == wanted:
        say(f"{file} is current", err=False)
    elif check:
        lines = difflib.unified_diff(
            there.splitlines(), wanted.splitlines(), str(file), "the SQL", "", "", 1
        )
        say("\n".join(line.rstrip() for line in lines), err=False)
        say(f"{file} is {'not current' if there else 'missing'}: smdi stubs")
        raise typer.Exit(1)
    else:
        file.write_text(wanted, encoding="utf-8")
        say(f"{file} written", err=False)
