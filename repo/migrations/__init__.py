"""``schema/`` applied, checked and rolled back, and an application's own tables beside it.

``schema/<dialect>/NNNN_name.sql`` is a migration and ``NNNN_name.undo.sql`` takes it back. The numbers
are gapless from 1, the same in every dialect. Each migration runs in one transaction with its own
record, which holds a checksum of the file; a file that was changed after it was applied is refused.

A file whose first lines have ``-- transaction: none`` is run statement by statement outside of one, for
``CREATE INDEX CONCURRENTLY``; the record says that it was begun, and where it fails half way the next
run goes on with it: an index that was left invalid is dropped and built again, one that is there is
kept. Other statements in it run again, and have to bear that. SQLite, which has nothing to build beside
writers, runs every file in a transaction.

An application's folders are sequences of their own, with their own numbers. They are applied after the
package's migrations, and undone before any that was there when they were applied.
"""

from repo.migrations.files import PACKAGE, Folders, Migration, Source, load, sources
from repo.migrations.record import State, chains, fitting, lacking, require_newest

__all__ = [
    "PACKAGE",
    "Folders",
    "Migration",
    "Source",
    "State",
    "chains",
    "fitting",
    "lacking",
    "load",
    "require_newest",
    "sources",
]
