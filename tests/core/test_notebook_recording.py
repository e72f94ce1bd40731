"""Recording in real kernels: every cell, every error, nothing printed."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tablevault_ext.paths import VaultPaths
from tests.support import Kernel, events, process_named, wait_for_status, wait_until

from .patience import give_kernels_time


def finished_cells(paths: VaultPaths) -> list[dict[str, Any]]:
    """Started and finished events of each cell, merged, in order of their start."""
    process = process_named(paths, "notebook")
    assert process is not None
    cells = {e["seq"]: dict(e) for e in events(paths, process, "cell_started")}
    for event in events(paths, process, "cell_finished"):
        cells[event["seq"]] |= event
    return [cells[seq] for seq in sorted(cells)]


def test_loading_records_every_cell_and_prints_nothing(vault: VaultPaths, start_kernel: Callable[..., Kernel]) -> None:
    """`%load_ext` alone: the loading cell and every later one, with code, count, cell id and outcome."""
    kernel = start_kernel()
    reply = kernel.run("%load_ext tablevault_ext")
    assert (reply.status, reply.texts) == ("ok", [])
    kernel.run("x = 1")
    assert kernel.run("x + 1").texts == ["2"]
    kernel.run("   ")

    loading, assignment, expression = finished_cells(vault)
    assert loading["code"] == "%load_ext tablevault_ext"
    assert [c["status"] for c in (loading, assignment, expression)] == ["ok", "ok", "ok"]
    assert [c["execution_count"] for c in (loading, assignment, expression)] == [1, 2, 3]
    assert expression["code"] == "x + 1"
    assert expression["duration"] > 0
    process = wait_for_status(vault, "notebook", "running")
    assert process.kind == "notebook"
    assert process.pid == kernel.pid


ERRORS = {
    "syntax error": ("def f(:", "SyntaxError", "invalid syntax", ""),
    "empty message": ("raise ValueError()", "ValueError", "", "raise ValueError()"),
    "assert": ("assert False", "AssertionError", "", "assert False"),
    "keyboard interrupt": ("raise KeyboardInterrupt", "KeyboardInterrupt", "", "raise KeyboardInterrupt"),
    "cancelled": ("import asyncio\nraise asyncio.CancelledError('c')", "CancelledError", "c", "CancelledError('c')"),
    "system exit": ("raise SystemExit(3)", "SystemExit", "3", "raise SystemExit(3)"),
    "usage": ("%nosuchmagic", "UsageError", "nosuchmagic", ""),
    "group": ("raise ExceptionGroup('g', [ValueError('a'), TypeError('b')])", "ExceptionGroup", "g (2", "TypeError: b"),
    "run": ("%run fails.py", "ValueError", "in a script", "fails.py"),
    "repr": ("class B:\n    def __repr__(self): raise RuntimeError('r')\nB()", "RuntimeError", "r", "__repr__"),
    "own str": ("class E(Exception):\n    def __str__(self): 1/0\nraise E()", "E", "__str__ failed", "raise E()"),
    "surrogate": ("raise ValueError('\\ud800')", "ValueError", "\\ud800", "raise ValueError"),
}


def test_errors_keep_type_message_and_the_users_frames(vault: VaultPaths, kernel: Kernel, tmp_path: Path) -> None:
    """Each way a cell can fail is stored with type, message and a traceback of the user's own code."""
    (tmp_path / "fails.py").write_text("x = 1\nraise ValueError('in a script')\n")
    for code, *_ in ERRORS.values():
        kernel.run(code)
    cells = finished_cells(vault)[1:]
    for (label, (code, kind, message, frame)), cell in zip(ERRORS.items(), cells, strict=True):
        assert cell["code"] == code
        assert cell["status"] == "error", label
        assert cell["error_type"].endswith(kind), label
        assert message in cell["error_message"], label
        assert frame in cell["traceback"], label
        assert "run_code" not in cell["traceback"], f"{label}: frames of IPython stand above the user's"


def test_nested_and_captured_cells_are_cells_of_their_own(vault: VaultPaths, kernel: Kernel) -> None:
    """`%%capture` and `run_cell` inside a cell: the inner cell has the error, the outer one its own outcome."""
    kernel.run("get_ipython().run_cell('1/0')")
    kernel.run("%%capture\n1/0")
    outer, inner, capturing, captured = finished_cells(vault)[1:]
    for failed in (inner, captured):
        assert (failed["code"].strip(), failed["error_type"]) == ("1/0", "ZeroDivisionError")
    assert outer["status"] == capturing["status"] == "ok"


def test_errors_of_threads_and_lost_tasks_are_seen(vault: VaultPaths, kernel: Kernel) -> None:
    """What neither a cell nor an excepthook sees is kept with its source, and still shown."""
    reply = kernel.run("import threading; t = threading.Thread(target=lambda: 1/0, name='T1'); t.start(); t.join()")
    assert "ZeroDivisionError" in reply.text
    kernel.run(
        """
        import asyncio, gc
        async def lost(): raise KeyError('lost')
        asyncio.ensure_future(lost())
        await asyncio.sleep(0.01)
        gc.collect()
        """
    )
    process = process_named(vault, "notebook")
    thread, task = wait_until(lambda: e if len(e := events(vault, process, "error_seen")) == 2 else None, "two errors")
    assert (thread["error_type"], thread["source"]) == ("ZeroDivisionError", "thread T1")
    assert (task["error_type"], task["source"]) == ("KeyError", "task")


def test_a_broken_repr_and_a_fault_of_ours_still_give_the_reply(vault: VaultPaths, kernel: Kernel) -> None:
    """The front end never hangs: the reply comes although the journal cannot be written."""
    kernel.run(
        """
        from tablevault_ext.session import current_session
        def fail(*_, **__): raise RuntimeError('our own fault')
        current_session().process.journal.append = fail
        current_session().process.journal.append_at = fail
        """
    )
    reply = kernel.run("class B:\n    def __repr__(self): raise RuntimeError('r')\nB()")
    assert reply.status == "error"
    kernel.run("pass")
    assert kernel.run("6 * 7").texts == ["42"], "said once, not after every cell"


def test_a_killed_kernel_leaves_a_cell_that_never_ended(vault: VaultPaths, kernel: Kernel) -> None:
    """`kill -9` half-way: the row says it started; the process is lost."""
    kernel.send("import time\nwhile True: time.sleep(0.1)")
    process = process_named(vault, "notebook")
    wait_until(lambda: len(events(vault, process, "cell_started")) == 2, "the cell has started")
    os.kill(kernel.pid, signal.SIGKILL)
    assert wait_for_status(vault, "notebook", "lost").ended_at is None
    assert "duration" not in finished_cells(vault)[-1]


def test_unload_and_reload_register_once(vault: VaultPaths, kernel: Kernel) -> None:
    """Loading twice, unloading and loading again: one row a cell, none while unloaded."""
    kernel.run("%load_ext tablevault_ext")
    kernel.run("%reload_ext tablevault_ext")
    kernel.run("'once'")
    kernel.run("%unload_ext tablevault_ext")
    kernel.run("'unseen'")
    kernel.run("%load_ext tablevault_ext")
    kernel.run("'again'")
    codes = [cell["code"] for cell in finished_cells(vault)]
    assert codes.count("'once'") == codes.count("'again'") == 1
    assert "'unseen'" not in codes


def test_vault_in_a_notebook_without_the_extension_records_from_its_cell_on(
    vault: VaultPaths, start_kernel: Callable[..., Kernel]
) -> None:
    """`Vault(...)` starts recording, and the cell that creates it is recorded."""
    kernel = start_kernel()
    kernel.run("from tablevault_ext import Vault; vault = Vault(process_name='nb')")
    kernel.run("1 + 1")
    process = process_named(vault, "nb")
    assert [e["code"] for e in events(vault, process, "cell_started")][1:] == ["1 + 1"]


def test_vault_names_a_notebook_that_was_named_automatically(vault: VaultPaths, kernel: Kernel) -> None:
    """The old name is free again, and still addresses the same process."""
    kernel.run("from tablevault_ext import Vault; vault = Vault(user_id='ana', process_name='analysis')")
    process = process_named(vault, "analysis")
    assert (process.name, process.user_id, process.pid) == ("analysis", "ana", kernel.pid)
    reply = kernel.run("Vault(process_name='another')")
    assert "recorded as 'analysis' already" in reply.text


def test_private_cells_keep_neither_code_nor_output(vault: VaultPaths, kernel: Kernel) -> None:
    """`%%vault_private`: it is known to have run, and nothing else."""
    kernel.run("%%vault_private\nprint('hush'); raise ValueError('hush')")
    cell = finished_cells(vault)[-1]
    assert cell["private"] is True
    assert cell["error_type"] == "ValueError"
    journal = vault.journal(process_named(vault, "notebook").process_id)
    kernel.run("print('aloud')")
    wait_until(lambda: b'"output_tail":"aloud' in journal.read_bytes(), "a later cell's output is written")
    assert b"hush" not in journal.read_bytes()


def test_output_tails_reach_the_journal(vault: VaultPaths, kernel: Kernel) -> None:
    """The end of what a cell printed is kept, results included."""
    kernel.run("print('x' * 20000); print('the end'); 42")
    process = process_named(vault, "notebook")

    def whole() -> str | None:  # what was printed may be written before the result is
        tails = events(vault, process, "cell_output")
        return tails[-1]["output_tail"] if tails and "the end\n42" in tails[-1]["output_tail"] else None

    assert len(wait_until(whole, "the output's tail")) <= 8192


def test_two_subshell_cells_at_once_are_attributed_rightly(vault: VaultPaths, kernel: Kernel, tmp_path: Path) -> None:
    """Cells that overlap in two threads each keep their own code, error and end."""
    created = kernel.client.session.msg("create_subshell_request")
    kernel.client.control_channel.send(created)
    answer = kernel.client.control_channel.get_msg(timeout=60)
    subshell = answer["content"]["subshell_id"]
    began = tmp_path / "began"
    main = kernel.send(
        "open('began', 'w').close()\nimport time\nwhile 'go' not in globals(): time.sleep(0.01)\n"
        "raise ValueError('main')"
    )
    wait_until(began.exists, "the main thread's cell runs")
    message = kernel.client.session.msg(
        "execute_request",
        {
            "code": "go = True\nraise KeyError('sub')",
            "silent": False,
            "store_history": True,
            "user_expressions": {},
            "allow_stdin": False,
            "stop_on_error": True,
        },
    )
    message["header"]["subshell_id"] = subshell
    kernel.client.shell_channel.send(message)
    kernel.reply_to(main)
    cells = wait_until(
        lambda: c if len(c := [c for c in finished_cells(vault)[1:] if "duration" in c]) == 2 else None, "both ended"
    )
    by_code = {("main" if "main" in c["code"] else "sub"): c for c in cells}
    assert by_code["main"]["error_type"] == "ValueError"
    assert by_code["sub"]["error_type"] == "KeyError"


@pytest.mark.parametrize("runner", ["nbclient", "papermill"])
def test_notebooks_run_without_a_front_end(
    vault: VaultPaths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, runner: str
) -> None:
    """nbclient and papermill give neither a path nor an id; the process is still a notebook with a sensible name."""
    give_kernels_time(tmp_path, monkeypatch)
    import subprocess
    import sys

    import nbformat

    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(code) for code in ("%load_ext tablevault_ext", "1 + 1")],
        metadata={"kernelspec": {"name": "python3", "display_name": "p", "language": "python"}},
    )
    nbformat.write(notebook, tmp_path / "study.ipynb")
    command = {
        "nbclient": ["-m", "jupyter", "execute", "study.ipynb"],
        "papermill": ["-m", "papermill", "study.ipynb", "out.ipynb"],
    }[runner]
    done = subprocess.run([sys.executable, *command], cwd=tmp_path, capture_output=True, text=True, timeout=170)
    assert done.returncode == 0, done.stderr
    process = wait_for_status(vault, "study.ipynb", "finished")
    assert process.kind == "notebook"
    assert [e["code"] for e in events(vault, process, "cell_started")][-1] == "1 + 1"
