"""Backups of PostgreSQL: pg_dump of a snapshot, and a restore inside a transaction of this package's."""

from __future__ import annotations

import re
import secrets
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import NamedTemporaryFile, TemporaryFile
from typing import IO, Any, Final
from urllib.parse import quote, urlencode

import psycopg
from psycopg.pq import TransactionStatus

from repo.backends.postgresql.adapter import translate
from repo.backends.postgresql.connection import PooledConnection
from repo.backends.postgresql.programs import Program, connection_for, find
from repo.backends.postgresql.url import demand_tls, explicit, url_settings
from repo.binding import BoundQueries
from repo.engine.backup import Compare, Origin, Restoring, Writing
from repo.errors import BackupError, ConfigurationError, ConflictError
from repo.progress import Progress
from repo.showing import listed

_LOCK_SECONDS: Final = 60
_LOOK_SECONDS: Final = 0.1
_STALE_SECONDS: Final = 300
_PIECE: Final = 1 << 16
_KINDS: Final = ("TABLE", "FOREIGN TABLE", "MATERIALIZED VIEW", "VIEW", "SEQUENCE")
_COPY: Final = re.compile(rb"COPY .+ FROM stdin;\n")
_BEFORE_COPY: Final = b"\n--\n\n"
_END_OF_COPY: Final = b"\\.\n"
_RESTRICT: Final = b"\\restrict "
_NEWER: Final = b"SET transaction_timeout = 0;\n"
"""A setting that servers before 17 do not have."""
_BEFORE_NEWER: Final = b"\nSET idle_in_transaction_session_timeout = 0;\n"
_COMMIT: Final = re.compile(rb"\nCOMMIT;\n(?:--[^\n]*\n|\n)*\Z")
_EXTENSION: Final = re.compile(r"\d+; \d+ \d+ (?:EXTENSION|COMMENT) - (?:EXTENSION )?(\S+)")


class PostgreSQLDumpRestore:
    """A backup is a file of pg_dump's custom format, which pg_restore reads without this package."""

    suffix = ".dump"

    def __init__(self, parameters: Mapping[str, Any], queries: BoundQueries, *, pooler: bool) -> None:
        self._parameters = parameters
        self._queries = queries
        self._pooler = pooler
        self._search_path = "public"

    def _refuse_pooler(self) -> None:
        if self._pooler:
            raise ConfigurationError(
                "backups and restores do not work through a pooler: give the URL of the server itself"
            )

    def origin(self, connection: PooledConnection) -> Origin:
        info = connection.info
        major, minor = divmod(info.server_version, 10000)
        source = f"{info.host or 'localhost'}:{info.port}/{info.dbname}"
        return Origin(source, info.dbname, f"PostgreSQL {major}.{minor}")

    @contextmanager
    def dump(self, connection: PooledConnection, file: Path, progress: Progress) -> Iterator[str]:
        self._refuse_pooler()
        program = find("pg_dump", connection.info.server_version // 10000)
        shown, environment = connection_for(self._parameters, file.parent)
        snapshot = self._queries["backup.snapshot"](connection, {})
        self._search_path = self._queries["backup.search_path"](connection, {})
        options = [
            "--format=custom",
            "--no-password",
            f"--lock-wait-timeout={_LOCK_SECONDS}s",
            f"--snapshot={snapshot}",
            f"--dbname={shown}",
        ]
        with file.open("wb") as out, _running(program, options, out, environment) as process:
            yield f"{program.name} {program.version}"
            while process.poll() is None:
                progress("dump", out.tell(), 0)
                time.sleep(_LOOK_SECONDS)

    @contextmanager
    def scratch(self, folder: Path, server: str | None) -> Iterator[str]:
        parameters = dict(self._parameters)
        if server is not None:
            parameters, _ = url_settings(server)
            demand_tls(parameters)
        name = f"smdi_scratch_{int(time.time())}_{secrets.token_hex(4)}"
        parameters["autocommit"] = True
        try:
            try:
                with PooledConnection.connect(**parameters) as connection:
                    self._sweep(connection)
                    # In no language's order, so that the server's own does not matter.
                    connection.execute(
                        f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8' "
                        "LC_COLLATE 'C' LC_CTYPE 'C'"
                    )
                    # What is set for a database is not in its backup.
                    connection.execute(
                        f"ALTER ROLE CURRENT_USER IN DATABASE {name} SET search_path "
                        f"TO {self._search_path}"
                    )
                given = {**explicit(parameters), "dbname": name, "min_size": 1, "max_size": 4}
                yield f"postgresql://?{urlencode(given, quote_via=quote)}"
            finally:  # on a new connection: the server may have ended one that was idle
                with PooledConnection.connect(**parameters) as connection:
                    connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        except (psycopg.errors.InsufficientPrivilege, psycopg.errors.ReadOnlySqlTransaction) as error:
            raise BackupError(
                "a backup is proven by a restore into a scratch database, and this role can make none "
                "here: ALTER ROLE ... CREATEDB, or --scratch URL (scratch=...) of a server where it "
                "can, or --no-verify (verify=False)"
            ) from error
        except psycopg.Error as error:
            raise translate(error) from error

    def _sweep(self, connection: PooledConnection) -> None:
        """Drop unused scratch databases of killed runs, if they are older than five minutes."""
        before = int(time.time()) - _STALE_SECONDS
        for left in self._queries["backup.left_behind"](connection, {"before": before}):
            with suppress(psycopg.Error):  # somebody uses it
                connection.execute(f"DROP DATABASE IF EXISTS {left.quoted}")

    def restore(self, file: Path, how: Restoring, writing: Writing, compare: Compare) -> None:
        """Run the script that pg_restore writes, and commit if the rows are those of the manifest.

        pg_restore itself would commit before they are compared. A second database, swapped for the first
        by its name, would need the right to make one, lose the settings and grants of the first, and end
        all sessions.
        """
        self._refuse_pooler()
        with writing() as connection:
            try:
                ((path,),) = connection.execute("SHOW search_path").fetchall()
                self._make_room(connection, force=how.force)
                self._load(connection, file, how)
                # A setting of the connection, as SHOW and SET are; SET takes no parameters.
                connection.execute("SELECT set_config('search_path', %s, true)", [path])
            except psycopg.errors.LockNotAvailable as error:
                raise ConflictError(
                    f"others have been using the tables for {_LOCK_SECONDS} seconds: stop what loads, "
                    "and restore again"
                ) from error
            except psycopg.Error as error:
                advice = ""
                if how.privileges and isinstance(error, psycopg.errors.UndefinedObject):
                    advice = (
                        ": make the role here first, or leave rights out, --no-privileges "
                        "(privileges=False), and then run `smdi grant`"
                    )
                raise BackupError(f"nothing was restored: {translate(error)}{advice}") from error
            compare(None)

    def _make_room(self, connection: PooledConnection, *, force: bool) -> None:
        """Lock everything that is stored, and drop it."""
        relations = self._queries["backup.relations"](connection, {})
        connection.execute(f"SET LOCAL lock_timeout TO '{_LOCK_SECONDS}s'")
        connection.execute("SET LOCAL row_security TO off")  # fail where a policy hides rows
        of_kind = {kind: [each for each in relations if each.kind == kind] for kind in _KINDS}
        if tables := of_kind["TABLE"]:
            names = ", ".join(each.quoted for each in tables)
            connection.execute(f"LOCK TABLE {names} IN ACCESS EXCLUSIVE MODE")
        # Here and not in queries/: a table's name, which the server quoted, is no parameter.
        full = [
            each.quoted
            for each in tables
            if not (force or each.bookkeeping)
            and connection.execute(f"SELECT 1 FROM {each.quoted} LIMIT 1").fetchone()  # noqa: S608  # quoted
        ]
        if full:
            raise BackupError(
                f"the database holds rows, in {listed(full)}: --force (force=True) replaces all of it"
            )
        for kind, found in of_kind.items():
            if found:
                names = ", ".join(each.quoted for each in found)
                connection.execute(f"DROP {kind} IF EXISTS {names} CASCADE")

    def _load(self, connection: PooledConnection, file: Path, how: Restoring) -> None:
        """Send the server pg_restore's script of a file, without extensions that cannot be replaced."""
        program = find("pg_restore")
        fixed = {each.name for each in self._queries["backup.fixed_extensions"](connection, {})}
        with NamedTemporaryFile("w", encoding="utf-8") as wanted:
            with _running(program, ["--list", str(file)], subprocess.PIPE) as process:
                for line in map(bytes.decode, process.stdout or ()):
                    extension = _EXTENSION.match(line)
                    if extension is None or extension[1] not in fixed:
                        wanted.write(line)
            wanted.flush()
            options = [
                "--single-transaction",
                "--clean",
                "--if-exists",
                "--no-owner",
                *(
                    []
                    if how.privileges
                    else ["--no-privileges", "--no-publications", "--no-subscriptions"]
                ),
                f"--use-list={wanted.name}",
                "--file=-",
                str(file),
            ]
            # An index may take longer than the usual patience.
            usual, connection.patience = connection.patience, None
            with _running(program, options, subprocess.PIPE) as process:
                assert process.stdout is not None
                _send(connection, process.stdout, how.progress)
            connection.patience = usual


def _send(connection: PooledConnection, script: IO[bytes], progress: Progress) -> None:
    """Send a script in pieces: the rows of each COPY, and what is between two of them."""
    rows = 0
    pending = b""
    for_psql: tuple[bytes, ...] = ()
    for line in script:
        if not for_psql and line.startswith(_RESTRICT):  # its token is in no other line
            for_psql = line, b"\\un" + line[1:]
        if line in for_psql or (line == _NEWER and pending.endswith(_BEFORE_NEWER)):
            continue
        if not (_COPY.fullmatch(line) and pending.endswith(_BEFORE_COPY)):
            pending += line
            continue
        _execute(connection, pending)
        pending = b""
        progress("restore", rows, 0)
        with connection.cursor() as cursor, cursor.copy(line) as copy:
            piece = bytearray()
            for row in iter(script.readline, _END_OF_COPY):
                if not row:
                    raise BackupError("the backup ends in the middle of a table")
                piece += row
                rows += 1
                if len(piece) > _PIECE:
                    copy.write(bytes(piece))
                    piece.clear()
                    progress("restore", rows, 0)
            copy.write(bytes(piece))
    _execute(connection, _COMMIT.sub(b"\n", pending))
    progress("compare", rows, 0)


def _execute(connection: PooledConnection, statements: bytes) -> None:
    connection.execute(statements, prepare=False)
    if connection.info.transaction_status != TransactionStatus.INTRANS:
        raise BackupError("the backup's script ends the transaction that it is to be restored in")


@contextmanager
def _running(
    program: Program, options: list[str], out: Any, environment: dict[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """A program that runs beside the block, and is killed if the block fails."""
    command = [program.path, *options]
    with (
        TemporaryFile() as said,
        subprocess.Popen(  # noqa: S603  # found by find()
            command, stdin=subprocess.DEVNULL, stdout=out, stderr=said, env=environment
        ) as process,
    ):
        try:
            yield process
        except BaseException:
            process.kill()
            raise
        if status := process.wait():
            said.seek(0)
            raise program.failed(status, said.read().decode("utf-8", "replace"))
