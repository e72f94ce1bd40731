"""Stop, pause and resume of real kernels, asked for by another process (this one)."""

from __future__ import annotations

import array
import fcntl
import os
import subprocess
import sys
import termios
import time
from pathlib import Path

import nbformat
import pytest

from tablevault_ext.control.ask import ask as ask_process
from tablevault_ext.journal.control_block import ring
from tablevault_ext.model import Action, Outcome
from tablevault_ext.paths import VaultPaths
from tests.support import Kernel, events, process_named, wait_for_status, wait_until

from .patience import give_kernels_time

# A cell's first line, which it reaches when the checkpoint before it lies behind: a request that comes earlier is
# obeyed there, and the cell does not run at all.
BEGAN = "open('began', 'w').close()\n"

LOOP = {
    "sync": BEGAN + "import time\nwhile True:\n    time.sleep(0.01)\n    vault.checkpoint_execution()",
    "await": BEGAN
    + "import asyncio\nwhile True:\n    await asyncio.sleep(0.01)\n    await vault.acheckpoint_execution()",
    "sync in await": BEGAN
    + "import asyncio\nwhile True:\n    await asyncio.sleep(0.01)\n    vault.checkpoint_execution()",
}


@pytest.fixture
def named(kernel: Kernel) -> Kernel:
    """A recorded kernel with a `vault` in it, called nb."""
    kernel.run("from tablevault_ext import Vault; vault = Vault(process_name='nb')")
    kernel.manager.shutdown_wait_time = 60.0  # afterwards jupyter_client kills it
    return kernel


def ask(paths: VaultPaths, action: Action, wait: float | None = 60.0, **how):
    process = process_named(paths, "nb")
    return ask_process(paths, process.process_id, action, wait=wait, by="ana", **how)


def until_cell_runs(paths: VaultPaths) -> None:
    """Until a cell that begins with `BEGAN` is past its first line."""
    wait_until((paths.root.parent / "began").exists, "the cell runs")


def until_it_has_all(kernel: Kernel) -> None:
    """Until whatever was sent to a kernel stands in its queue: a cell that arrives after an error is not aborted.

    Messages to a subshell come behind it through the same socket, and are answered while a cell runs.
    """
    session, client = kernel.client.session, kernel.client
    client.control_channel.send(session.msg("create_subshell_request"))
    answer = client.control_channel.get_msg(timeout=60)
    message = session.msg("kernel_info_request")
    message["header"]["subshell_id"] = answer["content"]["subshell_id"]
    client.shell_channel.send(message)
    kernel.reply_to(message["header"]["msg_id"], timeout=60)


def until_it_waits_in_its_pause(paths: VaultPaths) -> None:
    """Until the thread of a cell that met a pause has gone to wait there: from then on Ctrl-C ends the pause.

    Arriving it drains its FIFO once, waiting it does so at each ring; and the watching thread, which looked before
    the cell came, may do it once more. Who has heard three rings waits.
    """
    process = process_named(paths, "nb")
    fifo = os.open(paths.wake(process.process_id), os.O_RDONLY | os.O_NONBLOCK)
    try:
        for _ in range(3):
            ring(paths, process.process_id)
            wait_until(lambda: not _bytes_in(fifo), "it hears the ring")
    finally:
        os.close(fifo)


def _bytes_in(pipe: int) -> int:
    number = array.array("i", [0])
    fcntl.ioctl(pipe, termios.FIONREAD, number)
    return number[0]


@pytest.mark.parametrize("how", LOOP)
def test_pause_and_resume_inside_a_cell(vault: VaultPaths, named: Kernel, how: str) -> None:
    """The receipts say who asked, when it was seen and when it took effect; nothing is lost."""
    loop = named.send(LOOP[how])
    until_cell_runs(vault)
    began = time.monotonic()
    pause = ask(vault, Action.PAUSE, reason="disk")
    took = time.monotonic() - began
    assert (pause.outcome, pause.requested_by, pause.reason) == (Outcome.EFFECTIVE, "ana", "disk")
    assert 0 <= pause.seen_latency <= pause.effect_latency <= took
    assert process_named(vault, "nb").status == "paused"
    resume = ask(vault, Action.RESUME)
    assert resume.outcome is Outcome.EFFECTIVE
    assert process_named(vault, "nb").status == "running"
    named.manager.interrupt_kernel()
    assert named.reply_to(loop)["status"] == "error"


@pytest.mark.parametrize("how", LOOP)
def test_stop_with_keep_kernel_aborts_the_run_and_keeps_the_memory(vault: VaultPaths, named: Kernel, how: str) -> None:
    """This cell shows one line, the queued ones do not run, the variables are still there."""
    named.run("kept = 41")
    loop, queued = named.send(LOOP[how]), named.send("kept = 0")
    until_cell_runs(vault)
    until_it_has_all(named)
    ask(vault, Action.STOP, wait=None, keep_kernel=True, reason="enough")
    assert named.texts_until_idle(loop) == ["⏹ nb was stopped by ana: enough"]
    assert named.reply_to(queued)["status"] == "aborted"
    wait_for_status(vault, "nb", "running")
    assert named.run("kept + 1").texts == ["42"]


@pytest.mark.parametrize("cell", ["sync", "await"])
def test_stop_after_a_cell_aborts_what_is_queued(vault: VaultPaths, named: Kernel, tmp_path: Path, cell: str) -> None:
    """The automatic checkpoint after a cell obeys, although the cell itself has none."""
    code = BEGAN + "import asyncio, os, time\nwhile not os.path.exists('go'):\n    "
    code += {"sync": "time.sleep(0.01)", "await": "await asyncio.sleep(0.01)"}[cell]
    sleeping, queued = named.send(code), named.send("ran = True")
    until_cell_runs(vault)
    until_it_has_all(named)
    ask(vault, Action.STOP, wait=None, keep_kernel=True)
    (tmp_path / "go").touch()
    assert named.texts_until_idle(sleeping) == ["⏹ nb was stopped by ana"]
    assert named.reply_to(queued)["status"] == "aborted"
    wait_for_status(vault, "nb", "running")
    assert named.run("'ran' in globals()").texts == ["False"]


def test_a_stopped_kernel_refuses_cells_until_it_ends(vault: VaultPaths, named: Kernel) -> None:
    """Without a server that ends it the kernel lives on, refuses to run anything, and says so."""
    loop = named.send(LOOP["sync"])
    until_cell_runs(vault)
    ask(vault, Action.STOP, wait=None)
    assert named.reply_to(loop)["ename"] == "ExecutionStopped"
    refused = named.run("ran = True")
    assert (refused.status, refused.ename) == ("error", "ExecutionStopped")
    assert refused.texts == ["⏹ nb was stopped by ana; this cell was not run"]
    process = process_named(vault, "nb")
    assert process.status == "stopping"
    wait_until(lambda: process_named(vault, "nb").request.detail.get("released"), "the kernel is released")
    named.manager.shutdown_kernel()
    assert wait_for_status(vault, "nb", "stopped").request is None


SWALLOWERS = {
    "run": BEGAN + "%run swallow.py",
    "capture": f"%%capture\n{BEGAN}import time\nwhile True:\n    time.sleep(0.01)\n    vault.checkpoint_execution()",
    "nested": """
        open('began', 'w').close()
        get_ipython().run_cell('import time\\nwhile True:\\n    time.sleep(0.01)\\n    vault.checkpoint_execution()')
        """,
    "bare except": """
        open('began', 'w').close()
        import time
        try:
            while True:
                time.sleep(0.01)
                vault.checkpoint_execution()
        except BaseException:
            pass
        """,
    "task": """
        open('began', 'w').close()
        import asyncio
        async def loop():
            while True:
                await asyncio.sleep(0.01)
                await vault.acheckpoint_execution()
        await asyncio.wait([asyncio.ensure_future(loop())])
        """,
    "call_soon": """
        open('began', 'w').close()
        import asyncio
        done = asyncio.Event()
        def step():
            try:
                vault.checkpoint_execution()
            except BaseException:
                done.set()
                raise
            asyncio.get_running_loop().call_later(0.01, step)
        asyncio.get_running_loop().call_soon(step)
        await done.wait()
        """,
    "thread": """
        open('began', 'w').close()
        import threading, time
        def work():
            while True:
                time.sleep(0.01)
                vault.checkpoint_execution()
        t = threading.Thread(target=work); t.start(); t.join()
        """,
}


@pytest.mark.parametrize("swallower", SWALLOWERS)
def test_a_swallowed_stop_still_stops_the_run(vault: VaultPaths, named: Kernel, tmp_path: Path, swallower: str) -> None:
    """Whatever the cell does to the exception, the next cell does not run."""
    (tmp_path / "swallow.py").write_text(
        "import time\nfrom tablevault_ext import Vault\nvault = Vault()\n"
        "while True:\n    time.sleep(0.01)\n    vault.checkpoint_execution()\n"
    )
    cell, queued = named.send(SWALLOWERS[swallower] + "\n"), named.send("ran = True")
    until_cell_runs(vault)
    ask(vault, Action.STOP, wait=None, keep_kernel=True)
    named.reply_to(cell)
    assert named.reply_to(queued)["status"] in ("aborted", "error")
    wait_for_status(vault, "nb", "running")
    assert named.run("'ran' in globals()").texts == ["False"]


@pytest.mark.parametrize("how", ["sync", "await", "sync in await", "after sync", "after await"])
def test_ctrl_c_ends_a_pause_and_aborts_the_run(vault: VaultPaths, named: Kernel, tmp_path: Path, how: str) -> None:
    """In a checkpoint or after a cell, sync or await; no later cell runs."""
    until_go = BEGAN + "import asyncio, os, time\nwhile not os.path.exists('go'):\n    "
    after = {
        "after sync": until_go + "time.sleep(0.01)",
        "after await": until_go + "await asyncio.sleep(0.01)",
    }
    cell, queued = named.send({**LOOP, **after}[how]), named.send("ran = True")
    until_cell_runs(vault)
    until_it_has_all(named)
    pause = ask(vault, Action.PAUSE, wait=None)
    (tmp_path / "go").touch()
    paused = wait_for_status(vault, "nb", "paused")
    assert paused.requests[pause.request_id].outcome is Outcome.EFFECTIVE
    named.manager.interrupt_kernel()
    reply = named.reply_to(cell)  # a pause that Ctrl-C does not end would wait for ever
    assert reply["ename"] in ("KeyboardInterrupt", "CancelledError")
    assert named.reply_to(queued)["status"] == "aborted"
    process = wait_for_status(vault, "nb", "running")
    assert process.requests[pause.request_id].outcome is Outcome.INTERRUPTED
    assert named.run("'ran' in globals()").texts == ["False"]


def test_an_idle_kernel_obeys_by_itself(vault: VaultPaths, named: Kernel) -> None:
    """Idle, it stands at a checkpoint: pause and resume take effect without a cell; a cell started meanwhile waits."""
    assert ask(vault, Action.PAUSE).outcome is Outcome.EFFECTIVE
    waiting = named.send("'went on'")
    wait_until(lambda: events(vault, process_named(vault, "nb"), "cell_started")[-1]["code"] == "'went on'", "it waits")
    assert process_named(vault, "nb").status == "paused"
    assert ask(vault, Action.RESUME).outcome is Outcome.EFFECTIVE
    assert named.texts_until_idle(waiting) == ["'went on'"]
    stop = ask(vault, Action.STOP, keep_kernel=True)
    assert stop.outcome is Outcome.EFFECTIVE


def test_ctrl_c_ends_a_pause_before_a_cell(vault: VaultPaths, named: Kernel) -> None:
    """The cell that waited does not run, and its reply says what ended it."""
    pause = ask(vault, Action.PAUSE)
    waiting = named.send("ran = True")
    wait_until(
        lambda: events(vault, process_named(vault, "nb"), "cell_started")[-1]["code"] == "ran = True", "it comes"
    )
    until_it_waits_in_its_pause(vault)
    named.manager.interrupt_kernel()
    assert named.reply_to(waiting)["ename"] == "KeyboardInterrupt"
    assert wait_for_status(vault, "nb", "running").requests[pause.request_id].outcome is Outcome.INTERRUPTED
    assert named.run("'ran' in globals()").texts == ["False"]


def test_a_paused_kernel_shuts_down_at_once(vault: VaultPaths, named: Kernel) -> None:
    """The waiting checkpoint does not hold the kernel up until it is killed."""
    named.send(LOOP["sync"])
    until_cell_runs(vault)
    ask(vault, Action.PAUSE)
    named.manager.shutdown_kernel()
    # One that its pause holds up is killed in the end, and lost.
    assert wait_for_status(vault, "nb", "finished", "lost").status == "finished"


def test_no_checkpoint_puts_automatic_checkpoints_off(vault: VaultPaths, named: Kernel) -> None:
    """A transaction that spans cells: the request waits, and the place says why."""
    named.run("block = vault.no_checkpoint(); block.__enter__()")
    pause = ask(vault, Action.PAUSE, wait=None)
    assert named.run("1 + 1").texts == ["2"]
    from tablevault_ext.journal.control_block import read_control

    process = process_named(vault, "nb")
    wait_until(lambda: "no_checkpoint" in read_control(vault.control_block(process.process_id)).note, "the reason")
    assert process_named(vault, "nb").requests[pause.request_id].status == "requested"
    leaving = named.send("block.__exit__(None, None, None)")
    wait_for_status(vault, "nb", "paused")
    ask(vault, Action.RESUME)
    assert named.reply_to(leaving)["status"] == "ok"


def test_run_all_with_allow_errors_is_stopped_all_the_same(
    vault: VaultPaths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """nbclient with allow_errors goes on to the next cell, and meets the stop again."""
    give_kernels_time(tmp_path, monkeypatch)
    codes = [
        "%load_ext tablevault_ext",
        "from tablevault_ext import Vault; vault = Vault(process_name='nb')",
        LOOP["sync"],
        "open('ran.txt', 'w')",
        "open('ran.txt', 'w')",
    ]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code) for code in codes])
    nbformat.write(notebook, tmp_path / "all.ipynb")
    command = [sys.executable, "-m", "jupyter", "execute", "--allow-errors", "--kernel_name=python3", "all.ipynb"]
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as running:
        try:
            wait_until(lambda: process_named(vault, "nb"), "the notebook runs", 120)
            until_cell_runs(vault)
            ask(vault, Action.STOP, wait=None)
            running.wait(120)
        finally:
            running.kill()
    assert wait_for_status(vault, "nb", "stopped")
    assert not (tmp_path / "ran.txt").exists()
