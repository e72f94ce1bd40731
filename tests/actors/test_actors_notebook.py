"""Notebook cells as a process, in a real kernel: receive, link and monitor across cells, interrupts, subshells."""

from __future__ import annotations

import os
import queue
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from jupyter_client import KernelManager
from jupyter_client.blocking import BlockingKernelClient

ROOT = Path(__file__).parents[2]
IMPORT = "from tablevault_ext import actors as process\n"
ABORTED = "aborted"


class Cells:
    """Runs cells in one kernel and returns what they printed, or fails with the error they showed."""

    def __init__(self, client: BlockingKernelClient, manager: KernelManager) -> None:
        self.client = client
        self.manager = manager

    def start(self, code: str) -> str:
        return self.client.execute(code)

    def outcome(self, message_id: str, seconds: float = 120) -> tuple[str, str]:
        """(output, error); the error is empty if the cell succeeded."""
        reply = self.reply(message_id, seconds)
        output = ""
        while True:
            message = self.client.get_iopub_msg(timeout=seconds)
            if message["parent_header"].get("msg_id") != message_id:
                continue
            if message["msg_type"] == "stream":
                output += message["content"]["text"]
            if message["msg_type"] == "status" and message["content"]["execution_state"] == "idle":
                break
        content = reply["content"]
        if content["status"] == "aborted":
            return output, ABORTED
        return output, "" if content["status"] == "ok" else f"{content.get('ename')}: {content.get('evalue')}"

    def reply(self, message_id: str, seconds: float) -> dict[str, Any]:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            message = self.client.get_shell_msg(timeout=seconds)
            if message["parent_header"].get("msg_id") == message_id:
                return message
        raise queue.Empty

    def execute(self, code: str) -> tuple[str, str]:
        """Run a cell; again if it was aborted.

        ipykernel aborts all that it finds queued after an error, also what was sent when the error's reply was there.
        """
        while True:
            output, error = self.outcome(self.start(code))
            if error != ABORTED:
                return output, error
            time.sleep(0.01)

    def run(self, code: str) -> str:
        output, error = self.execute(code)
        assert not error, error
        return output.strip()

    def fails(self, code: str) -> str:
        _, error = self.execute(code)
        assert error
        return error

    def until(self, condition: Callable[[], bool], seconds: float = 60) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline
            time.sleep(0.01)


@pytest.fixture(scope="module")
def kernel() -> Iterator[tuple[KernelManager, BlockingKernelClient]]:
    manager = KernelManager()
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    manager.kernel_cmd = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    manager.start_kernel(env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)})
    client = manager.blocking_client()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=60)
        yield manager, client
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


@pytest.fixture
def cells(kernel: tuple[KernelManager, BlockingKernelClient]) -> Iterator[Cells]:
    """A kernel without processes."""
    manager, client = kernel
    cells = Cells(client, manager)
    cells.run("%reset -f")
    yield cells
    cells.run(IMPORT + "for p in process.processes():\n    if p != process.self(): await process.exit(p, 'kill')")
    cells.outcome(cells.start("await process.exit(process.self(), 'kill')"))  # ends this very cell
    cells.until(lambda: cells.run("print(process.processes(), process.observe())") == "[] 0 actors")


def test_a_cell_is_a_process_once_it_acts_as_one(cells: Cells) -> None:
    """self() is None before, the same pid after, in await cells and in ordinary ones."""
    assert cells.run(IMPORT + "print(process.self(), process.processes())") == "None []"
    assert cells.run("import asyncio\nawait asyncio.sleep(0); print(process.self())") == "None"
    first = cells.run("await process.register('notebook'); print(process.self())")
    assert first.startswith("pid_")
    assert cells.run("print(process.self())") == first
    assert cells.run("await asyncio.sleep(0); print(process.self(), process.whereis('notebook'))") == f"{first} {first}"


def test_messages_wait_for_the_next_cell(cells: Cells) -> None:
    """send in one cell, receive in another; wait_for around the very first act is the cell, too."""
    cells.run(
        IMPORT
        + """
import asyncio
async def echo():
    while True:
        sender, message = await process.receive()
        await process.send(sender, message * 2)
try:
    await asyncio.wait_for(process.receive(), 0.01)
except TimeoutError:
    pass
pid = await process.spawn(echo, name='echo')
await process.send(pid, (process.self(), 21))
"""
    )
    assert cells.run("print(await process.receive(timeout=60))") == "42"
    cells.run("await process.send('echo', (process.self(), 'ab'))")
    assert cells.run("print(await asyncio.wait_for(process.receive(), 60))") == "abab"


def test_monitor_across_cells(cells: Cells) -> None:
    """spawn_monitor in one cell, the DOWN in a later one; spawned processes do not take themselves for the cell."""
    cells.run(
        IMPORT
        + """
async def fails():
    assert process.self() != parent
    await process.receive()
    raise ValueError('broken')
await process.process_flag('trap_exits', False)
parent = process.self()
pid, ref = await process.spawn_monitor(fails)
"""
    )
    cells.run("await process.send(pid, 'go')")
    output = cells.run("m = await process.receive(timeout=60); print(m[0], m[1] == ref, m[3] == pid, repr(m[4]))")
    assert output == "DOWN True True ValueError('broken')"


def test_a_link_ends_the_cell_that_runs_and_not_the_kernel(cells: Cells) -> None:
    """The cell that waits shows why it ended; the next one gets a new process."""
    cells.run(
        IMPORT
        + """
async def fails():
    await process.receive()
    raise ValueError('broken')
await process.register('notebook')
old = process.self()
"""
    )
    error = cells.fails("pid = await process.spawn_link(fails); await process.send(pid, 1); await process.receive()")
    assert "ValueError('broken')" in error and error.startswith("ProcessExit")
    assert cells.run("print(process.self(), process.whereis('notebook'), process.is_alive(old))") == "None None False"
    assert cells.run("await process.register('notebook'); print(process.self() not in (None, old))") == "True"


def test_a_link_that_breaks_between_cells_says_so(cells: Cells) -> None:
    """Trapping: a message. Not trapping: a warning in the kernel's log, and a new process."""
    cells.run(
        IMPORT
        + """
import asyncio
async def fails():
    await process.receive()
    raise process.ProcessExit('gone')
await process.process_flag('trap_exits', True)
pid = await process.spawn_link(fails)
await process.send(pid, 1)
"""
    )
    assert cells.run("m = await process.receive(timeout=60); print(m == ('EXIT', pid, 'gone'))") == "True"
    cells.run(
        "old = process.self(); await process.process_flag('trap_exits', False)\n"
        "pid = await process.spawn_link(fails, name='breaks')"
    )
    output = cells.run(
        "import time\nprocess.send_threadsafe\n"
        "import threading\nt = threading.Thread(target=process.send_threadsafe, args=[pid, 1]); t.start()"
    )
    cells.until(lambda: cells.run("print(process.whereis('breaks'), process.self())") == "None None")
    assert output == ""


def test_an_error_in_a_cell_leaves_its_process_alone(cells: Cells) -> None:
    """A typo does not kill what is linked to the notebook."""
    cells.run(
        IMPORT + "async def idle(): await process.receive()\npid = await process.spawn_link(idle); me = process.self()"
    )
    assert cells.fails("await process.register('x'); typo").startswith("NameError")
    assert cells.run("print(process.is_alive(pid), process.self() == me)") == "True True"


def test_interrupting_a_cell_that_awaits_receive(cells: Cells) -> None:
    """The cell ends, the kernel and the process live, no message is lost."""
    cells.run(IMPORT + "await process.register('notebook'); me = process.self()")
    waiting = cells.start("print('waiting', flush=True); await process.receive()")
    while True:
        message = cells.client.get_iopub_msg(timeout=60)
        if message["msg_type"] == "stream" and "waiting" in message["content"]["text"]:
            break
    cells.manager.interrupt_kernel()
    _, error = cells.outcome(waiting)
    assert error.startswith(("CancelledError", "KeyboardInterrupt"))
    assert cells.run("print(process.self() == me, process.processes() == [me])") == "True True"
    cells.run("await process.send('notebook', 'kept')")
    assert cells.run("print(await process.receive(timeout=60))") == "kept"


def test_actors_run_between_cells_and_survive_interrupts(cells: Cells) -> None:
    """An actor goes on while no cell runs; interrupting an idle kernel does not touch it."""
    cells.run(
        IMPORT
        + """
import asyncio
ticks = []
async def clock():
    while True:
        ticks.append(1)
        await asyncio.sleep(0.005)
pid = await process.spawn(clock)
"""
    )
    before = int(cells.run("print(len(ticks))"))
    cells.manager.interrupt_kernel()
    cells.until(lambda: int(cells.run("print(len(ticks))")) > before + 3)
    assert cells.run("print(process.is_alive(pid))") == "True"


def test_what_an_actor_raises_does_not_end_the_kernel(cells: Cells) -> None:
    """SystemExit, KeyboardInterrupt and a stop in an actor are its own end."""
    cells.run(
        IMPORT
        + """
class Stop(BaseException): pass
async def raises(error): raise error
reasons = []
for error in (SystemExit(3), KeyboardInterrupt(), Stop()):
    pid, ref = await process.spawn_monitor(raises, [error])
    reasons.append((await process.receive(timeout=60))[4] is error)
"""
    )
    assert cells.run("print(reasons)") == "[True, True, True]"


def test_supervisors_and_servers_in_cells(cells: Cells) -> None:
    """Started in one cell, used in the next; the cell that linked to it may end it, being its parent."""
    cells.run(
        IMPORT
        + """
class Counter(process.GenServer):
    async def init(self): self.value = 0
    async def handle_call(self, request, from_):
        self.value += 1
        return self.value
    async def handle_cast(self, request): raise ValueError('told to')
top = await process.supervisor.start_link([process.ChildSpec('counter', Counter, name='counter')])
"""
    )
    assert cells.run("print(await process.gen_server.call('counter', 'next'))") == "1"
    assert cells.run("print(await process.gen_server.call('counter', 'next'))") == "2"
    cells.run("old = process.whereis('counter'); await process.gen_server.cast('counter', 'crash')")
    cells.until(lambda: cells.run("print(process.whereis('counter') not in (None, old))") == "True")
    assert cells.run("print(await process.gen_server.call('counter', 'next'))") == "1"
    cells.run("await process.exit(top, 'shutdown')")
    cells.until(lambda: cells.run("print(process.whereis('counter'))") == "None")


def test_the_documents_examples_in_cells(cells: Cells) -> None:
    """The worker pool and the monitor pattern with top-level await."""
    cells.run(
        IMPORT
        + """
done = []
async def worker_func():
    while True:
        done.append(await process.receive())
work = list(range(25))
async def risky_operation():
    raise ValueError('risky')
def handle_failure(reason):
    return f'failed: {reason!r}'
"""
    )
    blocks = (Path(__file__).with_name("document_examples.md")).read_text(encoding="utf-8").split("```")
    pool = next(block for block in blocks if "# Spawn worker pool" in block).removeprefix("python\n")
    pattern = next(block for block in blocks if "def monitored_operation" in block).removeprefix("python\n")
    cells.run(pool)
    cells.until(lambda: cells.run("print(sorted(done) == work)") == "True")
    cells.run(pattern)
    assert cells.run("print(await monitored_operation())") == "failed: ValueError('risky')"


def test_observe_shows_itself_as_a_tree(cells: Cells) -> None:
    """The last expression of a cell is enough."""
    cells.run(IMPORT + "async def idle(): await process.receive()\nawait process.register('notebook')")
    cells.run("await process.spawn(idle, name='kid')")
    output = cells.run("print(process.observe())")
    assert "notebook (" in output and "kid (" in output and "2 actors" in output


def test_cells_of_a_subshell_are_a_process_of_their_own(cells: Cells) -> None:
    """Two cells that really run at once, in two threads, do not share a mailbox; they can talk to each other."""
    request = cells.client.session.msg("create_subshell_request", {})
    cells.client.control_channel.send(request)
    while True:
        answer = cells.client.get_control_msg(timeout=60)
        if answer["parent_header"].get("msg_id") == request["header"]["msg_id"]:
            break
    subshell = answer["content"]["subshell_id"]
    cells.run(IMPORT + "await process.register('main shell')")
    waiting = cells.start("print((await process.receive(timeout=60)) == process.whereis('subshell'))")
    other = cells.client.session.msg(
        "execute_request",
        {
            "code": "import asyncio\nawait process.register('subshell')\n"
            "await process.send('main shell', process.self())",
            "silent": False,
            "store_history": False,
            "user_expressions": {},
            "allow_stdin": False,
        },
    )
    other["header"]["subshell_id"] = subshell
    cells.client.shell_channel.send(other)
    output, error = cells.outcome(waiting)
    assert (output.strip(), error) == ("True", "")
    assert cells.run("print(process.self() == process.whereis('main shell'))") == "True"
