"""Timers: a message later."""

from __future__ import annotations

import asyncio
from asyncio import _get_running_loop as running_loop
from typing import Any

from tablevault_ext.actors import _mailbox
from tablevault_ext.actors._ids import Ref, new_ref
from tablevault_ext.actors._process import RUNNING, Process, find, on_loop_of
from tablevault_ext.actors._switch import SWITCH
from tablevault_ext.actors._tracing import note_sent
from tablevault_ext.actors.errors import BadArgument, NotInProcess

# The time a timer is due is kept here, in seconds of its loop's clock: uvloop's handles do not tell it reliably.
_timers: dict[str, tuple[asyncio.AbstractEventLoop, float, asyncio.TimerHandle]] = {}


async def send_after(delay: float, target: str, message: Any) -> Ref:
    """Send a message `delay` seconds from now to a pid or name and return the timer's ref (Erlang's ``send_after/3``).

    The target is looked up when the time has come; if it is gone, nothing happens. A full mailbox delays the message.
    Raises `BadArgument` for a negative delay.

    >>> async def main():
    ...     await register("me")
    ...     await send_after(0.01, "me", "wake up")
    ...     return await receive()
    """
    loop = running_loop()
    if loop is None:
        raise NotInProcess("send_after must be awaited inside a running event loop")
    if not delay >= 0:
        raise BadArgument(f"a delay is a number of seconds, 0 or more, not {delay!r}")
    _forget_lost_timers()
    ref = new_ref()
    due = loop.time() + delay
    _timers[ref] = loop, due, loop.call_at(due, _fire, ref, target, message)
    return ref


async def cancel_timer(ref: str) -> float | None:
    """Cancel a timer; the seconds it had left, or None if it had gone off or was never there."""
    left = read_timer(ref)
    timer = _timers.pop(ref, None)
    if left is None or timer is None:
        return None
    loop, _, handle = timer
    if loop is running_loop():
        handle.cancel()
    else:
        loop.call_soon_threadsafe(handle.cancel)
    return left


def read_timer(ref: str) -> float | None:
    """The seconds until a timer goes off, or None if it has gone off, was cancelled or was never there."""
    timer = _timers.get(ref)
    if timer is None or timer[0].is_closed():
        return None
    loop, due, _ = timer
    return max(due - loop.time(), 0.0)


def _fire(ref: str, target: str, message: Any) -> None:
    _timers.pop(ref, None)
    process = find(target)
    if process is not None and process.size:
        on_loop_of(process, _deliver, process, message)


def _deliver(process: Process, message: Any) -> None:
    if process.state == RUNNING:
        if SWITCH.on:
            note_sent(process, message)
        _mailbox.offer(process, message, None)


def _forget_lost_timers() -> None:
    # Timers of a closed loop never fire. Looked for now and then, so that a new timer costs O(1) on the whole.
    global _forget_at
    if len(_timers) >= _forget_at:
        for ref, (loop, _, _) in list(_timers.items()):
            if loop.is_closed():
                _timers.pop(ref, None)
        _forget_at = max(2 * len(_timers), 1000)


_forget_at = 1000
