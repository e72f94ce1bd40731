"""The command line as users have it: a process of its own with its own stdout, stderr and exit code."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tablevault_ext.paths import VaultPaths

from ..support import running_script, wait_for_status

LOOP = """
    import sys, time
    from tablevault_ext import Vault

    vault = Vault(process_name=sys.argv[1] if len(sys.argv) > 1 else "train")
    vault.append_record("started", 1)
    while True:
        vault.checkpoint_execution()
        time.sleep(0.005)
"""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Most tests here run a dozen commands, each a Python that starts: on a busy machine that takes its time."""
    for item in items:
        if item.path.parent == Path(__file__).parent and item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(600))


@dataclass
class Done:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Cli = Callable[..., Done]


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    """Run `tablevault` with arguments."""

    def run(*arguments: str, stdin: str | None = "", timeout: float = 150) -> Done:
        done = subprocess.run(
            [sys.executable, "-m", "tablevault_ext.cli", *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=timeout,
            cwd=tmp_path,
            check=False,
        )
        assert not ("Traceback" in done.stderr and "tablevault_ext" in done.stderr), done.stderr
        return Done(done.returncode, done.stdout, done.stderr)

    return run


@pytest.fixture
def loop(tmp_path: Path, vault: VaultPaths) -> Iterator[Any]:
    """A script named *train* that reaches a checkpoint every few milliseconds."""
    with running_script(tmp_path, LOOP) as child:
        wait_for_status(vault, "train", "running")
        yield child
