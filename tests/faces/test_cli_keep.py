"""cleanup, rebuild and prune: nothing is destroyed unasked, and nothing else is lost."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

from tablevault_ext.paths import VaultPaths

from ..support import wait_for_status
from .conftest import Cli


def statuses(cli: Cli) -> dict[str, str]:
    return {process["name"]: process["status"] for process in cli("ps", "--all", "--json").json}


def test_cleanup_closes_what_the_dead_left_and_nothing_of_the_living(cli: Cli, loop: Any, vault: VaultPaths) -> None:
    assert cli("cleanup", "--interval", "0").out == "Nothing was left open.\n"
    os.kill(loop.pid, signal.SIGKILL)
    loop.wait()
    wait_for_status(vault, "train", "lost")
    closed = cli("cleanup", "--interval", "0", "--json").json
    assert [operation["process_name"] for operation in closed] == ["train#1"] or "train" in str(closed)
    assert cli("cleanup", "--interval", "0", "--json").json == []
    assert cli("cleanup", "--interval", "-1").code == 2


def test_rebuild_makes_the_database_again(cli: Cli, vault: VaultPaths) -> None:
    cli("run", "--name", "first", "true")
    assert statuses(cli) == {"first": "finished"}
    vault.database.unlink()
    done = cli("rebuild")
    assert done.code == 0
    assert "1 process," in done.out
    assert statuses(cli) == {"first": "finished"}


def test_prune_says_what_goes_and_deletes_only_when_told_to(cli: Cli, loop: Any, tmp_path: Path) -> None:
    cli("run", "--name", "old", "true")
    assert cli("prune", "--older-than", "90d").out == "Nothing is that old.\n"

    unasked = cli("prune", "--older-than", "0s")
    assert unasked.code == 2
    assert "old" in unasked.out
    assert "Nothing was deleted" in unasked.err
    assert statuses(cli) == {"old": "finished", "train": "running"}

    assert "deleted: 1 ended process" in cli("prune", "--older-than", "0s", "--yes").out
    assert statuses(cli) == {"train": "running"}, "the living stay"
    assert cli("prune", "--older-than", "0s", "--yes", "--json").json == {"processes": [], "bytes": 0}
    for age in ("soon", "-1d", "5"):
        assert cli("prune", "--older-than", age).code == 2
