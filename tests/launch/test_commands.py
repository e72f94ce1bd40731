"""Commands: what comes back, what is ended, what is recorded."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
import time
from pathlib import Path

import pytest

from tablevault_ext.errors import BadArgument, NameTaken
from tablevault_ext.identity import Identity
from tablevault_ext.journal.lines import decode_line
from tablevault_ext.journal.process_state import read_process
from tablevault_ext.launch.command_desk import CommandDesk
from tablevault_ext.launch.errors import CommandNotFound, LaunchError
from tablevault_ext.paths import VaultPaths

from ..support import wait_until
from .conftest import LAUNCHER, RecordingHost

PATIENCE = (0.5, 5.0, 40.0)
"""Timeouts, one after the other until a command gets as far as it is to get: a busy machine may take its time."""

KEYS = {"returncode", "stdout", "stderr", "pid", "command", "duration", "process_id", "timed_out"}


def alive(pid: int) -> bool:
    return Identity.of(pid) is not None


def test_a_result_has_the_documented_keys(commands: CommandDesk) -> None:
    result = commands.run_process(["sh", "-c", "echo out; echo err >&2; exit 3"])
    assert set(result) == KEYS
    assert (result["returncode"], result["stdout"], result["stderr"]) == (3, "out\n", "err\n")
    assert result["command"] == ["sh", "-c", "echo out; echo err >&2; exit 3"]
    assert result["timed_out"] is False


def test_a_string_is_a_shell_command_and_a_list_is_not(commands: CommandDesk) -> None:
    assert commands.run_process("echo one | tr a-z A-Z")["stdout"] == "ONE\n"
    assert commands.run_process(["echo", "one | two"])["stdout"] == "one | two\n"
    assert commands.run_process(["echo", "$HOME"], shell=True)["stdout"] == "$HOME\n"
    assert commands.run_process("echo 'one two' three", shell=False)["stdout"] == "one two three\n"


def test_input_environment_and_directory(commands: CommandDesk, tmp_path: Path) -> None:
    assert commands.run_process(["cat"], input_data="grüße\n")["stdout"] == "grüße\n"
    assert commands.run_process(["cat"])["stdout"] == ""
    assert len(commands.run_process(["cat"], input_data="x" * 1_000_000)["stdout"]) == 1_000_000
    assert commands.run_process("echo $A-$HOME", env={"A": "1", "PATH": os.environ["PATH"]})["stdout"] == "1-\n"
    (tmp_path / "inner").mkdir()
    result = commands.run_process(["pwd"], cwd=f"{tmp_path}/inner/../inner")
    assert result["stdout"] == f"{tmp_path}/inner\n"


def test_output_is_text_whatever_was_printed(commands: CommandDesk) -> None:
    result = commands.run_process([sys.executable, "-c", r"import sys; sys.stdout.buffer.write(b'a\xff\r\nb')"])
    assert result["stdout"] == "a\N{REPLACEMENT CHARACTER}\nb"


def test_a_grandchild_that_keeps_the_output_open_holds_nobody_up(commands: CommandDesk) -> None:
    result = commands.run_process("sleep 600 & echo started $!")
    grandchild = int(result["stdout"].split()[1])
    assert alive(grandchild), "it was not waited for"
    os.kill(grandchild, signal.SIGKILL)


def test_a_timeout_keeps_partial_output_and_leaves_no_grandchild(commands: CommandDesk) -> None:
    # A grandchild of its own session, one that ignores SIGTERM, and one whose parent is gone.
    code = """
        echo begun $$
        setsid sleep 601 & echo $!
        sh -c 'trap "" TERM; echo $$; while :; do sleep 1; done' &
        (sleep 602 & echo $!) &
        sleep 603
    """
    for timeout in PATIENCE:
        result = commands.run_process(code, timeout=timeout)
        assert result["timed_out"] is True
        pids = [int(word) for word in result["stdout"].replace("begun", "").split()]
        assert [pid for pid in pids if alive(pid)] == []
        if len(pids) == 4:
            break
    assert result["stdout"].startswith("begun ")
    assert len(pids) == 4


def test_a_background_command_is_ended_by_its_timeout_too(commands: CommandDesk) -> None:
    for timeout in PATIENCE:
        command = commands.start_process("echo begun; sleep 600", timeout=timeout)
        result = command.wait(timeout=120)
        assert (result["timed_out"], command.status) == (True, "failed")
        if result["stdout"]:
            break
    assert result["stdout"] == "begun\n"


def test_output_streams_while_it_runs(commands: CommandDesk, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    lines: list[str] = []

    def heard(line: str) -> None:
        lines.append(line)
        gate.touch()  # only a line that comes while it runs lets it end

    code = f"echo first; while [ ! -e {gate} ]; do sleep 0.01; done; printf last"
    assert commands.run_process(code, timeout=100, on_stdout=heard)["timed_out"] is False
    assert lines == ["first", "last"]
    gate.unlink()
    lines.clear()
    command = commands.start_process(code, timeout=100, on_stdout=heard)
    assert command.wait()["timed_out"] is False
    wait_until(lambda: lines == ["first", "last"], "both lines are heard")


def test_iterating_over_a_command_gives_its_lines(commands: CommandDesk) -> None:
    with commands.start_process("echo one; echo two; echo err >&2") as command:
        assert list(command) == ["one", "two"]
    assert list(command.lines("stderr")) == ["err"]


async def test_the_awaiting_twins(commands: CommandDesk) -> None:
    result = await commands.arun_process(["sh", "-c", "echo hello"])
    assert result["stdout"] == "hello\n"
    lines = [line async for line in commands.start_process("echo one; sleep 0.1; echo two")]
    assert lines == ["one", "two"]
    both = await asyncio.gather(commands.arun_process("echo 1"), commands.arun_process("echo 2"))
    assert [one["stdout"] for one in both] == ["1\n", "2\n"]


async def test_cancelling_the_awaiting_twin_ends_the_command(commands: CommandDesk) -> None:
    waiting = asyncio.create_task(commands.arun_process(["sleep", "600"]))
    while not commands.list_processes():
        await asyncio.sleep(0.01)
    pid = commands.list_processes()[0]["pid"]
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert not alive(pid)


def test_callbacks_get_the_result_and_may_use_the_manager(commands: CommandDesk) -> None:
    heard: list[object] = []

    def finished(result: dict[str, object]) -> None:
        heard.append((result["stdout"], commands.cleanup_processes()))

    commands.run_process_async("echo done", callback=finished)
    wait_until(lambda: heard == [("done\n", 1)], "the callback was called")


def test_status_list_terminate_and_cleanup(commands: CommandDesk, vault: VaultPaths) -> None:
    process_id = commands.run_process_async(["sleep", "600"])
    status = commands.get_process_status(process_id)
    assert status is not None
    assert set(status) == KEYS | {"status", "start_time"}
    assert status["status"] == "running"
    assert abs(status["start_time"] - time.time()) < 60
    assert commands.cleanup_processes() == 0
    assert commands.terminate_process(process_id) is True
    assert commands.terminate_process(process_id) is False
    assert [(p["process_id"], p["status"]) for p in commands.list_processes()] == [(process_id, "stopped")]
    assert commands.cleanup_processes() == 1
    assert commands.list_processes() == []
    assert commands.get_process_status(process_id) is None
    assert commands.terminate_process("nobody") is False
    assert read_process(vault, process_id).status == "stopped", "the vault does not forget"


def test_all_are_terminated_at_once_with_their_families(commands: CommandDesk) -> None:
    ids = [commands.run_process_async("trap '' TERM; sleep 600 & echo $!; wait; sleep 600") for _ in range(3)]
    handles = [commands.get_process(process_id) for process_id in ids]
    pids = [int(wait_until(lambda h=h: h.stdout)) for h in handles]
    assert commands.terminate_all_processes(timeout=0.5) == 3
    assert [pid for pid in pids if alive(pid)] == []
    assert commands.terminate_all_processes() == 0


def test_a_command_that_another_pauses_shows_as_paused(commands: CommandDesk, vault: VaultPaths) -> None:
    from tablevault_ext.control.now import ask_now
    from tablevault_ext.model import Action

    process_id = commands.run_process_async(["sleep", "600"])
    ask_now(vault, read_process(vault, process_id), Action.PAUSE)
    status = commands.get_process_status(process_id)
    assert status is not None
    assert status["status"] == "paused"
    assert commands.terminate_process(process_id, timeout=5) is True


def test_a_command_is_a_process_of_the_vault(commands: CommandDesk, vault: VaultPaths) -> None:
    result = commands.run_process(["sh", "-c", "echo hello; kill -9 $$"], cwd="/")
    process = read_process(vault, result["process_id"])
    assert (process.kind, process.name, process.status) == ("command", "sh", "failed")
    assert (process.exit_signal, process.cwd, process.user_id) == (9, "/", "ana")
    assert (process.parent_id, process.parent_cell) == (LAUNCHER, 3)
    assert process.argv == ["sh", "-c", "echo hello; kill -9 $$"]
    assert (vault.logs(process.process_id) / "stdout.log").read_text() == "hello\n"


def test_what_runs_for_long_is_found_by_name_and_its_log_grows(commands: CommandDesk, vault: VaultPaths) -> None:
    from tablevault_ext.journal.names import resolve

    runner = threading.Thread(target=commands.run_process, args=("echo begun; sleep 600",))
    runner.start()
    process = wait_until(lambda: commands.list_processes())[0]
    wait_until(lambda: read_process(vault, process["process_id"]).run, "it has claimed its name")
    assert resolve(vault, "echo") == process["process_id"]
    log = vault.logs(process["process_id"]) / "stdout.log"
    wait_until(lambda: log.exists() and log.read_text() == "begun\n", "its log has what it printed")
    commands.terminate_all_processes()
    runner.join()


def test_a_recorded_python_below_takes_its_row_over(commands: CommandDesk, vault: VaultPaths, tmp_path: Path) -> None:
    script = tmp_path / "child.py"
    script.write_text("from tablevault_ext import Vault\nprint(Vault().process_id)\n")
    result = commands.run_process([sys.executable, str(script)], timeout=120)
    assert result["stdout"].strip() == result["process_id"], result["stderr"]
    assert read_process(vault, result["process_id"]).status == "finished"


def test_a_stop_or_an_error_while_it_waits_ends_the_command(commands: CommandDesk, host: RecordingHost) -> None:
    host.raises = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        commands.run_process(["sleep", "600"])
    [process] = commands.list_processes()
    assert process["status"] == "stopped"
    assert not alive(process["pid"])


def test_one_that_was_started_in_a_thread_does_not_die_with_the_thread(commands: CommandDesk) -> None:
    started: list[str] = []
    thread = threading.Thread(target=lambda: started.append(commands.run_process_async("sleep 0.2; echo done")))
    thread.start()
    thread.join()
    command = commands.get_process(started[0])
    assert command is not None
    assert command.wait(timeout=60)["stdout"] == "done\n"


@pytest.mark.parametrize(
    ("cmd", "error"),
    [
        ([], BadArgument),
        ("  ", BadArgument),
        (None, BadArgument),
        (b"true", BadArgument),
        (["echo", 1], BadArgument),
        (["echo", "a\0b"], BadArgument),
        ("echo 'unbalanced", BadArgument),
        (["no-such-program-here"], CommandNotFound),
        (["/etc/passwd"], LaunchError),
    ],
)
def test_what_cannot_be_started_is_refused_and_leaves_nothing(
    cmd: object, error: type[Exception], commands: CommandDesk, vault: VaultPaths
) -> None:
    options = {"shell": False} if cmd == "echo 'unbalanced" else {}
    with pytest.raises(error):
        commands.run_process(cmd, **options)  # type: ignore[arg-type]
    with pytest.raises(error):
        commands.run_process_async(cmd, **options)  # type: ignore[arg-type]
    assert commands.list_processes() == []
    assert [path for path in vault.journals.iterdir() if LAUNCHER not in path.name] == []
    assert list((vault.root / "logs").iterdir()) == []


def test_bad_arguments(commands: CommandDesk, tmp_path: Path) -> None:
    with pytest.raises(BadArgument, match="0 or more"):
        commands.run_process(["true"], timeout=-1)
    with pytest.raises(BadArgument, match="number"):
        commands.run_process_async(["true"], timeout="soon")
    with pytest.raises(BadArgument, match="callback"):
        commands.run_process(["true"], callback="print")
    with pytest.raises(CommandNotFound, match="directory"):
        commands.run_process(["true"], cwd=tmp_path / "missing")
    with pytest.raises(BadArgument, match="taken"):
        commands.run_process(["true"], process_id=commands.run_process(["true"])["process_id"])
    commands.run_process_async(["sleep", "600"], name="one")
    with pytest.raises(NameTaken):
        commands.run_process(["true"], name="one")
    with pytest.raises(BadArgument):
        commands.run_process(["true"], name="a/b")


def test_it_survives_the_death_of_its_launcher_and_its_log_goes_on(vault: VaultPaths, tmp_path: Path) -> None:
    from ..support import running_script

    code = """
        import os, time
        from tablevault_ext.process_manager import *
        command = start_process("echo one; while [ ! -e go ]; do sleep 0.02; done; echo two; rm go")
        print(command.pid, command.process_id, flush=True)
        time.sleep(600)
    """
    with running_script(tmp_path, code) as child:
        pid, process_id = child.stdout.readline().split()
        child.kill()
        child.wait()
    assert alive(int(pid))
    (tmp_path / "go").touch()
    wait_until(lambda: not alive(int(pid)), "the command has ended")
    assert (vault.logs(process_id) / "stdout.log").read_text() == "one\ntwo\n"
    lines = vault.wrapper_journal(process_id).read_bytes().splitlines(keepends=True)  # two if it lived for a moment
    assert lines and None not in [decode_line(line) for line in lines]
    assert read_process(vault, process_id).status == "lost", "nobody saw how it ended"


def test_it_ends_with_its_launcher_unless_it_is_detached(vault: VaultPaths, tmp_path: Path) -> None:
    from ..support import running_script

    code = """
        from tablevault_ext.process_manager import *
        print(start_process(["sleep", "600"]).process_id, start_process(["sleep", "601"], detach=True).process_id)
    """
    with running_script(tmp_path, code) as child:
        out, err = child.communicate(timeout=120)
    ended, detached = (read_process(vault, process_id) for process_id in out.split())
    assert (ended.status, detached.status) == ("stopped", "running"), err
    assert detached.pid is not None
    os.kill(detached.pid, signal.SIGKILL)


def test_normalize_path(monkeypatch: pytest.MonkeyPatch) -> None:
    from tablevault_ext.process_manager import normalize_path

    monkeypatch.setenv("HOME", "/home/ana")
    monkeypatch.setenv("DATA", "/data")
    assert normalize_path("~/a/../b").as_posix() == "/home/ana/b"
    assert normalize_path("$DATA/x").as_posix() == "/data/x"
    assert normalize_path(Path("relative")).is_absolute()
    for bad in ("", 1, None):
        with pytest.raises(BadArgument):
            normalize_path(bad)  # type: ignore[arg-type]
