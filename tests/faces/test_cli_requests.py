"""pause, resume, stop and withdraw from the command line: answers, exit codes, JSON."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from tablevault_ext.paths import VaultPaths

from ..support import process_named, running_script, wait_for_status, wait_until
from .conftest import LOOP, Cli


def test_pause_resume_and_stop_say_what_was_observed_and_exit_with_0(cli: Cli, loop: Any, vault: VaultPaths) -> None:
    paused = cli("pause", "train", "--wait", "60", "--reason", "lunch")
    assert (paused.code, paused.err) == (0, "")
    assert "pause of train#1: effective" in paused.out
    assert process_named(vault, "train").status == "paused"

    assert cli("resume", "train", "--wait", "60").code == 0
    assert process_named(vault, "train").status == "running"

    stopped = cli("stop", "train", "--wait", "60", "--json")
    assert stopped.code == 0
    assert [(r["action"], r["outcome"]) for r in stopped.json] == [("stop", "effective")]
    assert loop.wait(90) == 75
    assert cli("errors").out == "No errors.\n", "that somebody stopped it is no error"


def test_a_request_that_is_still_pending_when_the_wait_is_over_exits_with_4(
    cli: Cli, vault: VaultPaths, tmp_path: Path
) -> None:
    code = "import time\nfrom tablevault_ext import Vault\nVault(process_name='deaf')\ntime.sleep(900)"
    with running_script(tmp_path, code):
        wait_for_status(vault, "deaf", "running")
        late = cli("pause", "deaf", "--wait", "0.2", "--json")
        assert late.code == 4
        assert late.json[0]["status"] == "requested"
        assert "after 0.2 s" in late.err

        assert cli("pause", "deaf").code == 0, "without --wait it is enough that it was accepted"

        withdrawn = cli("withdraw", "deaf")
        assert (withdrawn.code, withdrawn.err) == (0, "")


def test_unknown_names_exit_with_3_and_name_near_ones(cli: Cli, loop: Any) -> None:
    for command in ("pause", "resume", "stop", "withdraw", "show", "logs", "errors"):
        done = cli(command, "trian")
        assert done.code == 3, command
        assert done.err == "tablevault: no process 'trian' in this vault; did you mean 'train'?\n"


def test_requests_that_make_no_sense_exit_with_5(cli: Cli, loop: Any, vault: VaultPaths) -> None:
    assert cli("resume", "train").code == 5
    assert cli("withdraw", "train").code == 5
    cli("stop", "train", "--wait", "60")
    loop.wait(90)
    ended = cli("pause", "train")
    assert ended.code == 5
    assert "it was stopped" in ended.err
    assert ended.err.count("\n") == 1


def test_bad_arguments_exit_with_2(cli: Cli) -> None:
    for arguments in (("stop",), ("stop", "x", "--grace", "-1"), ("pause", ""), ("nonsense",), ("ps", "--kind", "cow")):
        assert cli(*arguments).code == 2, arguments


def test_several_names_are_all_asked_and_the_highest_exit_code_counts(cli: Cli, loop: Any, vault: VaultPaths) -> None:
    done = cli("pause", "nobody", "train", "--wait", "60")
    assert done.code == 3
    assert "'nobody'" in done.err
    assert "pause of train#1: effective" in done.out
    assert cli("resume", "train", "--wait", "60").code == 0


def test_name_run_and_process_id_address_the_same_process(cli: Cli, loop: Any, vault: VaultPaths) -> None:
    process = process_named(vault, "train")
    for address in ("train", "train#1", process.process_id):
        assert cli("show", address, "--json").json["process_id"] == process.process_id


def test_before_it_destroys_something_it_names_what_and_asks(vault: VaultPaths, tmp_path: Path) -> None:
    """On a terminal only: a real pseudo-terminal, answered with no."""
    with running_script(tmp_path, LOOP) as child:
        wait_for_status(vault, "train", "running")
        main, other = pty.openpty()
        command = subprocess.Popen(
            [sys.executable, "-m", "tablevault_ext.cli", "stop", "train", "--now"],
            stdin=other,
            stdout=other,
            stderr=other,
        )
        os.close(other)
        shown = b""

        def asked() -> bool:
            nonlocal shown
            shown += os.read(main, 4096)
            return b"Go on?" in shown

        wait_until(asked, "the question")
        os.write(main, b"n\n")
        assert command.wait(90) == 1
        os.close(main)
        assert f"This ends train#1 (script, pid {child.pid})".encode() in shown
        assert child.poll() is None, "no means no"


def test_run_exits_with_its_childs_code(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "leave.py").write_text(
        "import sys; print('out'); print('err', file=sys.stderr); sys.exit(int(sys.argv[1]))"
    )
    (tmp_path / "die.py").write_text("import os; os.kill(os.getpid(), 9)")
    done = cli("run", "leave.py", "7")
    assert (done.code, done.out, done.err) == (7, "out\n", "err\n")
    assert cli("run", "leave.py", "0").code == 0
    assert cli("run", "--name", "killed", "die.py").code == 128 + signal.SIGKILL
    assert cli("run", "-m", "this").code == 0
    assert cli("run", "sh", "-c", "exit 3").code == 3


def test_run_refuses_what_cannot_be_started(cli: Cli, loop: Any) -> None:
    for arguments in (
        ("run",),
        ("run", "missing.py"),
        ("run", "no-such-program-anywhere"),
        ("run", "--nmae", "x", "y.py"),
    ):
        done = cli(*arguments)
        assert done.code == 2, arguments
    assert cli("run", "--name", "a/b", "true").code == 2
    assert cli("run", "--name", "", "true").code == 2
    taken = cli("run", "--name", "train", "true")
    assert taken.code == 5
    assert "held by a living process" in taken.err
