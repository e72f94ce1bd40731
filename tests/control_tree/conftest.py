"""Real families of processes for the tests, and the certainty that none of them stays."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tablevault_ext.control.process_table import read_row, take_snapshot
from tablevault_ext.identity import Identity

PROGRAM = Path(__file__).with_name("relatives.py")
TOKEN = "TABLEVAULT_PARENT"


def wait_until(condition: Callable[[], Any], seconds: float = 60.0) -> Any:
    """Wait for a condition and return its value; fail loudly instead of for ever."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s: {condition}")
        time.sleep(0.005)
    return value


def state_of(identity: Identity) -> str:
    """The state letter of this very process; empty when it is gone."""
    row = read_row(identity.pid)
    return row.state if row is not None and row.start == identity.start else ""


class Family:
    """Starts roles of relatives.py and knows everybody who announced himself."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.token = (TOKEN, f"p-{os.getpid()}-{folder.name}")
        self._started: list[subprocess.Popen[bytes]] = []

    def start(self, *roles: str, members: int, mark: bool = True) -> Identity:
        """Run a role and wait until ``members`` processes have announced themselves."""
        before = len(self.everybody())
        environment = {**os.environ, self.token[0]: self.token[1]} if mark else None
        process = subprocess.Popen(
            [sys.executable, str(PROGRAM), str(self.folder), *roles], env=environment, cwd=self.folder
        )
        self._started.append(process)
        wait_until(lambda: len(self.everybody()) >= before + members)
        identity = Identity.of(process.pid)
        assert identity is not None
        return identity

    def everybody(self) -> dict[Identity, str]:
        """All who announced themselves, with their roles, the ended ones included."""
        mine = Identity.mine()
        people = {}
        for file in self.folder.glob("[0-9]*"):
            role, start = file.read_text().split()
            people[Identity(int(file.name), int(start), mine.boot_id, mine.pid_ns, mine.host)] = role
        return people

    def alive(self) -> set[Identity]:
        return {identity for identity in self.everybody() if state_of(identity) not in ("", "Z", "X")}

    def one(self, role: str) -> Identity:
        return next(identity for identity, name in self.everybody().items() if name == role)

    def reap(self) -> None:
        for process in self._started:
            process.poll()

    def end(self) -> None:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            left = self.alive() | self._marked()
            for identity in left:
                if state_of(identity):
                    with suppress(ProcessLookupError):
                        os.kill(identity.pid, signal.SIGKILL)
            self.reap()
            if not left:
                break
            time.sleep(0.01)
        for process in self._started:
            process.kill()
            process.wait(60)

    def _marked(self) -> set[Identity]:
        """Those that did not come so far as to announce themselves."""
        snapshot = take_snapshot()
        wanted = os.fsencode(str(self.folder))
        found = set()
        for row in snapshot.rows.values():
            try:
                command = Path(f"/proc/{row.pid}/cmdline").read_bytes()
            except OSError:
                continue
            if wanted in command.split(b"\0") and not row.zombie:
                found.add(snapshot.identity(row))
        return found


@pytest.fixture
def family(tmp_path: Path) -> Iterator[Family]:
    folder = tmp_path / "family"
    folder.mkdir()
    family = Family(folder)
    yield family
    family.end()
    assert not family.alive()
