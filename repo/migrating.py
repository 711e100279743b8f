"""Migrations applied and undone, a step at a time."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

from repo.conflicts import tried
from repo.engine.backend import taken
from repo.errors import ConfigurationError, ConflictError, MigrationError, RepoError
from repo.migrations.files import PACKAGE, Migration
from repo.migrations.history import (
    APPLIED,
    APPLYING,
    UNDOING,
    Chains,
    History,
    State,
    chains,
    read,
    refuse_differences,
    refuse_strangers,
    states,
)
from repo.scripts import ScriptStatement, in_transaction, statements
from repo.sessions import Session
from repo.showing import short

LOCK_SECONDS: Final = 3.0
ATTEMPTS: Final = 10
_WAIT_SECONDS: Final = 600.0
_LOOK_SECONDS: Final = 0.1
_LONGEST_PAUSE_SECONDS: Final = 5.0
_SHOWN: Final = 200


class MigrationStep(NamedTuple):
    """One migration to apply (``up``) or to undo."""

    migration: Migration
    up: bool

    @property
    def label(self) -> str:
        """The migration's label, with a minus in front if it is undone."""
        return self.migration.label if self.up else f"-{self.migration.label}"

    @property
    def file(self) -> Path:
        """The file to run."""
        return self.migration.file if self.up else self.migration.undo_file

    @property
    def sql(self) -> str:
        """The SQL to run."""
        return self.migration.sql if self.up else self.migration.undo

    @property
    def key(self) -> tuple[str, int]:
        """The sequence and the number."""
        return self.migration.sequence, self.migration.number


def version(session: Session) -> int:
    """The number of the newest of the package's migrations applied; 0 for an empty database.

    :raises MigrationError: when the record of migrations is another program's.
    """
    return read(session.read).at()


def status(session: Session) -> list[State]:
    """The state of each migration, of the package and of the application, by sequence and number."""
    return states(read(session.read), chains(session.dialect, session.migration_folders))


def applied(session: Session) -> list[Migration]:
    """The migrations of a database, in the order of the files.

    :raises MigrationError: when they are not those of the files.
    """
    history, files = read(session.read), chains(session.dialect, session.migration_folders)
    refuse_differences(history, files)
    return [each for name, chain in files.items() for each in chain[: history.at(name)]]


def plan(session: Session, to: int | None = None, of: str | None = None) -> list[MigrationStep]:
    """What :func:`migrate` would do, in its order; nothing is done.

    :raises ConfigurationError: for a number or a sequence that is not there.
    :raises MigrationError: as :func:`migrate` would.
    """
    history = read(session.read)
    if not history.tables:
        refuse_strangers(session.read)
    return _plan(history, chains(session.dialect, session.migration_folders), to, of)


def _plan(history: History, files: Chains, to: int | None, of: str | None) -> list[MigrationStep]:
    sequence = PACKAGE if of is None else of
    if sequence not in files:
        raise ConfigurationError(f"there is no sequence {short(sequence)}; there are {', '.join(files)}")
    there = len(files[sequence])
    if to is not None and not 0 <= to <= there:
        raise ConfigurationError(f"there are migrations 0 to {there}, not {short(to)}")
    refuse_differences(history, files)
    _refuse_renamed(history, files)
    if to is None:
        names = list(files) if of is None else [of]
        steps = [
            MigrationStep(each, up=True) for name in names for each in files[name][history.at(name) :]
        ]
    else:
        at = history.at(sequence)
        steps = [MigrationStep(each, up=True) for each in files[sequence][at:to]]
        if to < at:
            upon = _standing_upon(history, files, to) if sequence == PACKAGE else []
            steps = [
                *upon,
                *(MigrationStep(each, up=False) for each in reversed(files[sequence][to:at])),
            ]
    return [*_unfinished(history, files, steps), *steps]


def _refuse_renamed(history: History, files: Chains) -> None:
    """Refuse migrations that were applied under another name: their tables exist."""
    for name in [each for each in files if each not in history.applied]:
        for other in [each for each in history.applied if each not in files]:
            was, first = history.applied[other][0], files[name][0]
            if (was.name, was.checksum) == (first.name, first.checksum):
                raise MigrationError(
                    f"the migrations of {name} were applied as those of {other}: "
                    f"--schema {other}=FOLDER, or repo.connect(schema={{'{other}': folder}})"
                )


def _standing_upon(history: History, files: Chains, to: int) -> list[MigrationStep]:
    """The steps to undo before the package's migrations above a number."""
    steps = []
    # Each folder may refer to the tables of those given before it.
    unknown = [name for name in history.applied if name not in files]
    for name in [*unknown, *reversed([name for name in files if name != PACKAGE])]:
        above = [row.version for row in history.applied.get(name, ()) if row.upon > to]
        if above and name not in files:
            raise MigrationError(
                f"the migrations of {name} stand upon what is to be undone, and its folder was not "
                "given: --schema FOLDER, or repo.connect(schema=[folder])"
            )
        steps += [MigrationStep(files[name][number - 1], up=False) for number in reversed(above)]
    return steps


def _unfinished(history: History, files: Chains, steps: list[MigrationStep]) -> list[MigrationStep]:
    """Steps back from what was begun, where the steps do not go on with it."""
    going = {(each.key, each.up) for each in steps}
    found = []
    for (name, number), state in history.begun.items():
        up = state == APPLYING
        if name in files and number <= len(files[name]) and ((name, number), up) not in going:
            found.append(MigrationStep(files[name][number - 1], up=not up))
    return found


def migrate(
    session: Session,
    to: int | None = None,
    schema: Path | None = None,
    on_applied: Callable[[str], None] = lambda label: None,
    *,
    of: str | None = None,
    lock_timeout: float = LOCK_SECONDS,
    attempts: int = ATTEMPTS,
) -> list[str]:
    """See :meth:`repo.Database.migrate`.

    :param schema: the folder of the package's files; None is the package's own.
    """
    if attempts < 1:
        raise ConfigurationError(f"attempts must be at least 1, not {short(attempts)}")
    if not 0 <= lock_timeout <= _WAIT_SECONDS:
        raise ConfigurationError(f"lock_timeout is 0 to {_WAIT_SECONDS:g} seconds, not {lock_timeout}")
    files = chains(session.dialect, session.migration_folders, schema)
    if session.in_transaction():
        raise ConfigurationError("migrations have transactions of their own; leave this one first")
    work = _Work(session, files, to, of, round(1000 * lock_timeout))
    done: list[str] = []
    if not _plan(read(session.read), files, to, of):
        return done
    while (label := work.step(attempts)) is not None:
        done.append(label)
        on_applied(label)
    if done:
        session.schema_changed()
    return done


class _Work:
    """Goes to a target, a step at a time."""

    def __init__(
        self, session: Session, files: Chains, to: int | None, of: str | None, milliseconds: int
    ) -> None:
        self._session = session
        self._files = files
        self._to = to
        self._of = of
        self._milliseconds = milliseconds

    def step(self, attempts: int) -> str | None:
        """Go one migration towards the target; None when there."""
        try:
            return tried(self._step, attempts, pause=_LOOK_SECONDS, longest=_LONGEST_PAUSE_SECONDS)
        except ConflictError as conflict:
            raise ConflictError(
                f"{conflict}; tried {attempts} times: try again when no long transaction runs, "
                "or with a longer lock time-out"
            ) from conflict

    def _step(self) -> str | None:
        while True:
            begun, label = self._begin()
            if begun is None or self._finish(*begun):
                return label

    @contextmanager
    def _alone(self) -> Iterator[tuple[History, MigrationStep | None]]:
        """A transaction with the record and the next step, once no other process migrates."""
        session = self._session
        deadline = time.monotonic() + _WAIT_SECONDS
        # Asked again and again, each time in another transaction: one that waited would hold up an index
        # that the other process builds CONCURRENTLY, which waits for every transaction with a snapshot.
        while True:
            with session.writing():
                if session.read("migrations.lock"):
                    session.read("migrations.patience", milliseconds=self._milliseconds)
                    history = read(session.read)
                    if not history.tables:
                        refuse_strangers(session.read)
                        session.write("migrations.prepare")
                    steps = _plan(history, self._files, self._to, self._of)
                    yield history, steps[0] if steps else None
                    return
            if time.monotonic() > deadline:
                raise ConflictError(f"another process has been migrating for {_WAIT_SECONDS:g} seconds")
            time.sleep(_LOOK_SECONDS)

    def _begin(self) -> tuple[tuple[MigrationStep, bool] | None, str | None]:
        """Do the next step; of one that runs outside of a transaction, only note that it is begun."""
        session, backend = self._session, self._session.executor.backend
        with self._alone() as (history, step):
            if step is None:
                return None, None
            if not in_transaction(step.sql) and not backend.one_writer:  # which builds beside none
                if step.key not in history.begun:
                    self._note(history, step, APPLYING if step.up else UNDOING)
                return (step, step.key in history.begun), step.label
            with session.writing() as connection:
                for statement in statements(step.sql):
                    self._run(step, statement, lambda sql: backend.run_script(connection, sql))
            self._done(history, step)
            return None, step.label

    def _finish(self, begun: MigrationStep, again: bool) -> bool:
        """Run what was begun; False if another process has done so meanwhile."""
        backend = self._session.executor.backend
        with self._alone() as (history, step):
            if step != begun or step.key not in history.begun:
                return False
            self._let_go()
            with taken(backend, write=True) as connection:  # in no transaction
                for statement in statements(step.sql):
                    self._run(
                        step, statement, lambda sql: backend.run_alone(connection, sql, again=again)
                    )
            self._done(history, step)
            return True

    def _let_go(self) -> None:
        """Release the snapshot of the last read, which a server keeps until the next statement.

        Otherwise a build of an index beside this transaction would wait for it.
        """
        with self._session.writing():
            pass

    def _run(self, step: MigrationStep, statement: ScriptStatement, run: Callable[[str], None]) -> None:
        try:
            run(statement.sql)
        except RepoError as error:
            text = " ".join(statement.sql.split())
            shown = text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
            told = f"{step.label} failed: {step.file}:{statement.line}: {shown}: {error}"
            if isinstance(error, ConflictError):
                raise ConflictError(told) from error
            whole = in_transaction(step.sql) or self._session.executor.backend.one_writer
            left = "nothing of it was kept" if whole else "it is unfinished"
            raise MigrationError(f"{told}; {left}: mend the cause, then migrate again") from error

    def _done(self, history: History, step: MigrationStep) -> None:
        """Record a step, in its transaction."""
        session, migration = self._session, step.migration
        if migration.sequence == PACKAGE:
            if step.up and migration.number > history.at():
                session.write(
                    "migrations.record",
                    version=migration.number,
                    name=migration.name,
                    checksum=migration.checksum,
                )
            elif not step.up:
                session.write("migrations.forget", version=migration.number)
        elif step.up:
            self._note(history, step, APPLIED)
            return
        if history.tables > 1:
            session.write("migrations.drop_step", sequence=migration.sequence, version=migration.number)

    def _note(self, history: History, step: MigrationStep, state: str) -> None:
        session, migration = self._session, step.migration
        session.write("migrations.prepare_steps")
        session.write(
            "migrations.note_step",
            sequence=migration.sequence,
            version=migration.number,
            name=migration.name,
            checksum=migration.checksum,
            upon=history.at(),
            state=state,
        )
