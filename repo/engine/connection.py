"""A connection, as the package hands it to a backend."""

from typing import Any

Connection = Any
"""A driver's connection, opaque outside its backend."""
