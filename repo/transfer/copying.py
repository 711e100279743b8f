"""A database copied into another: what is checked first, what is sent, and what is done when it ends."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from repo import migrations
from repo.batches import Columns
from repo.chunks import ChunkDigest, ChunkHashes, encoded, pieces, span
from repo.digests import TableDigest, combined_digests
from repo.engine.transfer import FIRST_KEY
from repo.errors import ConfigurationError, IntegrityError, RepoError, TransferError
from repo.introspection import differences
from repo.progress import Progress, no_progress
from repo.tables import TABLES, Table
from repo.transfer.merging import merge as merged
from repo.transfer.proof import others, prove
from repo.transfer.slices import EVERYTHING, Slice, SliceReader, ticker_keys

if TYPE_CHECKING:
    from repo.database import Database
    from repo.engine.staging import RunAll, StagedCopy

_COMMIT_ROWS: Final = 50_000
"""Rows that arrive in one transaction, with the rest of the last one's chunk."""

_NAMED: Final = 20
_LEFT: Final = "the target's readers have what they had; --resume goes on, --abandon clears up"


@dataclass(frozen=True, slots=True)
class Copied:
    """What a copy came to: the digest of each table, or how many rows of each were new or different.

    ``changed`` are the tables that began anew, for the source had other rows when the copy was resumed,
    ``left_out`` those of the source that are not the package's: they are not copied.
    """

    tables: dict[str, TableDigest]
    merged: dict[str, int] | None = None
    changed: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()


def copy(
    source: Database,
    target: Database,
    *,
    replace: bool = False,
    merge: bool = False,
    resume: bool = False,
    part: Slice = EVERYTHING,
    progress: Progress = no_progress,
) -> Copied:
    """Copy a database, or a part of it, with the keys it gave; equal at the end, or as it was.

    An empty target is migrated first. One whose schema differs is refused, and so is one that holds rows
    unless they may be replaced or merged with. Tables that are no part of this package are left alone.

    :param replace: put the copy in the place of all rows that are there.
    :param merge: upsert instead, by symbols and CIKs, in one transaction; keys are the target's own.
    :param resume: go on with a copy of the same source and part that was cut off.
    :param part: what to copy; all of it by default.
    :raises TransferError: where the target cannot take the copy, or it did not arrive as it left.
    :raises MigrationError: for a schema that is not the newest.
    """
    if merge and (replace or resume):
        raise ConfigurationError("a merge is one transaction: it neither replaces nor is resumed")
    if part.since and part.until and part.since > part.until:
        raise ConfigurationError(f"there is no day from {part.since} to {part.until}")
    migrations.require_newest(source.dialect, source.version())
    ticker_keys(source, part.symbols or ())
    if target.version() == 0:
        target.migrate()
    migrations.require_newest(target.dialect, target.version())
    if altered := differences(target):
        raise TransferError(
            "the target's schema differs from what the migrations made: "
            + "; ".join(map(str, altered[:_NAMED]))
        )
    if merge:
        return Copied({}, merged=merged(source, target, part), left_out=others(source))
    with closing(target._backend.transfer().staged(target._session.executor.queries)) as staged:
        return _Copy(source, target, staged, part, replace=replace, progress=progress).run(resume=resume)


def abandon(target: Database) -> bool:
    """Delete what an interrupted copy left in its target; False if there was nothing."""
    with closing(target._backend.transfer().staged(target._session.executor.queries)) as staged:
        found = staged.begun() is not None
        staged.abandon()
    return found


class _Copy:
    """One run of a copy."""

    def __init__(
        self,
        source: Database,
        target: Database,
        staged: StagedCopy,
        part: Slice,
        *,
        replace: bool,
        progress: Progress,
    ) -> None:
        self._source = source
        self._target = target
        self._staged = staged
        self._part = part
        self._replace = replace
        self._progress = progress
        self._token = uuid.uuid4().hex
        self._changed: list[str] = []
        self._sent: dict[str, list[ChunkDigest]] = {}

    def run(self, *, resume: bool) -> Copied:
        """Go from wherever it stands to the end."""
        built = self._begin(resume=resume)
        transfer = self._source._backend.transfer()
        with _advice(self._staged):
            with self._source._session.connection() as connection, transfer.scanning(connection):
                self._fill(SliceReader(self._source, connection, self._part), built=built)
            self._progress("indexes", 0, 0)
            self._staged.finish()
            self._staged.install(replace=self._replace, prove=self._prove)
        self._target._session.schema_changed()
        digests = combined_digests(self._sent)
        return Copied(digests, changed=tuple(self._changed), left_out=others(self._source))

    def _begin(self, *, resume: bool) -> bool:
        """Take up what there is, or begin; whether all rows were there and the indexes are built."""
        found = self._staged.begun()
        if found is not None and not resume:
            was = json.loads(found[0])
            raise TransferError(
                f"an unfinished copy of {was['source']} is there, begun at {was['begun']}: "
                "--resume goes on with it, --abandon removes it"
            )
        if resume and found is None:
            raise TransferError("there is no unfinished copy to go on with: leave out --resume")
        holds_rows = any(each.number for each in self._target._session.read("proof.counts"))
        if holds_rows and found is None and not self._replace:
            raise TransferError(
                "the target holds rows: --replace puts the copy in their place, --merge adds to them"
            )
        if lacking := self._staged.lacking():
            raise TransferError(
                f"the target's role lacks {', '.join(lacking)}: copy as the owner, or use --merge"
            )
        if obstacles := self._staged.obstacles():
            raise TransferError(
                f"the target's tables cannot be replaced, for {', '.join(obstacles)} would go with "
                "them: remove these first and make them again after it, or use --merge"
            )
        if found is None:
            self._start()
            return False
        was = json.loads(found[0])
        for name, value in self._header().items():
            if was[name] != value and name not in ("begun", "replace"):
                raise TransferError(
                    f"the unfinished copy was begun with {name} {was[name]}, not {value}: go on with "
                    "what it was begun with, or remove it with --abandon"
                )
        self._replace = self._replace or was["replace"]
        self._staged.take_over(self._token, built=found[1])
        return found[1]

    def _header(self) -> dict[str, Any]:
        """What a copy is begun with."""
        part = self._part
        return {
            "source": str(self._source._url),
            "version": self._source.version(),
            "symbols": part.symbols and sorted(map(str.upper, part.symbols)),
            "since": part.since and str(part.since),
            "until": part.until and str(part.until),
            "replace": self._replace,
            "begun": datetime.now(UTC).isoformat(timespec="seconds"),
        }

    def _start(self) -> None:
        self._staged.begin(json.dumps(self._header()), self._token)

    def _fill(self, source: SliceReader, *, built: bool) -> None:
        """Copy all tables, and those again whose rows in the source changed since the copy began."""
        # What has arrived is hashed again in the source: nothing cheaper that both engines tell says
        # whether others have written to it meanwhile.
        arrived = self._staged.arrived()
        if built:
            self._sent = {table.name: source.chunks(table) for table in TABLES.values()}
            changed = [name for name, there in self._sent.items() if there != arrived.get(name, [])]
            if not changed:
                return
            self._changed += changed
            self._staged.abandon()
            self._start()
            arrived = {}
        totals: dict[str, int] = {}
        if self._part.whole:
            totals = {each.name: each.number for each in source.ask("proof.counts")}
        for table in TABLES.values():
            chunks = arrived.get(table.name, [])
            if chunks and chunks != source.chunks(table, last=_end(table, chunks)):
                self._changed.append(table.name)
                self._staged.clear(table)
                chunks = []
            self._fill_table(source, table, chunks, totals.get(table.name, 0))

    def _fill_table(
        self, source: SliceReader, table: Table, arrived: list[ChunkDigest], total: int
    ) -> None:
        """Copy the rest of a table: the chunks after the last that has arrived."""
        done = sum(each.rows for each in arrived)
        hashes = ChunkHashes(table)
        kept = waiting = 0
        at: int | None = None

        def keep() -> None:
            nonlocal kept, waiting
            chunks = hashes.end()
            self._staged.keep(table, chunks[kept:])
            kept, waiting = len(chunks), 0
            self._progress(table.name, done, total)

        def take(columns: Columns) -> None:
            nonlocal at, done, waiting
            for chunk, piece in pieces(table, columns):
                if chunk != at and waiting >= _COMMIT_ROWS:
                    keep()
                at = chunk
                data = encoded(table, piece)
                self._staged.write(table, piece, data)
                hashes.add(chunk, len(piece[0]), data)
                done += len(piece[0])
                waiting += len(piece[0])

        source.read(table, take, first=_end(table, arrived) + 1 if arrived else FIRST_KEY)
        keep()
        self._sent[table.name] = [*arrived, *hashes.end()]

    def _prove(self, run_all: RunAll) -> None:
        """See that what arrived is what left.

        :raises TransferError: naming the first chunks that differ, and what breaks a constraint.
        """
        if wrong := prove(self._target, self._sent, run_all, self._progress):
            raise TransferError(f"what arrived is not what left: {'; '.join(wrong[:_NAMED])}")


def _end(table: Table, chunks: list[ChunkDigest]) -> int:
    """The last key that may be in the last of some chunks."""
    return (chunks[-1].chunk + 1) * span(table) - 1


@contextmanager
def _advice(staged: StagedCopy) -> Iterator[None]:
    """Say with an error what became of the copy and how to go on."""
    try:
        yield
    except BaseException as error:
        staged.drop()
        if not isinstance(error, RepoError):
            error.add_note(_LEFT)  # for whoever pressed Ctrl-C
            raise
        told = str(error)
        if isinstance(error, IntegrityError):
            told += "\nthe source has rows that break this constraint: mend them first"
        raise TransferError(f"{told}\n{_LEFT}") from error
