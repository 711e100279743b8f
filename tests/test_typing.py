"""What type checkers see: they take every use that is right and refuse every use that is wrong."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

USES = Path(__file__).parent / "typing_uses.py"
WRONG = {
    number for number, line in enumerate(USES.read_text().splitlines(), 1) if line.endswith("# WRONG")
}


def mypy(tmp_path: Path) -> set[int]:
    """The lines with errors."""
    command = ["mypy", "--strict", "--ignore-missing-imports", "--cache-dir", str(tmp_path), str(USES)]
    ran = subprocess.run(
        [sys.executable, "-m", *command, "--config-file=", "--output=json"],
        cwd=USES.parent.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert not ran.stderr
    found = [json.loads(line) for line in ran.stdout.splitlines()]
    assert {Path(each["file"]).name for each in found} == {USES.name}
    return {each["line"] for each in found if each["severity"] == "error"}


def pyright(tmp_path: Path) -> set[int]:
    """The lines with errors."""
    settings = tmp_path / "pyrightconfig.json"
    settings.write_text(json.dumps({"typeCheckingMode": "standard", "include": [str(USES)]}))
    command = ["basedpyright", "--level=error", "--outputjson", "--project", str(settings)]
    ran = subprocess.run(
        [sys.executable, "-m", *command, "--pythonpath", sys.executable],
        cwd=USES.parent.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    told = json.loads(ran.stdout)
    assert told["summary"]["filesAnalyzed"] == 1
    return {each["range"]["start"]["line"] + 1 for each in told["generalDiagnostics"]}


@pytest.mark.parametrize("checker", [mypy, pyright])
def test_wrong_uses_are_refused_and_right_ones_taken(
    checker: Callable[[Path], set[int]], tmp_path: Path
) -> None:
    """Line by line, by both checkers."""
    assert len(WRONG) > 10
    assert checker(tmp_path) == WRONG
