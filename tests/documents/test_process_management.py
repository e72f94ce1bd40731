"""Every example of the process-management document runs with only its import line changed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tablevault_ext.paths import VaultPaths
from tests.support import Kernel, process_named, run_script, running_script, wait_for_status, wait_until

DOCUMENT = (Path(__file__).parent / "process_management.md").read_text()
BLOCKS = [
    block.replace("from tablevault import Vault", "from tablevault_ext import Vault")
    for block in re.findall(r"```python\n(.*?)```", DOCUMENT, re.DOTALL)
]
STOP, PAUSE, RESUME, LOOP, CONTROLLER, WORKER, PARENT, CHILD, CLEANUP, QUERIES = BLOCKS

# What the document leaves to its reader.
TARGET = """
import sys, time
from tablevault_ext import Vault
vault = Vault(process_name=sys.argv[1])
while True:
    vault.checkpoint_execution()
    time.sleep(0.005)
"""
TRAINING = "import time\nmodel = data = None\ndef train_epoch(model, data):\n    time.sleep(0.01)\n    return 0.5\n"
BATCHES = (
    "from tablevault_ext import Vault\nvault = Vault()\ndata_batches = range(5)\nprocess_batch = lambda b: {'b': b}\n"
)


def test_stop_pause_and_resume_by_name(vault: VaultPaths, tmp_path: Path) -> None:
    """Each of the one-line requests of its first part."""
    with (
        running_script(tmp_path, TARGET, "experiment_process", name="a.py") as experiment,
        running_script(tmp_path, TARGET, "data_pipeline", name="b.py"),
    ):
        for name in ("experiment_process", "data_pipeline"):
            wait_for_status(vault, name, "running")
        for block, name, state in (
            (STOP, "experiment_process", "stopped"),
            (PAUSE, "data_pipeline", "paused"),
            (RESUME, "data_pipeline", "running"),
        ):
            done = run_script(tmp_path, f"from tablevault_ext import Vault\nvault = Vault()\n{block}", name="ask.py")
            assert done.returncode == 0, done.stderr
            wait_for_status(vault, name, state)
        assert experiment.wait(60) == 75


def test_the_controller_and_its_workers(vault: VaultPaths, tmp_path: Path) -> None:
    """The coordinated workflow: the slow experiment is stopped, the ingestion goes on in the end."""
    with (
        running_script(tmp_path, TRAINING + WORKER, name="worker.py") as worker,
        running_script(tmp_path, TARGET, "data_ingestion", name="ingestion.py"),
    ):
        for name in ("slow_experiment", "data_ingestion"):
            wait_for_status(vault, name, "running")
        done = run_script(tmp_path, CONTROLLER, name="controller.py")
        assert done.returncode == 0, done.stderr
        assert "slow_experiment#1" in done.stdout
        assert worker.wait(60) == 75
        wait_until(lambda: not process_named(vault, "data_ingestion").request, "both requests are decided")
        assert process_named(vault, "data_ingestion").status == "running"
    assert process_named(vault, "controller").user_id == "researcher"


def test_parent_and_child(vault: VaultPaths, tmp_path: Path) -> None:
    """The child is linked by name and index; nothing of the parent's is lost."""
    # The document's blocks import nothing: its reader has done so above.
    (tmp_path / "child.py").write_text("from tablevault_ext import Vault\n" + CHILD)
    spawn = "import subprocess, sys\nsubprocess.run([sys.executable, 'child.py'], check=True)\n"
    done = run_script(tmp_path, "from tablevault_ext import Vault\n" + PARENT + spawn)
    assert done.returncode == 0, done.stderr
    child, parent = process_named(vault, "experiment_run_1"), process_named(vault, "hyperparameter_search")
    assert (child.parent_id, child.parent_cell) == (parent.process_id, 0)


@pytest.mark.parametrize("block", [LOOP, CLEANUP, QUERIES], ids=["loop", "cleanup", "queries"])
def test_the_other_examples_run_in_a_script_and_in_a_kernel(
    vault: VaultPaths, tmp_path: Path, kernel: Kernel, block: str
) -> None:
    """As they stand."""
    done = run_script(tmp_path, BATCHES + block)
    assert done.returncode == 0, done.stderr
    reply = kernel.run(BATCHES + block)
    assert reply.status == "ok", reply.text
