"""The training-control document: its troubleshooting section, each problem with the message a user gets."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from tablevault_ext.client import VaultClient
from tablevault_ext.errors import ProcessEnded
from tablevault_ext.model import Status
from tablevault_ext.paths import VaultPaths
from tests.support import process_named, run_script, running_script, wait_until

TRAINING = """
    import time
    from tablevault_ext import Vault
    vault = Vault(process_name="training")
    print("up", flush=True)
    for step in vault.track(range(10**6), desc="timesteps"):
        time.sleep(0.002)
"""


def test_failed_to_pause_because_it_crashed_or_finished(vault: VaultPaths, tmp_path: Path) -> None:
    """*Process may have crashed or finished*: the refusal says which, and when."""
    client = VaultClient()
    with running_script(tmp_path, TRAINING) as training:
        training.stdout.readline()
        os.kill(training.pid, signal.SIGKILL)
        training.wait()
    with pytest.raises(ProcessEnded, match="cannot be paused: it is lost: its OS process is gone"):
        client.pause_execution("training")
    run_script(tmp_path, "from tablevault_ext import Vault; Vault(process_name='training')")
    with pytest.raises(ProcessEnded, match=r"training#2 cannot be paused: it finished, \d+ s ago"):
        client.pause_execution("training")


def test_failed_to_resume_because_it_was_terminated(vault: VaultPaths, tmp_path: Path) -> None:
    """*Process was terminated*: the refusal says by whom and why."""
    client = VaultClient(user_id="ana")
    with running_script(tmp_path, TRAINING) as training:
        training.stdout.readline()
        client.pause_execution("training", wait=60)
        client.stop_execution("training", reason="GPU needed", wait=60)
        training.wait(60)
    with pytest.raises(ProcessEnded, match="was stopped with exit code 75 .*stopped by ana: GPU needed"):
        client.resume_execution("training")


def test_running_but_no_progress(vault: VaultPaths, tmp_path: Path) -> None:
    """*Process may be stuck*: a request says how long ago the last checkpoint was and how often one usually comes."""
    stuck = TRAINING.replace(
        "time.sleep(0.002)",
        "time.sleep(0.002)\n        if step == 200: print('stuck', flush=True); time.sleep(600)",
    )
    client = VaultClient()
    with running_script(tmp_path, stuck) as training:
        assert [training.stdout.readline() for _ in range(2)] == ["up\n", "stuck\n"]
        request = client.pause_execution("training", wait=0.1)
        assert request.pending

        def reason() -> str:
            return client.get_process("training").requests[request.request_id].waiting_for

        wait_until(lambda: "is sleeping; its last checkpoint was" in reason(), "it sleeps")
        assert "usually one comes every" in reason()
        assert "now=True does not wait" in reason()


def test_resume_does_not_continue_because_training_hit_an_error(vault: VaultPaths, tmp_path: Path) -> None:
    """*Training may have reached completion or hit an error*: the state and the error say so."""
    failing = TRAINING.replace("time.sleep(0.002)", "raise KeyError('lr')")
    run_script(tmp_path, failing)
    process = process_named(vault, "training")
    assert process.status is Status.FAILED
    assert process.error == "KeyError: 'lr'"
    with pytest.raises(ProcessEnded, match="it failed with exit code 1 .KeyError: 'lr'."):
        VaultClient().resume_execution("training")


def test_states_have_the_words_and_signs_of_the_document() -> None:
    """🟢 running, ⏸ paused, 🔴 stopped, ✅ finished: a word and a sign, never colour alone."""
    assert [Status(s).label for s in ("running", "paused", "stopped", "finished")] == [
        "🟢 running",
        "⏸ paused",
        "🔴 stopped",
        "✅ finished",
    ]
