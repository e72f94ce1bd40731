"""The seam for a host that records and controls this OS process, such as an open Vault. Private to the package.

Everything here may be called from any thread. A host

* is told of spawn, abnormal exit, register, unregister and restart: `set_event_sink`;
* pauses, resumes and stops all actors at their `receive`, which is a checkpoint: `pause`, `resume`, `stop`,
  `clear_stop`; `places` says how many have got there;
* ends one actor: `stop_actor`; and looks at all of them: `snapshot`.

>>> events = []
>>> set_event_sink(events.append)
>>> pause(); snapshot(); resume()
[]
>>> set_event_sink(None)
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from tablevault_ext.actors import _inspect, _mailbox, _signals
from tablevault_ext.actors._events import OBSERVER, ActorEvent
from tablevault_ext.actors._ids import KILL, SHUTDOWN, new_ref
from tablevault_ext.actors._process import CELL, Process, alive, everyone, must_find, on_loop_of
from tablevault_ext.actors._switch import SWITCH, release


@dataclass(frozen=True, slots=True)
class ActorSnapshot:
    """One actor at one moment; `state` is running, waiting (at its receive), paused or exiting."""

    pid: str
    name: str | None
    state: str
    mailbox_depth: int  # messages, those of blocked senders included
    links: tuple[str, ...]
    monitors: tuple[str, ...]  # pids of the processes that watch it
    restarts: int
    reductions: int
    parent: str | None
    kind: str  # process, task (a plain asyncio task that acted as one) or cell
    supervisor: bool


def set_event_sink(sink: Callable[[ActorEvent], None] | None) -> None:
    """Have `sink` called, in the thread of the actor's loop, on every event of an actor's life; None ends it."""
    OBSERVER.sink = sink


def pause() -> None:
    """Hold every actor at its next `receive`; one that waits for a message there already counts as paused."""
    with SWITCH.lock:
        SWITCH.paused = True
        SWITCH.update()


def resume() -> None:
    """Let every held actor go on; nothing was lost."""
    with SWITCH.lock:
        SWITCH.paused = False
        SWITCH.exempt = set()
        SWITCH.update()
    release()


def stop(exception: Callable[[], BaseException]) -> None:
    """Raise a fresh `exception()` at the `receive` of every actor, waiting or to come; ends a pause.

    Youngest first; a supervisor that is stopped ends its children itself, in reverse order of their start. The stop is
    sticky: an actor that swallows the exception meets it again at its next `receive`, until `clear_stop`.
    """
    with SWITCH.lock:
        SWITCH.stop = exception
        SWITCH.paused = False
        SWITCH.update()
    release()
    for process in reversed(everyone(alive)):
        on_loop_of(process, _mailbox.wake, process)


def clear_stop() -> None:
    """Take the stop back: actors that still live, and later ones, receive as usual."""
    with SWITCH.lock:
        SWITCH.stop = None
        SWITCH.update()


def places() -> tuple[int, int]:
    """How many actors wait at their `receive` (or at the gate in it), and how many are anywhere else."""
    states = [info.status for info in _inspect.everything()]
    at_receive = sum(state in ("waiting", "paused") for state in states)
    return at_receive, len(states) - at_receive


def stop_actor(pid: str, *, reason: Any = SHUTDOWN, grace: float = 5.0) -> Future[object]:
    """End one actor, in a pause too; the future gives its exit reason once it is gone.

    A supervised actor is ended by its supervisor, which then does not restart it. Any other gets an exit signal with
    `reason`; one that has not ended after `grace` seconds is killed. Raises `NoSuchProcess`.
    """
    process = must_find(pid)
    gone: Future[object] = Future()
    on_loop_of(process, _stop_one, process, reason, grace, gone)
    return gone


def _stop_one(process: Process, reason: Any, grace: float, gone: Future[object]) -> None:
    def report(ref: object, pid: object, reason: object) -> None:
        with SWITCH.lock:
            SWITCH.exempt = SWITCH.exempt - passing
        gone.set_result(reason)

    parent = alive.get(process.parent) if process.parent else None
    supervised = parent is not None and parent.supervises and parent.loop is process.loop
    passing = {process.pid, parent.pid} if supervised and parent is not None else {process.pid}
    with SWITCH.lock:
        SWITCH.exempt = SWITCH.exempt | passing
    _signals.add_monitor(process, new_ref(), report)
    release(lambda held: held.pid in passing)
    if supervised and parent is not None:
        _mailbox.push(parent, ("$gen_cast", ("terminate_pid", process.pid)))
        return
    _signals.signal_exit(process, None, reason, grace=grace)
    if process.kind is not CELL and process.trap_exits:
        process.loop.call_later(grace, _signals.signal_exit, process, None, KILL)


def snapshot() -> list[ActorSnapshot]:
    """All actors as they are now, oldest first."""
    return [
        ActorSnapshot(
            pid=info.pid,
            name=info.name,
            state=info.status,
            mailbox_depth=info.mailbox_depth,
            links=tuple(sorted(info.links)),
            monitors=tuple(pid for pid in info.monitors.values() if pid is not None),
            restarts=info.restarts,
            reductions=info.reductions,
            parent=info.parent,
            kind=info.kind,
            supervisor=info.supervisor,
        )
        for info in _inspect.everything()
    ]


__all__ = [
    "ActorEvent",
    "ActorSnapshot",
    "clear_stop",
    "pause",
    "places",
    "resume",
    "set_event_sink",
    "snapshot",
    "stop",
    "stop_actor",
]
