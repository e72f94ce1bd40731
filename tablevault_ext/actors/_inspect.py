"""Looking at processes: `process_info` for one, `observe` for the tree of all. Safe from every thread."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from tablevault_ext.actors import _context
from tablevault_ext.actors._ids import Pid
from tablevault_ext.actors._process import CELL, EXITING, Process, alive, everyone, exiting, find
from tablevault_ext.actors._switch import SWITCH

T = TypeVar("T")


class ProcessInfo(dict[str, Any]):
    """What is known of one process; every key is an attribute as well: ``info["links"]`` or ``info.links``.

    The document's fields: `pid`, `task` (asyncio.Task), `mailbox` (list of waiting messages; None without mailbox),
    `name`, `links` (set of pids), `monitors` (ref → pid of the watcher), `trap_exits`. And: `mailbox_depth` and
    `mailbox_size` (messages), `blocked_senders`, `monitoring` (ref → watched pid), `status` (running, waiting, paused
    or exiting), `kind` (process, task, cell), `parent`, `restarts`, `reductions` (receives), `supervisor` (bool).
    """

    def __getattr__(self, field: str) -> Any:
        try:
            return self[field]
        except KeyError:
            raise AttributeError(f"a process has no field {field!r}; there are {', '.join(self)}") from None

    def line(self) -> str:
        """The process in one line, as `observe` shows it."""
        depth = "no mailbox" if self.mailbox is None else f"mailbox {self.mailbox_depth}/{self.mailbox_size}"
        parts = [self.pid if self.name is None else f"{self.name} ({self.pid})", self.status, depth]
        parts += [f"{self.blocked_senders} blocked senders"] if self.blocked_senders else []
        parts += [f"links {len(self.links)}"] if self.links else []
        parts += [f"monitored by {len(self.monitors)}"] if self.monitors else []
        parts += [f"monitors {len(self.monitoring)}"] if self.monitoring else []
        parts += [f"restarts {self.restarts}"] if self.restarts else []
        parts += ["traps exits"] if self.trap_exits else []
        return " · ".join([*parts, f"reductions {self.reductions}"])


class Observation:
    """All processes at one moment; shows as a tree of who spawned whom. `processes` holds the `ProcessInfo`s."""

    def __init__(self, infos: Iterable[ProcessInfo]) -> None:
        self.processes = list(infos)

    def __len__(self) -> int:
        return len(self.processes)

    def __str__(self) -> str:
        children: dict[str | None, list[ProcessInfo]] = {}
        known = {info.pid for info in self.processes}
        for info in self.processes:
            children.setdefault(info.parent if info.parent in known else None, []).append(info)
        lines = [f"{len(self)} actor{'' if len(self) == 1 else 's'}"]
        # A stack, not recursion: each process may have spawned the next.
        waiting = [(info, "", last) for info, last in _with_last(children.get(None, []))][::-1]
        while waiting:
            info, indent, last = waiting.pop()
            lines.append(f"{indent}{'└─ ' if last else '├─ '}{info.line()}")
            below = indent + ("   " if last else "│  ")
            waiting += [(child, below, end) for child, end in _with_last(children.get(info.pid, []))][::-1]
        return "\n".join(lines)

    __repr__ = __str__


def process_info(pid: str | None = None) -> ProcessInfo | None:
    """What is known of a process, by default the calling one; None if it is gone (Erlang's ``process_info/1``).

    >>> async def main():
    ...     await register("me")
    ...     await send("me", "hello")
    ...     return process_info().mailbox
    """
    target = _context.calling_pid() if pid is None else pid
    process = find(target) or exiting.get(target)
    return None if process is None else describe(process)


def observe() -> Observation:
    """All processes as a tree, with status, mailbox depth, links, monitors and reductions. Print it or look into it."""
    return Observation(everything())


def everything() -> list[ProcessInfo]:
    return [describe(process) for process in [*everyone(alive), *everyone(exiting)]]


def describe(process: Process) -> ProcessInfo:
    senders = process.senders
    box = process.box
    return ProcessInfo(
        pid=process.pid,
        task=process.task,
        mailbox=_steady(lambda: list(box)) if process.size else None,
        name=process.name,
        links=_steady(lambda: set(process.links or ())),
        monitors=_steady(lambda: {ref: _watcher(watcher) for ref, watcher in dict(process.monitors or {}).items()}),
        trap_exits=process.trap_exits,
        mailbox_depth=len(box) + len(senders or ()),
        mailbox_size=process.size,
        blocked_senders=len(senders or ()),
        monitoring=_steady(lambda: dict(process.watching or {})),
        status=_status(process),
        kind=process.kind,
        parent=process.parent,
        restarts=process.restarts,
        reductions=process.reductions,
        supervisor=process.supervises,
    )


def _status(process: Process) -> str:
    if process.state == EXITING:
        return "exiting"
    at_receive = process.waiter is not None
    if SWITCH.paused and process.pid not in SWITCH.exempt:
        with SWITCH.lock:
            at_gate = process in SWITCH.held.values()
        if at_receive or at_gate:
            return "paused"
    if process.kind is CELL and (process.task is None or process.task.done()):
        return "waiting"  # between two cells
    return "waiting" if at_receive else "running"


def _watcher(watcher: Any) -> Pid | None:
    return watcher.pid if isinstance(watcher, Process) else None  # None: a call that waits for its reply


def _steady(copy: Callable[[], T]) -> T:
    """The copy of something that the process's own thread may change meanwhile."""
    while True:
        try:
            return copy()
        except RuntimeError:
            continue


def _with_last(infos: list[ProcessInfo]) -> list[tuple[ProcessInfo, bool]]:
    return [(info, place == len(infos) - 1) for place, info in enumerate(infos)]
