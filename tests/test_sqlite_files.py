"""SQLite's files where they cannot be written, and the connections of a database that nobody closed."""

from __future__ import annotations

import gc
import os
import shutil
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

import repo
from repo import Database, Ticker
from repo.backends.sqlite import connections
from tests.builders import seed
from tests.cli_helpers import environment

READ = """
import sys, repo
with repo.connect(f"sqlite:///{sys.argv[1]}", read_only=True) as db:
    print(len(db.tickers.all()), db.version(), len(db.check()))
    with db.transaction(read_only=True) as tx:
        print(len(tx.tickers.all()))
"""
CHANGE = """
import subprocess, sys, repo
from pathlib import Path
url = f"sqlite:///{sys.argv[1]}"
with repo.connect(url, read_only=True) as reader:
    print(len(reader.tickers.all()))
    subprocess.run(["mount", "-o", "remount,rw,bind", str(Path(sys.argv[1]).parent)], check=True)
    with repo.connect(url) as writer:
        for symbol in "CD":
            writer.tickers.upsert([repo.Ticker(symbol, "New")])
            print(len(reader.tickers.all()))
"""
MOUNTED = 'mount --bind "$1" "$1" && mount -o remount,ro,bind "$1" && shift && exec "$@"'


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A database with two tickers, closed, in a folder of its own."""
    made = tmp_path / "stored" / "test.db"
    with repo.connect(f"sqlite:///{made}") as db:
        db.migrate()
        seed(db)
    return made


def reading(path: Path, code: str = READ) -> subprocess.CompletedProcess[str]:
    """Read in a process that sees the folder on a file system which takes no writes."""
    unshared = ["unshare", "-m", "sh", "-c", MOUNTED, "sh", str(path.parent)]
    able = shutil.which("unshare") is not None
    if not able or subprocess.run([*unshared, "true"], capture_output=True, check=False).returncode:
        pytest.skip("only a user who may mount can have a file system that takes no writes")
    return subprocess.run(
        [*unshared, sys.executable, "-c", code, str(path)],
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_file_system_that_takes_no_writes(path: Path) -> None:
    """What is opened to be read is read there, though its mode is WAL and no file can lie beside it."""
    done = reading(path)
    assert (done.stdout, done.stderr) == ("2 2 0\n2\n", "")
    assert [each.name for each in path.parent.iterdir()] == ["test.db"]


def test_a_folder_without_the_right_to_write(path: Path) -> None:
    """The same where not the disk but the folder's mode is in the way."""
    path.parent.chmod(0o555)
    limited: list[str] = []
    if os.geteuid() == 0:  # who may write anywhere, unless that is taken away
        limited = ["setpriv", "--bounding-set=-dac_override"]
        able = shutil.which("setpriv") is not None
        if not able or subprocess.run([*limited, "true"], capture_output=True, check=False).returncode:
            pytest.skip("root may write anywhere here")
    done = subprocess.run(
        [*limited, sys.executable, "-c", READ, str(path)],
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    path.parent.chmod(0o755)
    assert (done.stdout, done.stderr) == ("2 2 0\n2\n", "")


def test_a_log_that_cannot_be_read(path: Path, tmp_path: Path) -> None:
    """Where a log was left that only a writer can take in, that is said, and no older state is shown."""
    with repo.connect(f"sqlite:///{path}") as db:
        db.tickers.upsert([Ticker("C", "Cee")])
        for end in ("", "-wal"):
            (tmp_path / "copy").mkdir(exist_ok=True)
            shutil.copy(f"{path}{end}", tmp_path / "copy" / f"test.db{end}")
    done = reading(tmp_path / "copy" / "test.db")
    assert done.returncode == 1
    assert "DatabaseUnavailable: cannot open" in done.stderr
    assert "open it once where it can be written" in done.stderr


def test_a_file_taken_for_still_that_is_not(path: Path) -> None:
    """Once somebody can write after all, what they write is seen."""
    done = reading(path, CHANGE)
    assert (done.stdout, done.stderr) == ("2\n3\n4\n", "")


def opened(path: Path) -> int:
    """How many times this process has a database's files open."""
    folder = Path("/proc/self/fd")
    found = 0
    for each in folder.iterdir():
        try:
            found += str(each.readlink()).startswith(str(path))
        except OSError:
            continue
    return found


def test_a_database_that_is_dropped_is_closed(path: Path) -> None:
    """Without close(), once nothing refers to it: its files are closed, and nothing is warned of."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        db: Database | None = repo.connect(f"sqlite:///{path}")
        assert db is not None
        assert len(db.tickers.all()) == 2
        with db.transaction():
            db.tickers.upsert([Ticker("C", "Cee")])
        assert opened(path) > 0
        del db
        gc.collect()
    assert opened(path) == 0
    assert [each.name for each in path.parent.iterdir()] == ["test.db"]


def test_a_block_keeps_its_database(path: Path) -> None:
    """The handle of a block is a reference as well: nothing is closed under it."""
    with repo.connect(f"sqlite:///{path}").transaction() as tx:
        gc.collect()
        tx.tickers.upsert([Ticker("C", "Cee")])
    gc.collect()
    with repo.connect(f"sqlite:///{path}", read_only=True) as db:
        assert len(db.tickers.all()) == 3


def test_a_child_that_drops_a_database_leaves_the_parent_s(path: Path) -> None:
    """What a forked child drops are its own connections; the parent's transaction goes on."""
    db = repo.connect(f"sqlite:///{path}")
    with db.transaction() as tx:
        tx.tickers.upsert([Ticker("C", "Cee")])
        child = os.fork()
        if not child:
            try:
                before = opened(path)
                connections._close_all(db._backend._all)  # type: ignore[attr-defined]  # what dropping it does
                os._exit(0 if opened(path) == before > 0 else 1)
            finally:
                os._exit(2)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        tx.tickers.upsert([Ticker("D", "Dee")])
    assert len(db.tickers.all()) == 4
    db.close()
