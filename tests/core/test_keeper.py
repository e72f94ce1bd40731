"""The keeper: samples, children with the cell that started them, peaks, escalation, post-mortems."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tablevault_ext.control import requests
from tablevault_ext.control.autopsy import post_mortem
from tablevault_ext.control.sampling import read_history
from tablevault_ext.errors import BadArgument
from tablevault_ext.model import Action
from tablevault_ext.paths import VaultPaths
from tablevault_ext.store.series import metric_series
from tablevault_ext.store.snapshot import run_sql
from tests.support import Kernel, process_named, run_script, running_script, wait_for_status, wait_until

PATIENCE = 90.0  # the keeper starts by itself, with a database, and then looks once a second

HUNGRY = """
    import subprocess, sys, time
    from tablevault_ext import Vault
    vault = Vault(process_name="hungry")
    block = bytearray(80 << 20)
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    print(child.pid, flush=True)
    while True: time.sleep(0.1)
"""


def test_living_processes_are_sampled_with_their_children_and_leave_peaks(vault: VaultPaths, tmp_path: Path) -> None:
    """A short history while it lives; sample, child and peak rows for good."""
    with running_script(tmp_path, HUNGRY) as hungry:
        child = int(hungry.stdout.readline())
        process = wait_for_status(vault, "hungry", "running")
        history = wait_until(
            lambda: h if (h := read_history(vault, process.process_id)) and h[-1]["children"] else None,
            "a sample",
            PATIENCE,
        )
        assert history[-1]["rss"] > 80 << 20
        rows = wait_until(
            lambda: run_sql(vault, "SELECT pid::INT, cell_seq, status FROM children").fetchall(),
            "the child's row",
            PATIENCE,
        )
        assert rows == [(child, 0, "running")]
        os.kill(hungry.pid, signal.SIGSTOP)
        length = len(history)
        wait_until(lambda: len(read_history(vault, process.process_id)) > length + 1, "sampled while stopped")
        os.kill(hungry.pid, signal.SIGKILL)
        peaks = "SELECT max((detail->'peaks'->>'rss')::BIGINT) FROM samples"
        assert wait_until(lambda: run_sql(vault, peaks).fetchone()[0], "the peaks", PATIENCE) > 80 << 20
        story = post_mortem(vault, process.process_id)
        assert any("it is lost" in fact for fact in story.facts)
        assert any(f"still running: {child}" in fact for fact in story.facts)
        assert any("ended without a word" in inference for inference in story.inferences)
        psutil.Process(child).kill()
    wait_until(lambda: not vault.samples(process.process_id).exists(), "the short history is taken away")


def test_children_of_cells_know_their_cell(vault: VaultPaths, kernel: Kernel) -> None:
    """SELECT joins an OS child with the cell that started it."""
    kernel.run("import subprocess, sys")
    kernel.run("child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])  # starter")
    query = """
        SELECT c.code FROM children k JOIN cells c ON c.process_id = k.process_id AND c.seq = k.cell_seq
    """
    (row,) = wait_until(lambda: run_sql(vault, query).fetchall(), "the child's row", PATIENCE)
    assert "# starter" in row[0]
    kernel.run("child.kill(); child.wait()")


DEAF = """
    import sys, time
    from tablevault_ext import Vault
    Vault(process_name=sys.argv[1])
    print("up", flush=True)
    while True: time.sleep(1)
"""


def test_the_keeper_escalates_when_the_requester_is_gone(vault: VaultPaths, tmp_path: Path) -> None:
    """`escalate=True` without waiting: the stop becomes one now after its grace."""
    with running_script(tmp_path, DEAF, "deaf") as deaf:
        deaf.stdout.readline()
        process = process_named(vault, "deaf")
        # The same seconds, of which the keeper grants five at most, are there for ending by itself after SIGTERM.
        requests.make_request(vault, process.process_id, Action.STOP, escalate=True, grace=5.0)
        assert deaf.wait(120) == 75, "SIGTERM raised the stop"
    assert wait_for_status(vault, "deaf", "stopped")


def test_a_stop_that_was_taken_back_is_not_escalated(vault: VaultPaths, tmp_path: Path) -> None:
    """Although its target, which has no checkpoint, has not heard yet that it was."""
    with running_script(tmp_path, DEAF, "spared") as spared, running_script(tmp_path, DEAF, "deaf") as deaf:
        for script in (spared, deaf):
            script.stdout.readline()
        asked = [
            requests.make_request(vault, process_named(vault, name).process_id, Action.STOP, escalate=True, grace=grace)
            for name, grace in (("spared", 12.0), ("deaf", 13.0))
        ]
        requests.withdraw(vault, asked[0])
        deaf.wait(120)  # the later one's grace is over, so the earlier one's would have been
        assert spared.poll() is None
        assert process_named(vault, "spared").status == "running"


def test_a_killed_commands_story_names_signal_and_last_output(vault: VaultPaths, tmp_path: Path) -> None:
    """Facts and inferences apart."""
    wrapper = "from tablevault_ext.recording.wrapper import run_wrapped; from tablevault_ext.paths import open_vault"
    command = ["sh", "-c", "echo the last words; kill -9 $$"]
    subprocess.run([sys.executable, "-c", f"{wrapper}; run_wrapped(open_vault(), {command!r})"], check=True)
    story = post_mortem(vault, process_named(vault, "sh").process_id)
    assert story.last_output == "the last words"
    assert "it is failed, ended by SIGKILL" in story.facts
    assert any("SIGKILL" in inference for inference in story.inferences)
    assert "Inferred (not observed)" in story.render()


def test_series_are_thinned_and_keep_their_peaks(vault: VaultPaths, tmp_path: Path) -> None:
    """Every number of a record list, in at most as many points as a plot has room for."""
    code = """
        from tablevault_ext import Vault
        vault = Vault(process_name="train")
        for step in range(3000):
            vault.append_record("log", {"loss": 1000.0 if step == 1234 else 1.0 / (step + 1), "text": "x"})
        vault.append_record("plain", 2.5)
    """
    run_script(tmp_path, code)
    process = process_named(vault, "train")
    series = {(s.record_list, s.key): s for s in metric_series(vault, process.process_id, points=100)}
    assert set(series) == {("log", "loss"), ("plain", "")}
    loss = series["log", "loss"]
    assert loss.total == 3000
    assert len(loss.value) <= 100
    assert max(loss.value) == 1000.0
    assert loss.step == sorted(loss.step)
    with pytest.raises(BadArgument):
        metric_series(vault, process.process_id, points=1)
