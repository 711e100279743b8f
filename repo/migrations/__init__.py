"""The files of ``schema/``, the record of those applied, and an application's own beside them.

``schema/<dialect>/NNNN_name.sql`` is a migration and ``NNNN_name.undo.sql`` undoes it. The numbers are
gapless from 1, the same in every dialect. Each migration runs in one transaction with its record, which
holds a checksum of the file; a file that was changed after it was applied is refused.

A file whose first lines have ``-- transaction: none`` is run statement by statement outside of one, for
``CREATE INDEX CONCURRENTLY``. The record says that it was begun, and if it fails half way, the next run
goes on with it: an invalid index is dropped and built again, a valid one is kept. Its other statements
must be such that they can run again. SQLite runs every file in a transaction.

An application's folders are sequences of their own, with their own numbers. They are applied after the
package's migrations, and undone before those of the package that they were applied upon.
"""

from repo.migrations.files import PACKAGE, Folders, Migration, MigrationFolder, load, named_folders
from repo.migrations.history import State, chains, fitting, lacking, require_newest

__all__ = [
    "PACKAGE",
    "Folders",
    "Migration",
    "MigrationFolder",
    "State",
    "chains",
    "fitting",
    "lacking",
    "load",
    "named_folders",
    "require_newest",
]
