"""Ways to run ``smdi``: in this process, in one of its own, and on a terminal."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from typer.testing import CliRunner

import repo
from repo.cli.app import app

__all__ = ["Outcome", "environment", "on_a_terminal", "smdi", "start", "whole"]

ROOT = str(Path(repo.__file__).parent.parent)


class Outcome(NamedTuple):
    """What a command wrote, and its exit code."""

    code: int
    out: str
    err: str


def smdi(*arguments: object) -> Outcome:
    """Run a command in this process, with its output in a pipe."""
    result = CliRunner().invoke(app, [str(argument) for argument in arguments], prog_name="smdi")
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Outcome(result.exit_code, result.stdout, result.stderr)


def environment(**more: str) -> dict[str, str]:
    """An environment in which ``python -m repo`` is this one."""
    paths = os.pathsep.join(filter(None, [ROOT, os.environ.get("PYTHONPATH", "")]))
    return {**os.environ, "PYTHONPATH": paths, **more}


def start(
    *arguments: object, stdout: int = subprocess.PIPE, encoding: str = "utf-8"
) -> subprocess.Popen[str]:
    """Start a command as a process of its own, with its output in an encoding."""
    return subprocess.Popen(
        [sys.executable, "-m", "repo", *map(str, arguments)],
        env=environment(PYTHONIOENCODING=encoding),
        stdout=stdout,
        stderr=subprocess.PIPE,
        encoding=encoding,
    )


def whole(process: subprocess.Popen[str]) -> Outcome:
    """Wait for a process to end."""
    with process:
        out, err = process.communicate()
    return Outcome(process.returncode, out or "", err)


@contextmanager
def on_a_terminal(
    *arguments: object, columns: int = 80
) -> Iterator[tuple[subprocess.Popen[bytes], Iterator[bytes]]]:
    """A command whose stdout and stderr are a terminal: the process, and what it writes, in pieces."""
    ours, theirs = pty.openpty()
    # A shell starts what runs in its background deaf to Ctrl-C, and a process hands that on.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        process = subprocess.Popen(
            [sys.executable, "-m", "repo", *map(str, arguments)],
            env=environment(COLUMNS=str(columns), TERM="xterm"),
            stdin=subprocess.DEVNULL,
            stdout=theirs,
            stderr=theirs,
        )
        signal.signal(signal.SIGINT, before)
        os.close(theirs)
        with process:
            yield process, _pieces(ours)
    finally:
        signal.signal(signal.SIGINT, before)
        os.close(ours)


def _pieces(terminal: int) -> Iterator[bytes]:
    while True:
        try:
            piece = os.read(terminal, 65_536)
        except OSError:  # the other end is closed
            return
        if not piece:
            return
        yield piece
