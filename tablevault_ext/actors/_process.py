"""The record of one process, and the tables in which processes and their names are found."""

from __future__ import annotations

import asyncio
import os
import threading
import weakref
from asyncio import _get_running_loop as running_loop
from collections import deque
from collections.abc import Callable
from threading import get_ident
from typing import Any

from tablevault_ext.actors._ids import Pid, Ref, new_pid
from tablevault_ext.actors.errors import BadArgument, NameTaken, NoMailbox, NoSuchProcess

RUNNING, EXITING, DEAD = 0, 1, 2
SPAWNED, TASK, CELL = "process", "task", "cell"

NO_BOX: deque[Any] = deque(maxlen=0)


class Process:
    """One process. Only the thread of `loop` changes it; other threads may read single attributes."""

    __slots__ = (
        "box",
        "kind",
        "limit",
        "links",
        "loop",
        "monitors",
        "name",
        "parent",
        "pid",
        "reaper",
        "reason",
        "receivers",
        "reductions",
        "restarts",
        "senders",
        "size",
        "state",
        "supervises",
        "task",
        "terminating",
        "thread",
        "trap_exits",
        "waiter",
        "watching",
    )

    def __init__(
        self, loop: asyncio.AbstractEventLoop, size: int, trap_exits: bool, parent: Pid | None, kind: str
    ) -> None:
        if loop is not _latest_loop():
            _notice_loop(loop)
        self.pid = new_pid()
        self.loop = loop
        self.thread = get_ident()  # the one that runs the loop; 0 once the process has ended
        self.kind = kind
        self.parent = parent
        self.trap_exits = trap_exits
        self.size = size  # of the mailbox, in messages; 0: it has none
        self.state = RUNNING
        self.reductions = 0
        self.restarts = 0
        self.supervises = False
        self.terminating = False
        # All of the following are made when first needed: 100,000 idle processes should cost little.
        self.box: deque[Any] = NO_BOX
        self.limit = 0  # becomes `size` with the first use of the mailbox, so that `send` need not ask whether it is
        self.waiter: asyncio.Future[Any] | None = None
        self.receivers: deque[asyncio.Future[Any]] | None = None
        self.senders: deque[Any] | None = None
        self.task: asyncio.Task[Any] | None = None
        self.name: str | None = None
        self.links: set[Pid] | None = None
        self.monitors: dict[Ref, Any] | None = None
        self.watching: dict[Ref, Pid] | None = None
        self.reason: object = None
        self.reaper: asyncio.Handle | None = None

    def open_box(self) -> deque[Any]:
        """The mailbox, made now if this is its first use."""
        if self.box is NO_BOX:
            if not self.size:
                raise NoMailbox(f"{self.pid} was spawned with mailbox=False: it cannot receive messages")
            self.box = deque()
            self.limit = self.size
        return self.box


alive: dict[str, Process] = {}
exiting: dict[str, Process] = {}
names: dict[str, Process] = {}
# A name is claimed by one process at a time, whichever thread its loop runs in.
names_lock = threading.Lock()

# What to do with processes whose loop was closed under them; set by _signals, which lies above this module.
bury: Callable[[Process], None] = lambda process: None  # noqa: E731


def _forget_parents_processes() -> None:
    # The loops of the parent do not run in a forked child, so its processes do not live here.
    global names_lock
    alive.clear()
    exiting.clear()
    names.clear()
    names_lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_parents_processes)


_latest_loop: Callable[[], asyncio.AbstractEventLoop | None] = lambda: None  # noqa: E731


def _notice_loop(loop: asyncio.AbstractEventLoop) -> None:
    # A new loop often means that an old one was closed; `send` does not ask, so its processes are buried now.
    global _latest_loop
    _latest_loop = weakref.ref(loop)
    everyone(alive)
    everyone(exiting)


def find(target: object) -> Process | None:
    """The living process with that pid or registered name."""
    process = alive.get(target) or names.get(target)  # type: ignore[call-overload]
    if process is None:
        return None
    return None if bury_if_lost(process) else process


def must_find(target: object) -> Process:
    process = find(target)
    if process is None:
        raise NoSuchProcess(target)
    return process


def everyone(table: dict[str, Process]) -> list[Process]:
    """The living processes of a table, safe to call from any thread while others come and go."""
    while True:
        try:
            found = list(table.values())
            break
        except RuntimeError:  # resized by another thread while it was copied
            continue
    return [process for process in found if not bury_if_lost(process)]


def bury_if_lost(process: Process) -> bool:
    """Whether the loop of the process was closed under it, in which case it is dead from now on."""
    if not process.loop.is_closed():
        return False
    bury(process)
    return True


def claim_name(name: str, process: Process) -> None:
    """Give the process its name, or refuse: a name is never stolen, and a process has at most one."""
    if not isinstance(name, str) or not name or name.startswith("pid_"):
        raise BadArgument(f"{name!r} is no name for a process: a non-empty string that does not start with 'pid_'")
    find(name)  # a holder whose loop was closed makes way
    with names_lock:
        holder = names.get(name)
        if holder is not None:
            raise NameTaken(f"the name {name!r} belongs to {holder.pid}; unregister it there first")
        if process.name is not None:
            raise BadArgument(f"{process.pid} is already registered as {process.name!r}; it keeps that name")
        names[name] = process
        process.name = name


def release_name(process: Process) -> None:
    with names_lock:
        if process.name is not None and names.get(process.name) is process:
            del names[process.name]


def on_loop_of(process: Process, action: Callable[..., None], *args: Any) -> bool:
    """Run the action where the process lives: now if that is here, soon otherwise. False: its loop is gone."""
    if process.loop is running_loop():
        action(*args)
        return True
    try:
        process.loop.call_soon_threadsafe(action, *args)
    except RuntimeError:  # the loop is closed
        bury(process)
        return False
    return True
