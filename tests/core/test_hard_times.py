"""Full disks, lost files, dead requesters, long calls: a clear word, nothing else lost."""

from __future__ import annotations

import errno
import json
import logging
import os
from pathlib import Path

import pytest

from tablevault_ext.client import VaultClient
from tablevault_ext.control import requests
from tablevault_ext.errors import BadArgument, ProcessEnded, VaultUnusable
from tablevault_ext.journal import writer
from tablevault_ext.journal.process_state import read_process
from tablevault_ext.journal.writer import JournalWriter
from tablevault_ext.model import Action, Outcome
from tablevault_ext.paths import VaultPaths, open_vault
from tests.support import Kernel, events, process_named, run_script, running_script, wait_for_status, wait_until

LOOP = """
    import time
    from tablevault_ext import Vault
    vault = Vault(process_name="loop")
    print("up", flush=True)
    while True:
        vault.checkpoint_execution()
        time.sleep(0.002)
"""
NO_CHECKPOINT = """
    import time
    from tablevault_ext import Vault
    Vault(process_name="plain")
    print("up", flush=True)
    time.sleep(600)
"""


def numbers(path: Path) -> list[int]:
    return [json.loads(line)["n"] for line in path.read_bytes().splitlines() if line]


def test_a_full_disk_is_told_once_and_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Events wait in memory and are written, in order, when there is room again; short writes tear one line only."""
    path = tmp_path / "j.ndjson"
    journal = JournalWriter(path, "p")
    journal.append("record_appended", record=1)
    real, room = os.write, [0]

    def full(fd: int, data: bytes) -> int:
        if room[0] <= 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        written = real(fd, bytes(data)[: room[0]])
        room[0] -= written
        return written

    with monkeypatch.context() as patch, caplog.at_level(logging.ERROR):
        patch.setattr(writer.os, "write", full)
        for value in range(2, 6):
            journal.append("record_appended", record=value)
        room[0] = 10
        journal.append("record_appended", record=6)
    assert len([r for r in caplog.records if "cannot be written" in r.message]) == 1
    journal.append("record_appended", record=7)
    journal.close()
    whole = [json.loads(line) for line in path.read_bytes().splitlines() if line.endswith(b"}")]
    assert [event["record"] for event in whole] == [1, 2, 3, 4, 5, 6, 7]
    assert [event["n"] for event in whole] == list(range(1, 8))


def test_a_deleted_journal_is_put_back(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Its writer can still read it: every line is there again, what was written meanwhile included."""
    path = tmp_path / "j.ndjson"
    journal = JournalWriter(path, "p")
    journal.append("record_appended", record=1)
    path.unlink()
    journal.append("record_appended", record=2)
    assert numbers(path) == [1, 2]
    assert "was deleted while it was written" in caplog.text
    path.unlink()
    journal.close()
    assert numbers(path) == [1, 2] and path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.glob(".*")) == []


def test_recording_goes_on_without_a_control_block(vault: VaultPaths, tmp_path: Path) -> None:
    """It says so once; a request is refused with the way out."""
    code = """
        import os
        def full(*_): raise OSError(28, "No space left on device")
        os.posix_fallocate = full
        from tablevault_ext import Vault
        vault = Vault(process_name="s")
        vault.append_record("r", 1)
        vault.checkpoint_execution()
        print("up", flush=True)
        input()
    """
    import subprocess

    with running_script(tmp_path, code, stdin=subprocess.PIPE) as child:
        assert child.stdout.readline() == "up\n"
        with pytest.raises(requests.NoControl, match="now=True"):
            VaultClient().pause_execution("s")
        _, err = child.communicate("\n", timeout=60)
        assert err.count("cannot be controlled") == 1
    assert process_named(vault, "s").status == "finished"
    assert [e["record"] for e in events(vault, process_named(vault, "s"), "record_appended")] == [1]


def test_a_control_block_cannot_be_truncated_under_its_owner(vault: VaultPaths, tmp_path: Path) -> None:
    """A shortened mapping would kill its owner with SIGBUS at the next checkpoint."""
    with running_script(tmp_path, LOOP) as child:
        child.stdout.readline()
        block = vault.control_block(process_named(vault, "loop").process_id)
        assert (block.stat().st_size, block.stat().st_mode & 0o777) == (4096, 0o600)
        with pytest.raises(PermissionError):
            os.truncate(block, 0)
        assert VaultClient().pause_execution("loop", wait=60).outcome is Outcome.EFFECTIVE


def test_a_request_is_seen_although_the_control_block_is_missing(vault: VaultPaths, tmp_path: Path) -> None:
    """The bell is a hint; once a second a checkpoint looks whether the inbox has grown without it."""
    with running_script(tmp_path, LOOP) as child:
        child.stdout.readline()
        vault.control_block(process_named(vault, "loop").process_id).unlink()
        assert VaultClient().pause_execution("loop", wait=60).outcome is Outcome.EFFECTIVE


def test_a_vault_must_be_a_directory_of_ones_own(tmp_path: Path) -> None:
    """A file in its place, another owner, other people's things in it: refused, with what to do."""
    file = tmp_path / "file"
    file.write_text("")
    with pytest.raises(VaultUnusable, match="is a file"):
        open_vault(file)
    with pytest.raises(VaultUnusable, match="no vault at"):
        open_vault(tmp_path / "nowhere", create=False)
    home = tmp_path / "home"
    home.mkdir(mode=0o755)
    (home / "letters").write_text("")
    with pytest.raises(VaultUnusable, match="directory of its own"):
        open_vault(home)
    assert home.stat().st_mode & 0o777 == 0o755


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a directory away")
def test_a_vault_of_another_user_is_refused(tmp_path: Path) -> None:
    """A vault is used by its owner only."""
    open_vault(tmp_path / "other")
    os.chown(tmp_path / "other", 12345, 12345)
    with pytest.raises(VaultUnusable, match="belongs to user 12345"):
        open_vault(tmp_path / "other")


def test_a_process_without_a_checkpoint_says_so(vault: VaultPaths, tmp_path: Path) -> None:
    """The request stays *requested*, and says why."""
    with running_script(tmp_path, NO_CHECKPOINT) as child:
        child.stdout.readline()
        client = VaultClient()
        request = client.pause_execution("plain")
        (shown,) = client.get_process("plain").requests.values()
        assert shown.request_id == request.request_id
        assert shown.status == "requested"
        assert "has no checkpoint yet" in shown.waiting_for
        client.withdraw_request(request)


def test_a_request_during_a_long_call_says_where_it_waits(vault: VaultPaths, kernel: Kernel, tmp_path: Path) -> None:
    """The cell and line now running, and how long ago the last checkpoint was."""
    past = tmp_path / "past"
    kernel.run(
        f"from tablevault_ext import Vault; import pathlib, time; vault = Vault(process_name='nb'); p = {str(past)!r}"
    )
    cell = kernel.send("vault.checkpoint_execution()\npathlib.Path(p).touch()\ntime.sleep(600)")
    client = VaultClient()
    wait_until(past.exists, "the cell is past its checkpoint")
    request = client.pause_execution("nb")

    def place() -> str | None:
        shown = client.get_process("nb").requests[request.request_id]
        return shown.waiting_for if "line 3" in shown.waiting_for else None

    text = wait_until(place, "the place of the long call")
    assert "cell 3" in text
    assert client.get_process("nb").requests[request.request_id].status == "requested"
    client.resume_execution("nb")
    kernel.manager.interrupt_kernel()
    kernel.reply_to(cell)


def test_a_call_that_holds_the_interpreter_says_so(vault: VaultPaths, kernel: Kernel, tmp_path: Path) -> None:
    """Not even our own thread runs then: the cell is known, and that it computes inside one long call."""
    past, over = tmp_path / "past", tmp_path / "over"
    over.write_bytes(b"\0")
    prepared = kernel.run(
        f"""
        import collections, functools, mmap, pathlib
        from tablevault_ext import Vault
        vault = Vault(process_name='nb')
        file = open({str(over)!r}, 'r+b')
        over = mmap.mmap(file.fileno(), 1)
        # Reads the byte again and again until it is 1, without ever coming back to the interpreter.
        long_call = functools.partial(collections.deque, iter(functools.partial(over.__getitem__, 0), 1), 0)
        """
    )
    assert prepared.status == "ok", prepared.text
    cell = kernel.send(f"vault.checkpoint_execution()\npathlib.Path({str(past)!r}).touch()\nlong_call()")
    client = VaultClient()
    wait_until(past.exists, "the cell is past its checkpoint")
    request = client.pause_execution("nb")
    wait_until(lambda: "cell 3" in client.get_process("nb").requests[request.request_id].waiting_for, "the cell")
    client.resume_execution("nb")
    with over.open("r+b") as file:
        file.write(b"\1")
    assert kernel.reply_to(cell)["status"] == "ok"


def test_targets_that_die_half_way_leave_true_states(vault: VaultPaths, tmp_path: Path) -> None:
    """Killed between *seen* and *took effect*, or before *seen*: lost, and so are its open requests."""
    with running_script(tmp_path, NO_CHECKPOINT) as child:
        child.stdout.readline()
        process = process_named(vault, "plain")
        request = requests.make_request(vault, process.process_id, Action.STOP)
        child.kill()
        child.wait()
        gone = wait_for_status(vault, "plain", "lost")
        assert gone.requests[request.request_id].outcome is Outcome.LOST
        with pytest.raises(ProcessEnded, match="lost"):
            requests.make_request(vault, process.process_id, Action.STOP)


def test_a_finished_target_closes_what_it_never_saw(vault: VaultPaths, tmp_path: Path) -> None:
    """The request failed because the process ended first; nobody claims an effect."""
    code = """
        import sys
        from tablevault_ext import Vault
        Vault(process_name="short")
        print("up", flush=True)
        sys.stdin.readline()
    """
    import subprocess

    with running_script(tmp_path, code, stdin=subprocess.PIPE) as child:
        child.stdout.readline()
        request = VaultClient().pause_execution("short")
        child.communicate("\n", timeout=60)
    process = read_process(vault, request.process_id)
    assert process.status == "finished"
    assert process.requests[request.request_id].outcome is Outcome.FAILED
    assert "ended first" in process.requests[request.request_id].note


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"grace": -1}, "grace"),
        ({"grace": float("nan")}, "grace"),
        ({"wait": -1}, "wait"),
        ({"wait": "soon"}, "wait"),
        ({"reason": 5}, "reason"),
        ({"now": True, "keep_kernel": True}, "keep_kernel"),
    ],
)
def test_bad_arguments_of_requests_are_refused(
    vault: VaultPaths, tmp_path: Path, arguments: dict, message: str
) -> None:
    """Nothing was requested."""
    with running_script(tmp_path, NO_CHECKPOINT) as child:
        child.stdout.readline()
        with pytest.raises(BadArgument, match=message):
            VaultClient().stop_execution("plain", **arguments)
        assert not vault.inbox(process_named(vault, "plain").process_id).exists()


def test_waiting_for_oneself_is_an_error(vault: VaultPaths, tmp_path: Path) -> None:
    """It would never end."""
    code = "from tablevault_ext import Vault\nv = Vault(process_name='me')\nv.stop_execution('me', wait=1)"
    assert "waits for itself" in run_script(tmp_path, code).stderr


def test_a_pause_changes_neither_results_nor_record(vault: VaultPaths, tmp_path: Path) -> None:
    """A run that was paused in the middle ends with the same records as one that was not."""
    code = """
        import os, random, sys, time
        from tablevault_ext import Vault
        vault = Vault(process_name=sys.argv[1])
        chance, weight = random.Random(1), 0.0
        for epoch in vault.track(range(300)):
            weight += chance.random()
            vault.append_record("weights", weight)
            while epoch == 150 and not os.path.exists(sys.argv[2]):  # the pause falls into the middle, however late
                time.sleep(0.01)
            time.sleep(0.002)
    """
    go = tmp_path / "go"
    go.touch()
    run_script(tmp_path, code, "straight", str(go))
    go.unlink()
    client = VaultClient()
    with running_script(tmp_path, code, "paused", str(go)) as child:
        wait_for_status(vault, "paused", "running")
        request = client.pause_execution("paused")
        go.touch()
        process = wait_for_status(vault, "paused", "paused")
        assert process.requests[request.request_id].outcome is Outcome.EFFECTIVE
        before = len(events(vault, process, "record_appended"))
        assert 0 < before < 300
        assert client.get_process("paused").status == "paused"
        assert len(events(vault, process, "record_appended")) == before
        client.resume_execution("paused")
        assert child.wait(60) == 0
    straight, paused = (
        [e["record"] for e in events(vault, process_named(vault, name), "record_appended")]
        for name in ("straight", "paused")
    )
    assert straight == paused
