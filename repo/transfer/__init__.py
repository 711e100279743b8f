"""One database copied into another, and two compared, down to the rows in which they differ.

A copy reads one state of its source, whoever writes to it meanwhile, and fills tables that readers of
the target do not see. When all rows are there and what arrived is proven equal, they take the place of
the target's own in one transaction. The rows of some chunks and the journal's note of them are one
transaction each, so that a copy that was cut off goes on where it was.
"""

from repo.progress import Progress
from repo.transfer.copying import Copied, abandon, copy
from repo.transfer.slices import Slice
from repo.transfer.verification import RowDifference, Verification, verify

__all__ = [
    "Copied",
    "Progress",
    "RowDifference",
    "Slice",
    "Verification",
    "abandon",
    "copy",
    "verify",
]
