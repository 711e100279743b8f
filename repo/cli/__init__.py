"""``smdi``, the package on the command line; it needs the extra ``cli``."""

from __future__ import annotations

import sys
from io import TextIOWrapper

_NEEDED = {"typer", "rich"}


def main() -> None:
    """Run the command line, and leave the process with its exit code.

    0: done; 1: what was asked for failed; 2: wrong use, or the extra ``cli`` is not installed;
    130: interrupted.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            # A letter that the terminal cannot show is no reason to stop.
            stream.reconfigure(errors="backslashreplace")
    try:
        from repo.cli.app import app
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in _NEEDED:
            raise
        print(
            f"error: smdi needs {error.name}, which comes with: pip install 'smart-money-repo[cli]'",
            file=sys.stderr,
        )
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)
    app(prog_name="smdi")
