"""Who is calling: the process that the running code belongs to, in a process, a notebook cell or a plain task."""

from __future__ import annotations

import asyncio
import sys
from asyncio import _get_running_loop as running_loop
from contextvars import ContextVar
from threading import get_ident
from typing import Any
from weakref import WeakKeyDictionary

from tablevault_ext.actors import _signals
from tablevault_ext.actors._ids import NORMAL
from tablevault_ext.actors._process import CELL, DEAD, RUNNING, SPAWNED, TASK, Process, alive
from tablevault_ext.actors.errors import NotInProcess, ProcessExit

DEFAULT_MAILBOX_SIZE = 100  # messages
INTERRUPT_CHECK = 0.1  # seconds


class Notebook:
    """Stands for the cells of this IPython session: they act as one process for each event loop that runs them.

    An ``await`` cell runs in a task and a context of its own, so a ContextVar set by one cell is lost to the next.
    What is set anew before every cell is therefore this object; the process behind it outlives the cells.
    """

    thread = 0

    def __init__(self) -> None:
        self._processes: WeakKeyDictionary[asyncio.AbstractEventLoop, Process] = WeakKeyDictionary()

    def process(self) -> Process | None:
        """The living process of the calling thread's cells, if they have acted as one."""
        loop = running_loop()
        if loop is None:  # a plain cell in terminal IPython runs outside the loop of the await cells
            living = [process for process in self._processes.values() if process.state == RUNNING]
            return living[0] if len(living) == 1 else None
        process = self._processes.get(loop)
        return process if process is not None and process.state == RUNNING else None

    def enter(self, loop: asyncio.AbstractEventLoop, task: asyncio.Task[Any]) -> Process:
        process = self.process()
        if process is None:
            process = self._processes[loop] = Process(loop, DEFAULT_MAILBOX_SIZE, False, None, CELL)
            alive[process.pid] = process
        if process.task is not task:
            process.task = task  # an exit signal cancels the cell that runs now
            _keep_awake(task)
        return process

    def before_cell(self, *_: object) -> None:
        current.set(self)


def _keep_awake(task: asyncio.Task[Any]) -> None:
    # ipykernel's handler of SIGINT asks the loop to cancel the cell but does not wake the loop, so a cell that waits
    # for a message that never comes would not be interrupted. A loop that wakes by itself sees the wish.
    if not task.done():
        task.get_loop().call_later(INTERRUPT_CHECK, _keep_awake, task)


class Nobody:
    """Stands for code outside every process. Its `thread` is no thread's, so the ordinary path needs no other check."""

    thread = 0


# A Process, a Notebook or a Nobody.
current: ContextVar[Any] = ContextVar("tablevault_ext_actor", default=Nobody())  # noqa: B039 - it never changes
_notebook: Notebook | None = None


def watch_notebook() -> None:
    """In IPython, have every cell know that it is one. Does nothing elsewhere, and imports nothing."""
    global _notebook
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None and hasattr(ipython, "get_ipython") else None
    if shell is None or _notebook is not None:
        return
    _notebook = Notebook()
    shell.events.register("pre_run_cell", _notebook.before_cell)
    if type(current.get()) is Nobody:  # the cell that imports us may be the first to act
        _notebook.before_cell()


def calling_pid() -> Any:
    """The pid of the process the caller belongs to, or None."""
    held = current.get()
    if type(held) is Notebook:
        held = held.process()
    if type(held) is Process and held.state != DEAD:
        return held.pid
    return None


def enter() -> Process:
    """The calling process. A cell, or an asyncio task outside every process, becomes one at its first act."""
    held = current.get()
    loop = running_loop()
    if loop is None:
        raise NotInProcess("this operation must be awaited inside a running event loop")
    if type(held) is Process and held.loop is loop:
        if held.state == RUNNING:
            held.thread = get_ident()  # a loop may be run by one thread after another
            return held
        if held.kind is SPAWNED or held.state != DEAD:
            raise ProcessExit(held.reason)
    task = asyncio.current_task()
    if task is None:
        raise NotInProcess("this operation must be awaited inside an asyncio task, not in a callback of the loop")
    if type(held) is Notebook:
        return held.enter(loop, task)
    return _adopt(loop, task)


def _adopt(loop: asyncio.AbstractEventLoop, task: asyncio.Task[Any]) -> Process:
    process = Process(loop, DEFAULT_MAILBOX_SIZE, False, None, TASK)
    process.task = task
    alive[process.pid] = process
    task.add_done_callback(lambda done: _signals.finish(process, _outcome(process, done)))
    current.set(process)
    return process


def _outcome(process: Process, task: asyncio.Task[Any]) -> object:
    if process.state != RUNNING:
        return process.reason
    if task.cancelled():
        return asyncio.CancelledError()
    # Looking at the exception would silence asyncio's own word about an error that nobody retrieves.
    return getattr(task, "_exception", None) or NORMAL
