"""Scripts: recorded and controlled through `Vault()` alone, and exactly under `tablevault run`."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from tablevault_ext.control.ask import ask as ask_process
from tablevault_ext.errors import BadArgument, NameTaken, ProcessEnded, UnknownProcess, WrongState
from tablevault_ext.journal.names import resolve
from tablevault_ext.model import Action, Outcome
from tablevault_ext.paths import VaultPaths
from tests.support import events, process_named, run_script, running_script, wait_for_status, wait_until

LOOP = """
    import atexit, sys, time
    from tablevault_ext import Vault
    vault = Vault(process_name="train")
    atexit.register(print, "atexit ran")
    step = 0
    try:
        while True:
            step += 1
            vault.append_record("log", {"step": step})
            vault.checkpoint_execution()
            time.sleep(0.001)
    finally:
        print("finally ran")
"""


def ask(paths: VaultPaths, name: str, action: Action, wait: float | None = 60.0, **how):
    return ask_process(paths, resolve(paths, name), action, wait=wait, by="ana", **how)


def steps(paths: VaultPaths) -> list[int]:
    return [e["record"]["step"] for e in events(paths, process_named(paths, "train"), "record_appended")]


def test_pause_stands_still_and_resume_loses_nothing(vault: VaultPaths, tmp_path: Path) -> None:
    """Paused at its checkpoint, nothing is appended; resumed, it goes on with the next step."""
    with running_script(tmp_path, LOOP):
        wait_for_status(vault, "train", "running")
        wait_until(lambda: len(steps(vault)) > 5, "some steps")
        pause = ask(vault, "train", Action.PAUSE)
        assert pause.outcome is Outcome.EFFECTIVE
        before = steps(vault)
        assert ask(vault, "train", Action.PAUSE).request_id == pause.request_id, "a second pause joins the first"
        assert steps(vault) == before
        ask(vault, "train", Action.RESUME)
        wait_until(lambda: len(steps(vault)) > len(before) + 5, "more steps")
        after = steps(vault)
        assert after == list(range(1, len(after) + 1))
        with pytest.raises(WrongState, match="not paused"):
            ask(vault, "train", Action.RESUME)


def test_stop_runs_finally_and_atexit_and_exits_with_75(vault: VaultPaths, tmp_path: Path) -> None:
    """The state is *stopped*, the exit code says so, one line on stderr says who and why."""
    with running_script(tmp_path, LOOP) as child:
        wait_for_status(vault, "train", "running")
        stop = ask(vault, "train", Action.STOP, reason="too long")
        out, err = child.communicate(timeout=60)
        assert stop.outcome is Outcome.EFFECTIVE
        assert child.returncode == 75
        assert out.split("\n")[:2] == ["finally ran", "atexit ran"]
        assert err.strip() == "⏹ train was stopped by ana: too long"
    process = process_named(vault, "train")
    assert (process.status, process.exit_code) == ("stopped", 75)
    for action in Action:
        with pytest.raises(ProcessEnded, match="was stopped with exit code 75"):
            ask(vault, "train", action)


def test_stop_of_a_paused_script_stops_it(vault: VaultPaths, tmp_path: Path) -> None:
    """Stop after pause: it is resumed just enough to end cleanly."""
    with running_script(tmp_path, LOOP) as child:
        wait_for_status(vault, "train", "running")
        ask(vault, "train", Action.PAUSE)
        ask(vault, "train", Action.STOP)
        out, _ = child.communicate(timeout=60)
        assert "finally ran" in out
    assert process_named(vault, "train").status == "stopped"


def test_a_stop_ends_other_threads_at_their_checkpoints(vault: VaultPaths, tmp_path: Path) -> None:
    """Threads wait at theirs during a pause and raise on a stop; the receipt counts those that ran on."""
    code = """
        import threading, time
        from tablevault_ext import Vault
        vault = Vault(process_name="train")
        def work():
            while True:
                vault.append_record("log", {"step": 1})
                vault.checkpoint_execution()
                time.sleep(0.001)
        thread = threading.Thread(target=work); thread.start()
        while True:
            vault.checkpoint_execution(); time.sleep(0.001)
    """
    with running_script(tmp_path, code) as child:
        wait_for_status(vault, "train", "running")
        wait_until(lambda: len(steps(vault)) > 5, "the thread works")
        pause = ask(vault, "train", Action.PAUSE)
        assert pause.detail["threads_running_on"] == 1
        ask(vault, "train", Action.STOP, wait=None)
        _, err = child.communicate(timeout=60)
        assert child.returncode == 75
        assert "Traceback" not in err


@pytest.mark.parametrize(
    ("ending", "status", "code"),
    [
        ("pass", "finished", 0),
        ("sys.exit(0)", "finished", 0),
        ("sys.exit(3)", "failed", 3),
        ("sys.exit('words')", "failed", 1),
        ("1 / 0", "failed", 1),
        ("raise KeyboardInterrupt", "failed", None),
        ("raise SystemExit(4)", "finished", None),
        ("os._exit(5)", "lost", None),
        ("os.kill(os.getpid(), 9)", "lost", None),
        ("import faulthandler; faulthandler._sigsegv()", "lost", None),
        ("os.kill(os.getpid(), 15)", "stopped", 75),
    ],
)
def test_endings_as_far_as_python_itself_sees_them(
    vault: VaultPaths, tmp_path: Path, ending: str, status: str, code: int | None
) -> None:
    """With `Vault()` alone: *lost* where nothing could be written, no code where none was seen."""
    script = f"import os, sys\nfrom tablevault_ext import Vault\nVault(process_name='s')\n{ending}\n"
    run_script(tmp_path, script)
    process = process_named(vault, "s")
    assert (process.status, process.exit_code) == (status, code)


@pytest.mark.parametrize("with_vault", [False, True])
@pytest.mark.parametrize(
    ("ending", "status", "code", "killer"),
    [
        ("pass", "finished", 0, None),
        ("sys.exit(3)", "failed", 3, None),
        ("raise SystemExit(4)", "failed", 4, None),
        ("1 / 0", "failed", 1, None),
        ("os._exit(5)", "failed", 5, None),
        ("os.kill(os.getpid(), 9)", "failed", None, signal.SIGKILL),
        ("import faulthandler; faulthandler._sigsegv()", "failed", None, signal.SIGSEGV),
    ],
)
def test_endings_under_tablevault_run_are_exact(
    vault: VaultPaths, tmp_path: Path, ending: str, status: str, code: int | None, killer: int | None, with_vault: bool
) -> None:
    """The wrapper sees every exit code and signal, whether the script knows of a vault or not."""
    header = "from tablevault_ext import Vault; Vault(process_name='s')" if with_vault else "'no vault here'"
    (tmp_path / "end.py").write_text(f"import os, sys\n{header}\n{ending}\n")
    wrapper = "from tablevault_ext.recording.wrapper import run_wrapped; from tablevault_ext.paths import open_vault"
    command = [sys.executable, "-c", f"{wrapper}; import sys; sys.exit(run_wrapped(open_vault(), ['end.py']))"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, timeout=120)
    process = process_named(vault, "s" if with_vault else "end.py")
    assert (process.status, process.exit_code, process.exit_signal) == (status, code, killer)
    assert done.returncode == (code if killer is None else 128 + killer)
    assert [e["code"] for e in events(vault, process, "cell_started")] == [(tmp_path / "end.py").read_text()]


def test_the_source_is_kept_as_it_was_at_the_start(vault: VaultPaths, tmp_path: Path) -> None:
    """A script that is edited while it runs."""
    code = "from tablevault_ext import Vault\nVault(process_name='s')\nopen(__file__, 'w').write('edited')\n1 / 0\n"
    run_script(tmp_path, code)
    process = process_named(vault, "s")
    (cell,) = events(vault, process, "cell_started")
    assert cell["code"] == code
    (ended,) = events(vault, process, "cell_finished")
    assert (ended["error_type"], ended["error_message"]) == ("ZeroDivisionError", "division by zero")


@pytest.mark.parametrize(
    ("command", "name", "kind"),
    [
        (["-c", "from tablevault_ext import Vault; Vault()"], "python -c", "script"),
        (["-m", "mod"], "mod", "script"),
        (["-m", "pkg"], "pkg", "script"),
        (["-m", "pytest", "-q", "-p", "no:cacheprovider", "test_it.py"], "pytest", "script"),
        (["-"], "stdin", "script"),
        (["-i", "-q"], "python", "script"),
        (["-m", "IPython", "--simple-prompt", "--no-banner"], "ipython", "notebook"),
    ],
)
def test_names_and_kinds_are_sensible(
    vault: VaultPaths, tmp_path: Path, command: list[str], name: str, kind: str
) -> None:
    """`-m`, `-c`, pytest, standard input, the REPL and terminal IPython."""
    line = "from tablevault_ext import Vault; Vault()\n"
    (tmp_path / "mod.py").write_text(line)
    (tmp_path / "pkg").mkdir()
    (tmp_path / "pkg" / "__main__.py").write_text(line)
    (tmp_path / "pkg" / "__init__.py").write_text("")
    (tmp_path / "test_it.py").write_text(f"def test_it():\n    {line}")
    subprocess.run(
        [sys.executable, *command], cwd=tmp_path, input=line, capture_output=True, text=True, timeout=120, check=False
    )
    process = wait_for_status(vault, name, "finished")
    assert process.kind == kind


def test_a_name_held_by_the_living_is_refused_and_a_default_one_gets_a_number(
    vault: VaultPaths, tmp_path: Path
) -> None:
    """An explicit name never becomes another; an automatic one gets -2; afterwards the name makes run 2."""
    with running_script(tmp_path, LOOP):
        wait_for_status(vault, "train", "running")
        again = run_script(tmp_path, "from tablevault_ext import Vault; Vault(process_name='train')", name="b.py")
        assert NameTaken.__name__ in again.stderr
    forever = "from tablevault_ext import Vault; Vault(); input()"
    with running_script(tmp_path, forever, name="c.py", stdin=subprocess.PIPE):
        wait_for_status(vault, "c.py", "running")
        with running_script(tmp_path, forever, name="c.py", stdin=subprocess.PIPE):
            wait_for_status(vault, "c.py-2", "running")
    run_script(tmp_path, "from tablevault_ext import Vault; Vault(process_name='train')", name="b.py")
    assert process_named(vault, "train#2").status == "finished"
    assert process_named(vault, "train#1").status == "lost"
    assert process_named(vault, "train").run == 2


def test_children_are_linked_by_themselves_and_as_told(vault: VaultPaths, tmp_path: Path) -> None:
    """Through the environment without arguments; the explicit ones override; no such parent is an error."""
    (tmp_path / "child.py").write_text("from tablevault_ext import Vault; Vault(process_name='child')")
    (tmp_path / "told.py").write_text(
        "from tablevault_ext import Vault\n"
        "Vault(process_name='told', parent_process_name='other', parent_process_index=7)"
    )
    run_script(tmp_path, "from tablevault_ext import Vault; Vault(process_name='other')")
    parent = """
        import subprocess, sys
        from tablevault_ext import Vault
        Vault(process_name="parent")
        for script in ("child.py", "told.py"):
            subprocess.run([sys.executable, script], check=True)
    """
    done = run_script(tmp_path, parent)
    assert done.returncode == 0, done.stderr
    child, told = process_named(vault, "child"), process_named(vault, "told")
    assert (child.parent_id, child.parent_cell) == (process_named(vault, "parent").process_id, 0)
    assert (told.parent_id, told.parent_cell) == (process_named(vault, "other").process_id, 7)
    orphan = run_script(tmp_path, "from tablevault_ext import Vault; Vault('u', 'x', 'pairent')")
    assert UnknownProcess.__name__ in orphan.stderr
    assert "did you mean 'parent'" in orphan.stderr


def test_a_forked_childs_checkpoint_acts_on_the_child_alone(vault: VaultPaths, tmp_path: Path) -> None:
    """The child registers at its first checkpoint, even through a reference that was taken before the fork."""
    code = """
        import os, time
        from tablevault_ext import Vault
        vault = Vault(process_name="train")
        checkpoint = vault.checkpoint_execution
        child = os.fork()
        while True:
            checkpoint()
            time.sleep(0.001)
    """
    with running_script(tmp_path, code) as parent:
        worker = wait_for_status(vault, "train.worker", "running")
        assert worker.kind == "worker"
        assert worker.parent_id == process_named(vault, "train").process_id
        assert worker.pid != parent.pid
        ask(vault, "train.worker", Action.STOP)
        assert process_named(vault, "train").status == "running"
        ask(vault, "train", Action.STOP)
        assert parent.wait(60) == 75
    assert process_named(vault, "train.worker").status == "stopped"


def test_pool_map_does_not_hang_when_its_workers_or_its_parent_are_stopped(vault: VaultPaths, tmp_path: Path) -> None:
    """In a pool's worker a stop is an ordinary Exception, which `map` hands to the parent."""
    code = """
        import multiprocessing, time
        from tablevault_ext import Vault, WorkerStopped
        def work(n):
            vault = Vault()
            while True:
                vault.checkpoint_execution()
                time.sleep(0.001)
        vault = Vault(process_name="train")
        with multiprocessing.get_context("fork").Pool(1) as pool:
            try:
                pool.map(work, [1])
            except WorkerStopped:
                print("the worker was stopped", flush=True)
        while True:
            vault.checkpoint_execution(); time.sleep(0.001)
    """
    with running_script(tmp_path, code) as parent:
        wait_for_status(vault, "train.worker", "running")
        ask(vault, "train.worker", Action.STOP, wait=None)
        assert parent.stdout.readline() == "the worker was stopped\n"
        ask(vault, "train", Action.STOP)
        assert parent.wait(60) == 75


def test_on_stop_callbacks_run_before_the_exception(vault: VaultPaths, tmp_path: Path) -> None:
    """So that training can save: once, for a stop and for SIGTERM alike; one that fails does not spare the rest."""
    code = """
        import time
        from tablevault_ext import Vault
        vault = Vault(process_name="train")
        @vault.on_stop
        def save(): print("saved", flush=True)
        @vault.on_stop
        def broken(): raise RuntimeError("broken")
        print("ready", flush=True)
        while True:
            time.sleep(0.01); vault.checkpoint_execution()
    """
    for how in ("stop", "term"):
        with running_script(tmp_path, code) as child:
            assert child.stdout.readline() == "ready\n"
            if how == "stop":
                ask(vault, "train", Action.STOP)
            else:
                os.kill(child.pid, signal.SIGTERM)
            out, err = child.communicate(timeout=60)
            assert (out, child.returncode) == ("saved\n", 75)
            assert "broken" in err
        assert process_named(vault, "train").status == "stopped"


def test_a_handler_of_the_users_own_is_respected(vault: VaultPaths, tmp_path: Path) -> None:
    """SIGTERM belongs to the script if it says so before or after."""
    code = """
        import signal, sys, time
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(9))
        from tablevault_ext import Vault
        Vault(process_name="own")
        print("ready", flush=True)
        time.sleep(600)
    """
    with running_script(tmp_path, code) as child:
        assert child.stdout.readline() == "ready\n"
        os.kill(child.pid, signal.SIGTERM)
        assert child.wait(60) == 9


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"process_name": ""}, "must not be empty"),
        ({"process_name": "a/b"}, "slash"),
        ({"process_name": "a#1"}, "NAME#RUN"),
        ({"process_name": "x" * 10_001}, "at most 10000"),
        ({"process_name": 5}, "must be a string"),
        ({"parent_process_index": -1}, "0 or more"),
    ],
)
def test_bad_arguments_are_refused_at_the_door(vault: VaultPaths, arguments: dict, message: str) -> None:
    """Nothing is recorded, nothing half-done stays."""
    from tablevault_ext import Vault

    with pytest.raises(BadArgument, match=message):
        Vault(**arguments)
    assert list(vault.journals.iterdir()) == []


def test_unspeakable_names_do_no_harm(vault: VaultPaths, tmp_path: Path) -> None:
    """Quotes, newlines, emoji, NUL bytes, 10,000 characters."""
    names = ['it\'s "quoted"; DROP TABLE x;--', "line\nbreak", "🚀", "nul\0byte", "x" * 10_000]
    code = """
        import json, subprocess, sys
        from tablevault_ext import Vault
        Vault(process_name=json.loads(sys.argv[1]))
    """
    for name in names:
        done = run_script(tmp_path, code, json.dumps(name))
        assert done.returncode == 0, done.stderr
        assert process_named(vault, name).status == "finished"
    assert (tmp_path / "vault").stat().st_mode & 0o777 == 0o700
    for folder, folders, files in os.walk(tmp_path / "vault"):
        for path in (Path(folder) / each for each in (*folders, *files)):
            with suppress(FileNotFoundError):  # the keeper is at work here: some files come and go
                assert path.stat().st_mode & 0o077 == 0, path


def test_a_script_that_is_just_starting_can_be_asked_already(
    vault: VaultPaths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`tablevault run` has recorded it, Python still starts: the request waits until it records itself."""
    go = tmp_path / "go"
    (tmp_path / "sitecustomize.py").write_text(
        "import os, sys, time\n"
        f"while 'tablevault_ext.bootstrap' in sys.orig_argv and not os.path.exists({str(go)!r}):\n"
        "    time.sleep(0.01)\n"
    )
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
    (tmp_path / "train.py").write_text(textwrap.dedent(LOOP))
    command = [sys.executable, "-m", "tablevault_ext.cli", "run", "--name", "train", "train.py"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as child:
        try:
            wait_until(lambda: (p := process_named(vault, "train")) and p.identity, "it is recorded")
            with ThreadPoolExecutor(1) as pool:
                pause = pool.submit(ask, vault, "train", Action.PAUSE, wait=60.0)
                with pytest.raises(TimeoutError):
                    pause.result(0.3)
                go.touch()
                assert pause.result().outcome is Outcome.EFFECTIVE
        finally:
            go.touch()
            ask(vault, "train", Action.STOP)
    assert child.returncode == 75
