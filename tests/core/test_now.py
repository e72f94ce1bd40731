"""The now-way through the vault: whole trees of recorded processes and commands, and honest states."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from tablevault_ext.control.ask import ask
from tablevault_ext.control.autopsy import post_mortem
from tablevault_ext.errors import BadArgument, ProcessEnded, WrongState
from tablevault_ext.identity import Identity
from tablevault_ext.journal.names import resolve
from tablevault_ext.model import Action, Outcome
from tablevault_ext.paths import VaultPaths
from tests.support import process_named, running_script, wait_for_status, wait_until

FAMILY = """
    import os, signal, subprocess, sys, time
    from tablevault_ext import Vault
    vault = Vault(process_name="family")
    sleeper = "import time; print('up', flush=True); time.sleep(600)"
    def start(code, **how):
        child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, **how)
        child.stdout.readline()
        return child.pid
    deaf = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); " + sleeper
    parent = "import subprocess, sys; c = subprocess.Popen([sys.executable, '-c', %r], stdout=1); c.wait()" % sleeper
    twice = "import os\\nif os.fork() == 0:\\n    os.setsid()\\n    if os.fork() == 0:\\n        "
    double = twice + sleeper.replace("; ", "\\n        ") + "\\n"
    pids = [start(deaf), start(sleeper, start_new_session=True), start(parent), start(double)]
    print("ready", *pids, flush=True)
    while True:
        vault.checkpoint_execution()
        time.sleep(0.005)
"""

SLEEPER = """
    import time
    from tablevault_ext import Vault
    Vault(process_name="s")
    print("up", flush=True)
    time.sleep(600)
"""


def members(root: int) -> set[int]:
    """Every living process that descends from, or carries the mark of, the family (zombies apart)."""
    token = f"TABLEVAULT_PARENT={os.environ['FAMILY_ID']}".encode()
    found = {root}
    for pid in psutil.pids():
        with suppress(OSError):  # gone meanwhile
            if token in Path(f"/proc/{pid}/environ").read_bytes():
                found.add(pid)
    return {pid for pid in found if alive(pid)}


def alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def stopped(pid: int) -> bool:
    return psutil.Process(pid).status() == psutil.STATUS_STOPPED


@pytest.fixture
def family(vault: VaultPaths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    with running_script(tmp_path, FAMILY) as child:
        assert child.stdout.readline().startswith("ready")
        monkeypatch.setenv("FAMILY_ID", resolve(vault, "family"))
        wait_until(lambda: len(members(child.pid)) == 6, "the family is complete")
        yield child
        for pid in members(child.pid):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def test_pause_now_leaves_none_running_and_resume_brings_all_back(vault: VaultPaths, family) -> None:
    """Children by tree, by token and by mapping; the answer lists them; states are what was observed."""
    everybody = members(family.pid)
    process_id = resolve(vault, "family")
    pause = ask(vault, process_id, Action.PAUSE, now=True, by="ana")
    assert pause.outcome is Outcome.EFFECTIVE
    assert all(stopped(pid) for pid in everybody)
    assert {r["member"]["identity"]["pid"] for r in pause.detail["report"]["reached"]} >= everybody
    process = process_named(vault, "family")
    assert process.status == "paused"
    assert not process.paused_from_outside
    resume = ask(vault, process_id, Action.RESUME)
    assert resume.outcome is Outcome.EFFECTIVE
    assert not any(stopped(pid) for pid in everybody)
    assert process_named(vault, "family").status == "running"


def test_stop_now_leaves_none_of_a_tree_and_lists_what_was_ended(vault: VaultPaths, family) -> None:
    """TERM, then CONT, a grace, KILL: a child that ignores TERM and one in its own session included."""
    process_id = resolve(vault, "family")
    ask(vault, process_id, Action.PAUSE, now=True)
    # The grace is what the script has to end by itself; the deaf child uses it up.
    stop = ask(vault, process_id, Action.STOP, now=True, grace=10.0, by="ana")
    assert stop.outcome is Outcome.EFFECTIVE
    assert members(family.pid) - {family.pid} == set()
    ways = {e["how"] for e in stop.detail["report"]["ended"]}
    assert ways >= {"term", "kill"}
    assert family.wait(60) == 75, "the first SIGTERM is a stop: the script ended by itself"
    assert process_named(vault, "family").status == "stopped"


def test_a_checkpoint_pause_suspends_the_children_and_resume_continues_them(vault: VaultPaths, family) -> None:
    """What somebody else had suspended before stays suspended."""
    children = members(family.pid) - {family.pid}
    foreign = min(children)
    os.kill(foreign, signal.SIGSTOP)
    wait_until(lambda: stopped(foreign), "the foreign pause")
    process_id = resolve(vault, "family")
    pause = ask(vault, process_id, Action.PAUSE, wait=60)
    assert pause.outcome is Outcome.EFFECTIVE
    assert pause.detail["children_suspended"] == len(children) - 1
    # A checkpoint waits two seconds at most to see its children stop; told to they are by then.
    wait_until(lambda: all(stopped(pid) for pid in children), "the children stand still")
    assert not stopped(family.pid), "it waits in its checkpoint"
    assert ask(vault, process_id, Action.RESUME, wait=60).outcome is Outcome.EFFECTIVE
    wait_until(lambda: [pid for pid in children if stopped(pid)] == [foreign], "the others go on")


def test_descendants_that_outlive_a_stop_are_ended_and_listed(vault: VaultPaths, family) -> None:
    """A stop at a checkpoint leaves no orphans; the receipt says what it ended."""
    stop = ask(vault, resolve(vault, "family"), Action.STOP, wait=60, grace=1.0)
    assert family.wait(60) == 75
    assert members(family.pid) - {family.pid} == set()
    assert "killed" in process_named(vault, "family").requests[stop.request_id].detail["children"]


def test_paused_from_outside_is_shown_and_can_be_resumed(vault: VaultPaths, tmp_path: Path) -> None:
    """`kill -STOP` by another tool: paused, by others."""
    with running_script(tmp_path, SLEEPER) as child:
        child.stdout.readline()
        os.kill(child.pid, signal.SIGSTOP)
        process = wait_for_status(vault, "s", "paused")
        assert process.paused_from_outside
        assert ask(vault, process.process_id, Action.RESUME).outcome is Outcome.EFFECTIVE
        assert process_named(vault, "s").status == "running"
        with pytest.raises(WrongState, match="not paused"):
            ask(vault, process.process_id, Action.RESUME)


def test_a_command_is_paused_and_stopped_now_by_default(vault: VaultPaths, tmp_path: Path) -> None:
    """Commands have no checkpoints."""
    wrapper = "from tablevault_ext.recording.wrapper import run_wrapped; from tablevault_ext.paths import open_vault"
    code = f"{wrapper}; import sys; sys.exit(run_wrapped(open_vault(), ['sleep', '600']))"
    with subprocess.Popen([sys.executable, "-c", code]) as running:
        try:
            process = wait_for_status(vault, "sleep", "running")
            assert ask(vault, process.process_id, Action.PAUSE).outcome is Outcome.EFFECTIVE
            assert process_named(vault, "sleep").status == "paused"
            stop = ask(vault, process.process_id, Action.STOP)
            assert stop.outcome is Outcome.EFFECTIVE
            assert running.wait(60) == 128 + signal.SIGTERM
        finally:
            running.kill()  # a test that fails does not wait for ten minutes
    process = process_named(vault, "sleep")
    assert (process.status, process.exit_signal) == ("stopped", signal.SIGTERM)
    with pytest.raises(ProcessEnded):
        ask(vault, process.process_id, Action.STOP)


DEAF = """
    import signal, time
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    from tablevault_ext import Vault
    Vault(process_name="deaf")
    print("up", flush=True)
    while True: time.sleep(1)
"""


def test_escalate_turns_a_stop_into_now_after_its_grace(vault: VaultPaths, tmp_path: Path) -> None:
    """A script without checkpoints that ignores SIGTERM is killed at last."""
    with running_script(tmp_path, DEAF) as child:
        child.stdout.readline()
        stop = ask(vault, resolve(vault, "deaf"), Action.STOP, escalate=True, grace=0.3, wait=60)
        assert child.wait(60) == -signal.SIGKILL
        assert stop.outcome is Outcome.EFFECTIVE
    assert process_named(vault, "deaf").status == "stopped"


def test_who_asks_again_more_urgently_is_heard(vault: VaultPaths, tmp_path: Path) -> None:
    """A stop that escalates does not join one that would wait for ever."""
    with running_script(tmp_path, DEAF) as child:
        child.stdout.readline()
        patient = ask(vault, resolve(vault, "deaf"), Action.STOP)
        assert ask(vault, resolve(vault, "deaf"), Action.STOP).request_id == patient.request_id
        stop = ask(vault, resolve(vault, "deaf"), Action.STOP, escalate=True, grace=0.3, wait=60)
        assert stop.request_id != patient.request_id
        assert child.wait(60) == -signal.SIGKILL
    requests = process_named(vault, "deaf").requests
    assert {requests[each.request_id].outcome for each in (patient, stop)} == {Outcome.EFFECTIVE}


def test_a_kernel_cannot_be_kept_and_killed(vault: VaultPaths, tmp_path: Path) -> None:
    """Options that exclude each other are refused, and nothing is asked."""
    with running_script(tmp_path, DEAF) as child:
        child.stdout.readline()
        for how in ({"escalate": True}, {"now": True}):
            with pytest.raises(BadArgument, match="keep_kernel"):
                ask(vault, resolve(vault, "deaf"), Action.STOP, keep_kernel=True, **how)
        assert process_named(vault, "deaf").requests == {}


def test_an_escalation_that_comes_second_is_no_error(
    vault: VaultPaths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The keeper escalates, too: whoever waits meanwhile is told that the process is stopped."""
    import tablevault_ext.control.ask as asking

    real = asking.escalate_now

    def after_the_keeper(*arguments):
        real(*arguments)
        return real(*arguments)

    monkeypatch.setattr(asking, "escalate_now", after_the_keeper)
    with running_script(tmp_path, DEAF) as child:
        child.stdout.readline()
        stop = ask(vault, resolve(vault, "deaf"), Action.STOP, escalate=True, grace=0.3, wait=60)
        assert stop.outcome is Outcome.EFFECTIVE


def test_a_reused_pid_is_never_signalled(vault: VaultPaths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same pid with another start time is somebody else: the process is lost, and nothing is sent."""
    with running_script(tmp_path, SLEEPER) as child:
        child.stdout.readline()
        process = process_named(vault, "s")
        journal = vault.journal(process.process_id)
        start = str(Identity.of(child.pid).start)
        journal.write_text(journal.read_text().replace(f'"start":{start}', '"start":1'))
        assert process_named(vault, "s").status == "lost"
        for action in Action:
            with pytest.raises(ProcessEnded, match="lost"):
                ask(vault, process.process_id, action, now=True)
        assert child.poll() is None
        assert not stopped(child.pid)


def test_what_a_dead_recorded_child_left_behind_is_ended_too(vault: VaultPaths, tmp_path: Path) -> None:
    """A recorded grandchild's orphan carries its own parent's mark; the tree is followed through the vault."""
    (tmp_path / "middle.py").write_text(
        "import subprocess, sys\n"
        "from tablevault_ext import Vault\n"
        "Vault(process_name='middle')\n"
        "orphan = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'], start_new_session=True)\n"
        "print(orphan.pid, flush=True)\n"
    )
    top = """
        import subprocess, sys, time
        from tablevault_ext import Vault
        vault = Vault(process_name="top")
        subprocess.run([sys.executable, "middle.py"], check=True)
        while True:
            vault.checkpoint_execution(); time.sleep(0.005)
    """
    with running_script(tmp_path, top) as child:
        orphan = int(child.stdout.readline())
        wait_for_status(vault, "middle", "finished")
        assert alive(orphan)
        stop = ask(vault, resolve(vault, "top"), Action.STOP, now=True, grace=2.0)
        assert orphan in {e["member"]["identity"]["pid"] for e in stop.detail["report"]["ended"]}
        assert not alive(orphan)


def test_orphans_of_a_dead_process_are_found_with_their_cell_and_can_be_ended(
    vault: VaultPaths, tmp_path: Path
) -> None:
    """A stop *now* of what is over ends what it left behind; when nothing is left it is an error again."""
    code = """
        import subprocess, sys
        from tablevault_ext import Vault
        Vault(process_name="gone")
        quiet = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.DEVNULL)
        sleep = [sys.executable, "-c", "import time; time.sleep(600)"]
        orphan = subprocess.Popen(sleep, start_new_session=True, **quiet)
        print(orphan.pid, flush=True)
        sys.stdin.readline()
        import os; os._exit(1)
    """
    with running_script(tmp_path, code, stdin=subprocess.PIPE) as child:
        orphan = int(child.stdout.readline())
        child.communicate("\n", timeout=60)
    process = wait_for_status(vault, "gone", "lost")
    story = post_mortem(vault, process.process_id)
    assert any(f"still running: {orphan}" in fact for fact in story.facts)
    stop = ask(vault, process.process_id, Action.STOP, now=True, grace=2.0)
    assert stop.outcome is Outcome.EFFECTIVE
    assert orphan in {e["member"]["identity"]["pid"] for e in stop.detail["report"]["ended"]}
    with pytest.raises(ProcessEnded):
        ask(vault, process.process_id, Action.STOP, now=True)


def test_a_resume_that_memory_cannot_hold_warns_first(
    vault: VaultPaths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It warns, and resumes: the choice is the user's."""
    import tablevault_ext.control.ask as asking

    with running_script(tmp_path, SLEEPER) as child:
        child.stdout.readline()
        process_id = resolve(vault, "s")
        ask(vault, process_id, Action.PAUSE, now=True)
        monkeypatch.setattr(asking, "memory_to_resume", lambda members, peak: 1 << 60)
        assert ask(vault, process_id, Action.RESUME).outcome is Outcome.EFFECTIVE
        assert "resuming s#1 needs about" in caplog.text
