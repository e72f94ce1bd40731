"""Links, monitors and exit signals between processes."""

from __future__ import annotations

from typing import Any

from tablevault_ext.actors import _mailbox, _signals
from tablevault_ext.actors._context import calling_pid, enter
from tablevault_ext.actors._ids import NOPROC, Pid, Ref, new_ref
from tablevault_ext.actors._process import RUNNING, Process, alive, exiting, find, on_loop_of
from tablevault_ext.actors.errors import BadArgument, NoMailbox, ProcessExit


async def link(pid: str) -> bool:
    """Link the calling process and `pid`, both ways (document: `link()`); True, as in Erlang.

    If one of the two ends abnormally, the other gets an exit signal: it ends with the same reason or, if it traps
    exits, receives ``('EXIT', from_pid, reason)``. A normal end does not break the link's other side. Linking twice
    or to oneself changes nothing. A pid that has ended gives the exit reason ``'noproc'``: a message if the caller
    traps exits, otherwise `ProcessExit` is raised and the caller ends (OTP: ``erlang:link/1``).
    """
    caller = enter()
    if pid == caller.pid:
        return True
    partner = find(pid)
    if partner is caller:
        return True
    _signals.add_link(caller, partner.pid if partner is not None else Pid(pid))
    if partner is None or not on_loop_of(partner, _signals.accept_link, partner, caller):
        _signals.signal_exit(caller, partner.pid if partner is not None else pid, NOPROC, over_link=True)
    _end_if_told(caller)
    return True


async def unlink(pid: str) -> bool:
    """Remove a link, if there is one (document: `unlink()`); no exit signal comes over it from now on.

    An ``('EXIT', pid, reason)`` message that has arrived already stays in the mailbox, as in Erlang.
    """
    caller = enter()
    partner = find(pid)
    target = partner.pid if partner is not None else pid
    if caller.links:
        caller.links.discard(Pid(target))
    if partner is not None:
        on_loop_of(partner, _signals.drop_link, partner, caller.pid)
    return True


async def monitor(pid: str) -> Ref:
    """Watch a process, a pid or a registered name, and return the ref of this monitor (document: `monitor()`).

    The caller receives ``('DOWN', ref, 'process', pid, reason)`` once, when it ends; at once and with the reason
    ``'noproc'`` if it has ended already. Each call is a monitor of its own. Raises `NoMailbox` if the caller has none.
    """
    caller = enter()
    if not caller.size:
        raise NoMailbox(f"{caller.pid} has no mailbox in which a DOWN message could arrive")
    ref = new_ref()
    if caller.watching is None:
        caller.watching = {}
    target = find(pid)
    caller.watching[ref] = target.pid if target is not None else Pid(pid)
    if target is None or not on_loop_of(target, _signals.add_monitor, target, ref, caller):
        _signals.send_down(caller, ref, caller.watching.get(ref, pid), NOPROC)
    return ref


async def demonitor(ref: str, flush: bool = False) -> bool:
    """Remove a monitor of the calling process (document: `demonitor()`); an unknown ref changes nothing.

    No DOWN arrives from now on. One that has arrived already stays, unless `flush` removes it.
    """
    caller = enter()
    pid = caller.watching.pop(Ref(ref), None) if caller.watching else None
    target = (alive.get(pid) or exiting.get(pid)) if pid is not None else None
    if target is not None:
        on_loop_of(target, _signals.forget_monitor, target, ref)
    if flush:
        _mailbox.flush_down(caller, ref)
    return True


async def exit(pid: str, reason: Any) -> bool:  # noqa: A001 - the document's name
    """Send an exit signal to a process (document: `exit()`); True, whether it still lives or not (Erlang's ``exit/2``).

    ``'normal'`` is ignored unless sent to oneself; ``'kill'`` ends it whatever it does, and its links hear
    ``'killed'``; any other reason ends it or, if it traps exits, arrives as ``('EXIT', from_pid, reason)``.
    It is no longer alive when this returns; links and monitors hear of it when its ``finally`` blocks have run.
    Sent to oneself, raises `ProcessExit`. To end the calling process without a signal, raise `ProcessExit`.
    """
    target = find(pid)
    caller = calling_pid()
    if target is None:
        doomed = exiting.get(pid)
        if doomed is not None:  # only 'kill' makes a difference now
            on_loop_of(doomed, _signals.signal_exit, doomed, caller, reason)
        return True
    on_loop_of(target, _signals.signal_exit, target, caller, reason)
    if target.pid == caller:
        _end_if_told(target)
    return True


async def process_flag(flag: str, value: Any) -> Any:
    """Set a flag of the calling process and return its old value (Erlang's ``process_flag/2``).

    The flag is ``'trap_exits'`` (Erlang's spelling ``'trap_exit'`` will do). Raises `BadArgument` for another.
    """
    caller = enter()
    if flag not in ("trap_exits", "trap_exit"):
        raise BadArgument(f"there is no process flag {flag!r}; there is 'trap_exits'")
    if value and not caller.size:
        raise BadArgument("exit signals cannot become messages of a process without a mailbox")
    old, caller.trap_exits = caller.trap_exits, bool(value)
    return old


def _end_if_told(caller: Process) -> None:
    if caller.state != RUNNING:
        raise ProcessExit(caller.reason, f"process {caller.pid} ends: {caller.reason!r}")
