"""Tracing of messages: who sent what to whom, and who took it out of its mailbox."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any, NamedTuple

from tablevault_ext.actors._context import calling_pid
from tablevault_ext.actors._process import Process, must_find
from tablevault_ext.actors._switch import SWITCH

log = logging.getLogger("tablevault_ext.actors")


class TraceEvent(NamedTuple):
    """One step of a message: `kind` is 'send' or 'receive'; `at` is in seconds since the epoch."""

    kind: str
    sender: str | None  # None where it is not known: outside a process, in a timer, in another thread, on receive
    receiver: str
    message: Any
    at: float

    def __str__(self) -> str:
        clock = time.strftime("%H:%M:%S", time.localtime(self.at))
        arrow = f"{self.sender or 'outside'} → {self.receiver}" if self.kind == "send" else f"{self.receiver} ←"
        return f"[{clock}] {arrow} {self.message!r}"


class Trace:
    """A running trace; ends with `stop()` or at the end of its ``with`` block."""

    def __init__(self, pid: str | None, to: Callable[[TraceEvent], object]) -> None:
        self.pid = pid
        self.to = to

    def stop(self) -> None:
        """End the trace; harmless if it has ended already."""
        with SWITCH.lock:
            SWITCH.traces = tuple(trace for trace in SWITCH.traces if trace is not self)
            SWITCH.update()

    def __enter__(self) -> Trace:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def trace(target: str | None = None, to: Callable[[TraceEvent], object] = print) -> Trace:
    """Show every message that is sent to, sent by or received by `target`, a pid or a name (None: by anybody).

    `to` is called with each `TraceEvent`, at once, in the thread of the loop; what it raises is logged. Raises
    `NoSuchProcess` for an unknown target. Compare Erlang's ``erlang:trace/3`` with the flags send and receive.

    >>> events = []
    >>> async def main():
    ...     await register("me")
    ...     with trace(to=events.append):
    ...         await send("me", "hello")
    ...     return [event.kind for event in events]
    """
    started = Trace(None if target is None else must_find(target).pid, to)
    with SWITCH.lock:
        SWITCH.traces = (*SWITCH.traces, started)
        SWITCH.update()
    return started


def note_sent(process: Process, message: Any) -> None:
    if SWITCH.traces:
        _note(TraceEvent("send", calling_pid(), process.pid, message, time.time()))


def note_received(process: Process, message: Any) -> None:
    if SWITCH.traces:
        _note(TraceEvent("receive", None, process.pid, message, time.time()))


def _note(event: TraceEvent) -> None:
    for running in SWITCH.traces:
        if running.pid is None or running.pid in (event.sender, event.receiver):
            try:
                running.to(event)
            except Exception:
                log.exception("a trace function failed")
