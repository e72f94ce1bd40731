"""Exit signals, links, monitors and the end of a process: OTP's rules, run where the process lives."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

from tablevault_ext.actors import _mailbox, _process
from tablevault_ext.actors._events import emit
from tablevault_ext.actors._ids import (
    DOWN,
    EXIT,
    KILL,
    KILLED,
    NOCONNECTION,
    NOPROC,
    NORMAL,
    PROCESS,
    Pid,
    Ref,
    is_orderly,
    is_word,
)
from tablevault_ext.actors._process import (
    CELL,
    DEAD,
    EXITING,
    RUNNING,
    SPAWNED,
    Process,
    alive,
    exiting,
    on_loop_of,
    release_name,
)
from tablevault_ext.actors.errors import ProcessExit

log = logging.getLogger("tablevault_ext.actors")

# Seconds that the `finally` blocks of a process have when it is told to exit; then it is treated as killed.
EXIT_GRACE = 3.0
# A killed process gets its cancellation this many times, this many seconds apart; then it is declared dead.
KILL_TRIES, KILL_PAUSE = 5, 0.1

# Tasks that swallow every cancellation. Without a reference the collector would complain about them once more.
_abandoned: set[asyncio.Task[Any]] = set()


def signal_exit(
    process: Process, sender: Any, reason: object, over_link: bool = False, grace: float | None = EXIT_GRACE
) -> None:
    """An exit signal arrives at the process: the table of OTP's exit rules."""
    killing = is_word(reason, KILL) and not over_link
    if process.state == EXITING and killing:
        process.reason = KILLED
        _cancel(process)
        _insist(process, KILL_TRIES)
    if process.state != RUNNING:
        return
    if over_link:
        if not process.links or sender not in process.links:
            return  # unlinked while the signal was on its way
        process.links.discard(sender)
    if killing:
        begin_exit(process, KILLED, KILL_PAUSE, sender)
    elif process.trap_exits:
        _mailbox.push(process, (EXIT, sender, reason))
    elif not is_word(reason, NORMAL) or sender == process.pid:
        begin_exit(process, reason, grace, sender)


def begin_exit(process: Process, reason: object, grace: float | None, sender: object = None) -> None:
    """Take the process out of every table and let its code unwind; links and monitors hear of it afterwards."""
    process.state = EXITING
    process.reason = reason
    _retire(process)
    if process.kind is CELL:
        _end_cell(process, sender)
        return
    exiting[process.pid] = process
    if grace is not None:
        process.reaper = process.loop.call_later(grace, _insist, process, KILL_TRIES)
    _cancel(process)


def _cancel(process: Process) -> None:
    # The task that runs right now is ended by the operation it called, which raises ProcessExit.
    if process.task is not None and not process.task.done() and process.task is not _current_task():
        process.task.cancel(f"process {process.pid} was told to exit: {process.reason!r}")


def _current_task() -> asyncio.Task[Any] | None:
    try:
        return asyncio.current_task()
    except RuntimeError:
        return None


def _end_cell(process: Process, sender: object) -> None:
    running = process.task is not None and not process.task.done()
    if not running:
        log.warning(
            "the process of this notebook's cells (%s) was ended by %s: %r. The next cell that acts as a process"
            " gets a new one, with an empty mailbox",
            process.pid,
            sender,
            process.reason,
        )
    _cancel(process)
    finish(process, process.reason)


def _insist(process: Process, tries: int) -> None:
    if process.state != EXITING:
        return
    if process.reaper is not None:
        process.reaper.cancel()
    if tries == 0:
        log.error(
            "process %s (%s) swallows every cancellation; it is declared dead with reason %r, but its code still runs",
            process.pid,
            process.name,
            process.reason,
        )
        if process.task is not None:
            _abandoned.add(process.task)
            process.task.add_done_callback(_abandoned.discard)
        finish(process, process.reason)
        return
    if tries == KILL_TRIES and not is_word(process.reason, KILLED):
        log.warning("process %s did not end within its grace: killing it", process.pid)
    _cancel(process)
    process.reaper = process.loop.call_later(KILL_PAUSE, _insist, process, tries - 1)


def _retire(process: Process) -> None:
    process.thread = 0
    alive.pop(process.pid, None)
    release_name(process)
    _mailbox.close(process)


def finish(process: Process, reason: object) -> None:
    """The process is gone: tell its links, its monitors and the observer, and forget it."""
    if process.state == DEAD:
        return
    if process.state == RUNNING:
        _retire(process)
    exiting.pop(process.pid, None)
    process.state = DEAD
    process.reason = reason
    if process.reaper is not None:
        process.reaper.cancel()
        process.reaper = None
    if not is_orderly(reason):
        emit("exit", process, reason)
        _report(process, reason)
    if process.links or process.monitors or process.watching:
        _tell(process, reason)


def _tell(process: Process, reason: object) -> None:
    links, process.links = process.links, None
    for pid in links or ():
        partner = alive.get(pid)
        if partner is not None:
            on_loop_of(partner, signal_exit, partner, process.pid, reason, True)
    monitors, process.monitors = process.monitors, None
    for ref, watcher in (monitors or {}).items():
        send_down(watcher, ref, process.pid, reason)
    watching, process.watching = process.watching, None
    for ref, pid in (watching or {}).items():
        target = alive.get(pid) or exiting.get(pid)
        if target is not None:
            on_loop_of(target, forget_monitor, target, ref)


def _report(process: Process, reason: object) -> None:
    """Log the error that ended a process if nobody is there who would hear of it (OTP's crash report)."""
    if process.kind is not SPAWNED or not isinstance(reason, Exception):
        return
    listeners = [alive.get(pid) for pid in process.links or ()]
    if process.monitors or any(partner is not None and partner.trap_exits for partner in listeners):
        return
    log.error("process %s (%s) ended with an error", process.pid, process.name or "no name", exc_info=reason)


def bury(process: Process) -> None:
    """The loop of the process was closed under it: to everybody else it is a node that went down."""
    # Whoever removes it from its table does the rest: several threads may find it at once.
    if alive.pop(process.pid, None) is None and exiting.pop(process.pid, None) is None:
        return
    if process.task is not None:
        process.task._log_destroy_pending = False  # type: ignore[attr-defined]
    process.reaper = None  # its loop will not run it
    finish(process, NOCONNECTION)
    process.task = None


_process.bury = bury


# Links. Each side keeps its own half; a signal carries the change to the other side.


def add_link(process: Process, partner: Pid) -> None:
    if process.links is None:
        process.links = set()
    process.links.add(partner)


def drop_link(process: Process, partner: Pid) -> None:
    if process.links:
        process.links.discard(partner)


def accept_link(process: Process, caller: Process) -> None:
    """The other half of a link is to be made; a process that has ended answers ``noproc``."""
    if process.state == RUNNING:
        add_link(process, caller.pid)
    else:
        on_loop_of(caller, signal_exit, caller, process.pid, NOPROC, True)


# Monitors. The watcher knows the ref and the pid, the watched one the ref and the watcher.


def add_monitor(process: Process, ref: Ref, watcher: Process | Callable[[Ref, Any, object], None]) -> None:
    if process.state != RUNNING:
        send_down(watcher, ref, process.pid, NOPROC)
        return
    if process.monitors is None:
        process.monitors = {}
    process.monitors[ref] = watcher


def forget_monitor(process: Process, ref: Ref) -> None:
    if process.monitors:
        process.monitors.pop(ref, None)


def send_down(watcher: Process | Callable[[Ref, Any, object], None], ref: Ref, pid: Any, reason: object) -> None:
    if isinstance(watcher, Process):
        on_loop_of(watcher, _arrive_down, watcher, ref, pid, reason)
    else:
        watcher(ref, pid, reason)


def _arrive_down(watcher: Process, ref: Ref, pid: Any, reason: object) -> None:
    if watcher.watching and watcher.watching.pop(ref, None) is not None:
        _mailbox.push(watcher, (DOWN, ref, PROCESS, pid, reason))


def reason_of(process: Process, error: BaseException) -> object:
    """The exit reason that an exception out of the function of a process amounts to."""
    if process.state == EXITING:
        if not isinstance(error, asyncio.CancelledError):
            log.error("process %s failed while it was ending: %r", process.pid, error, exc_info=error)
        return process.reason
    if isinstance(error, ProcessExit):
        return error.reason
    trace = error.__traceback__
    return error.with_traceback(trace.tb_next if trace is not None else None)  # without our own frame
