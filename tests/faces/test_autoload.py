"""`tablevault autoload`: every session is recorded, and IPython never breaks over it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tablevault_ext import autoload
from tablevault_ext.autoload import Autoload
from tablevault_ext.errors import VaultError
from tablevault_ext.paths import VaultPaths

from ..support import Kernel, events, process_named, wait_until
from .conftest import Cli


def test_on_records_a_kernel_in_which_nothing_was_typed(
    cli: Cli, start_kernel: Callable[..., Kernel], vault: VaultPaths
) -> None:
    assert cli("autoload", "on").code == 0
    kernel = start_kernel()
    assert kernel.run("answer = 42").texts == []
    process = wait_until(lambda: process_named(vault, "notebook"), "the notebook is recorded")
    codes = [event["code"] for event in events(vault, process, "cell_started")]
    assert codes == ["answer = 42"]
    assert kernel.run("%load_ext tablevault_ext").status == "ok"
    assert kernel.run("%vault_ps").status == "ok"


def test_on_and_off_can_be_said_twice_and_say_what_they_did(cli: Cli, tmp_path: Path) -> None:
    file = tmp_path / "ipython" / "profile_default" / "startup" / "50-tablevault.py"
    assert autoload.status() == Autoload(False, str(file))
    assert cli("autoload", "on", "--json").json == {"on": True, "file": str(file), "changed": True}
    before = file.read_text()
    assert autoload.turn(on=True) == Autoload(True, str(file), changed=False)
    assert file.read_text() == before
    assert "autoload is on" in cli("autoload", "status").out
    assert autoload.turn(on=False) == Autoload(False, str(file), changed=True)
    assert not file.exists()
    assert autoload.turn(on=False) == Autoload(False, str(file), changed=False)


def test_a_file_of_somebody_else_is_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "ipython" / "profile_default" / "startup" / "50-tablevault.py"
    file.parent.mkdir(parents=True)
    file.write_text("x = 1\n")
    for on in (True, False):
        with pytest.raises(VaultError, match="was not written by tablevault"):
            autoload.turn(on=on)
    assert file.read_text() == "x = 1\n"


def test_without_the_package_ipython_starts_as_if_nothing_were_there(tmp_path: Path) -> None:
    autoload.turn(on=True)
    hidden = "import sys; sys.modules['tablevault_ext'] = None; from IPython import start_ipython; start_ipython()"
    done = subprocess.run(
        [sys.executable, "-c", hidden, "--no-banner", "-c", "print(1 + 1)"],
        capture_output=True,
        text=True,
        timeout=150,
        env=dict(os.environ),
        check=False,
    )
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "2", "")


def test_a_vault_that_cannot_be_used_costs_one_line_and_nothing_else(tmp_path: Path) -> None:
    autoload.turn(on=True)
    blocked = tmp_path / "a-file"
    blocked.write_text("")
    done = subprocess.run(
        [sys.executable, "-m", "IPython", "--no-banner", "-c", "print(1 + 1)"],
        capture_output=True,
        text=True,
        timeout=150,
        env=dict(os.environ) | {"TABLEVAULT_HOME": str(blocked)},
        check=False,
    )
    assert (done.returncode, done.stdout.strip()) == (0, "2")
    assert "this session is not recorded" in done.stderr
    assert "Traceback" not in done.stderr
