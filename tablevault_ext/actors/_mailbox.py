"""The mailbox of a process: what goes in, who waits at either end, what closing does."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future as ThreadFuture
from typing import Any

from tablevault_ext.actors._ids import DOWN, is_word
from tablevault_ext.actors._process import Process
from tablevault_ext.actors.errors import NoSuchProcess

NOTHING = object()
# A match function is a guard: one that does not fit the shape of a message does not match it, as in Erlang.
GUARD_FAILURES = (TypeError, LookupError, AttributeError)


class Blocked:
    """A message that waits for room, and the future its sender waits for (None: a timer, nobody waits)."""

    __slots__ = ("done", "message")

    def __init__(self, message: Any, done: asyncio.Future[None] | ThreadFuture[None] | None) -> None:
        self.message = message
        self.done = done

    def given_up(self) -> bool:
        return self.done is not None and self.done.done()

    def accepted(self) -> bool:
        """Tell the sender that its message is in; False if it gave up meanwhile."""
        if self.done is None:
            return True
        try:
            self.done.set_result(None)
        except Exception:  # InvalidStateError: cancelled, possibly by its thread just now
            return False
        return True

    def refuse(self, error: Exception) -> None:
        if self.done is not None and not self.done.done():
            try:
                self.done.set_exception(error)
            except Exception:  # cancelled by its thread just now: nobody waits for the error
                return


def wake(process: Process) -> None:
    """Let the waiting receiver look into the mailbox."""
    waiter = process.waiter
    if waiter is not None:
        process.waiter = None
        if not waiter.done():
            waiter.set_result(None)


def push(process: Process, message: Any) -> None:
    """Put a signal's message in, over the bound if need be: a full mailbox must not hide a death."""
    if process.size:
        process.open_box().append(message)
        wake(process)


def offer(process: Process, message: Any, done: asyncio.Future[None] | ThreadFuture[None] | None) -> None:
    """Put a message in, or let it wait in line for room."""
    box = process.open_box()
    entry = Blocked(message, done)
    if len(box) < process.limit:
        if entry.accepted():
            box.append(message)
    else:
        if process.senders is None:
            process.senders = deque()
        process.senders.append(entry)
    # Even one that waits for room: a selective receive may be waiting for this very message.
    wake(process)


def withdraw(process: Process, done: asyncio.Future[None]) -> None:
    """Take back a message whose sender was cancelled while it waited for room."""
    for entry in process.senders or ():
        if entry.done is done:
            process.senders.remove(entry)  # type: ignore[union-attr]
            process.reductions += 1  # positions changed: selective receives look again from the start
            return


def refill(process: Process) -> None:
    """Move waiting messages into the room that was made, in the order in which they came."""
    box, senders = process.open_box(), process.senders
    while senders and len(box) < process.limit:
        entry = senders.popleft()
        if entry.accepted():
            box.append(entry.message)
    if not senders:
        process.senders = None


def take(process: Process, match: Callable[[Any], Any] | None, start: int) -> Any:
    """The first message that matches, removed from its place, or NOTHING; those before `start` were seen before."""
    box = process.box
    if not box:
        return NOTHING
    if match is None:
        message = box.popleft()
        if process.senders:
            refill(process)
        return message
    for place in range(start, len(box)):
        if fits(match, box[place]):
            message = box[place]
            del box[place]
            if process.senders:
                refill(process)
            return message
    # The mailbox is full of other things: look at what waits for room, or nobody would ever move again.
    for entry in list(process.senders or ()):
        if not entry.given_up() and fits(match, entry.message) and entry.accepted():
            process.senders.remove(entry)  # type: ignore[union-attr]
            return entry.message
    return NOTHING


def fits(match: Callable[[Any], Any], message: Any) -> bool:
    try:
        return bool(match(message))
    except GUARD_FAILURES:
        return False


def flush_down(process: Process, ref: str) -> None:
    """Remove the DOWN message of that monitor, wherever in the mailbox it is."""
    box = process.box
    for place in range(len(box)):
        message = box[place]
        if type(message) is tuple and len(message) == 5 and message[0] is DOWN and is_word(message[1], ref):
            del box[place]
            process.reductions += 1  # positions changed: selective receives look again from the start
            if process.senders:
                refill(process)
            return


def close(process: Process) -> None:
    """Drop what is in the mailbox and tell every sender that waits for room."""
    process.box.clear()
    senders, process.senders = process.senders, None
    for entry in senders or ():
        entry.refuse(NoSuchProcess(process.pid))
