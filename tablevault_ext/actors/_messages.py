"""`send` and `receive`. The ordinary path takes no lock and makes no future; what is rare lives in the lower half."""

from __future__ import annotations

import asyncio
import inspect
from asyncio import CancelledError
from asyncio import _get_running_loop as running_loop
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future as ThreadFuture
from threading import get_ident
from typing import Any

from tablevault_ext.actors import _mailbox
from tablevault_ext.actors._context import current, enter
from tablevault_ext.actors._mailbox import NOTHING, refill
from tablevault_ext.actors._process import DEAD, EXITING, RUNNING, Process, alive, bury_if_lost, must_find
from tablevault_ext.actors._switch import SWITCH, pass_gate
from tablevault_ext.actors._tracing import note_received, note_sent
from tablevault_ext.actors.errors import NoMailbox, NoSuchProcess, NotInProcess, ProcessExit

# How often, in seconds, a sender that waits for another loop looks whether that loop still exists.
LOST_LOOP_CHECK = 1.0


async def send(target: str, message: Any) -> None:
    """Send a message, any object, to a pid or a registered name (document: `send()`).

    Returns as soon as the message is in the mailbox; waits while the mailbox is full. A process that sends to itself
    never waits. The message is not copied. The target may live in the loop of another thread.

    Raises `NoSuchProcess` if there is no such process, or if it ends while the sender waits for room, and `NoMailbox`
    if it was spawned with ``mailbox=False``.

    >>> async def main():
    ...     await register("me")
    ...     await send("me", "hello")
    ...     return await receive()
    """
    try:
        process = alive[target]
    except KeyError:
        process = must_find(target)
    # Asking for the thread costs 20 ns, for the running loop (which asks the kernel for the pid) ten times as much.
    if process.thread != get_ident() or SWITCH.on:
        await _send_with_care(process, message)
        return
    box = process.box
    if len(box) < process.limit:
        box.append(message)
        waiter = process.waiter
        if waiter is not None:
            process.waiter = None
            if not waiter.done():
                try:
                    waiter.set_result(None)
                except RuntimeError:  # the loop was closed, and another one runs in its thread
                    bury_if_lost(process)
                    raise NoSuchProcess(target) from None
    else:
        await _send_here(process, message)


async def receive(timeout: float | None = None, match: Callable[[Any], Any] | None = None) -> Any:
    """Take the next message out of the mailbox of the calling process (document: `receive()`).

    Waits until there is one, at most `timeout` seconds (0: only what is there now); then raises `TimeoutError`.
    With `match`, a function of one message, takes the first message for which it is true and leaves the others in
    their order; as with an Erlang guard, a message whose shape the function does not expect (TypeError,
    LookupError, AttributeError) does not match. Raises `NoMailbox` in a process spawned with ``mailbox=False``.

    >>> async def main():
    ...     await register("me")
    ...     await send("me", "noise")
    ...     await send("me", ("reply", 42))
    ...     return await receive(timeout=1, match=lambda message: message[0] == "reply")
    """
    process = current.get()
    if process.thread != get_ident():  # which is true of Nobody, of a notebook and of a process that has ended, too
        process = await _enter(process)
    done = process.reductions = process.reductions + 1
    # A process that always finds a message lets the others run every 1,024 messages (BEAM: every 4,000 reductions).
    if not done & 1023:
        await asyncio.sleep(0)
    if timeout is not None or match is not None or SWITCH.on:
        return await _receive_when(process, timeout, match)
    while not (box := process.box):
        if process.waiter is not None or not process.size:
            return await _receive_when(process, timeout, match)
        waiter = process.waiter = process.loop.create_future()
        try:
            await waiter
        except CancelledError:
            _raise_exit(process)
            raise
        finally:
            if process.waiter is waiter:
                process.waiter = None
            if process.receivers:
                _wake_receivers(process)
        if SWITCH.on:
            return await _receive_when(process, timeout, match)
    if process.senders is None:
        return box.popleft()
    message = box.popleft()
    refill(process)
    return message


async def _receive_when(process: Process, timeout: float | None, match: Callable[[Any], Any] | None) -> Any:
    if match is not None and (not callable(match) or inspect.iscoroutinefunction(match)):
        raise TypeError(f"match must be an ordinary function of one message, not {match!r}")
    if not process.size:
        process.open_box()  # raises NoMailbox
    if SWITCH.on:
        await pass_gate(process)
    loop = process.loop
    message = _mailbox.take(process, match, 0)
    if message is NOTHING and timeout is not None and timeout <= 0:
        await asyncio.sleep(0)  # a loop that polls must not keep everybody else from running
        message = _mailbox.take(process, match, 0)
        if message is NOTHING:
            raise TimeoutError("no such message in the mailbox")
    deadline = None if timeout is None else loop.time() + timeout
    seen, taken = len(process.box), process.reductions
    while message is NOTHING:
        if await _wait(process, deadline):
            message = _mailbox.take(process, match, 0)
            if message is NOTHING:
                raise TimeoutError(f"no such message within {timeout} s")
            break
        if SWITCH.on:
            await pass_gate(process)
        # Only messages that came since need a look, unless somebody took one from under us.
        message = _mailbox.take(process, match, seen if process.reductions == taken else 0)
        seen, taken = len(process.box), process.reductions
    process.reductions += 1
    if SWITCH.on:
        note_received(process, message)
    return message


async def _wait(process: Process, deadline: float | None) -> bool:
    """Wait for a change of the mailbox; True if the deadline came first."""
    loop = process.loop
    waiter = loop.create_future()
    if process.waiter is None:
        process.waiter = waiter
    else:  # a second receive in the same process: both look whenever something comes
        if process.receivers is None:
            process.receivers = deque()
        process.receivers.append(waiter)
    timer = None if deadline is None else loop.call_at(deadline, _expire, waiter)
    try:
        return bool(await waiter)
    except CancelledError:
        _raise_exit(process)
        raise
    finally:
        if timer is not None:
            timer.cancel()
        if process.waiter is waiter:
            process.waiter = None
        if process.receivers:
            if waiter in process.receivers:
                process.receivers.remove(waiter)
            _wake_receivers(process)


def _expire(waiter: asyncio.Future[Any]) -> None:
    if not waiter.done():
        waiter.set_result(True)


def _wake_receivers(process: Process) -> None:
    receivers, process.receivers = process.receivers, None
    for waiter in receivers or ():
        if not waiter.done():
            waiter.set_result(None)


async def _enter(held: object) -> Process:
    if isinstance(held, Process) and held.state in (EXITING, DEAD) and held.loop is running_loop():
        # Code that swallows its end and asks again must not spin.
        await asyncio.sleep(0.01)
    return enter()


def _raise_exit(process: Process) -> None:
    """Called when a wait was cancelled: if it was by an exit signal, say which."""
    if process.state != RUNNING:
        raise ProcessExit(process.reason, f"process {process.pid} was told to exit: {process.reason!r}") from None


async def _send_with_care(process: Process, message: Any) -> None:
    if process.loop is running_loop():
        process.thread = get_ident()  # a loop may be run by one thread after another
        if SWITCH.on:
            note_sent(process, message)
        await _send_here(process, message)
    else:
        await _send_to_other_loop(process, message)


async def _send_here(process: Process, message: Any) -> None:
    if bury_if_lost(process):  # its loop was closed, and another one runs in its thread
        raise NoSuchProcess(process.pid)
    if current.get() is process:
        process.open_box()
        _mailbox.push(process, message)  # waiting for oneself would be for ever
    else:
        await _wait_for_room(process, message)


async def _wait_for_room(process: Process, message: Any) -> None:
    done = process.loop.create_future()
    _mailbox.offer(process, message, done)
    if done.done():
        return
    try:
        await done
    except CancelledError:
        _mailbox.withdraw(process, done)
        raise


async def _send_to_other_loop(process: Process, message: Any) -> None:
    done = _post(process, message)
    waiting = asyncio.wrap_future(done)
    while not waiting.done():
        await asyncio.wait([waiting], timeout=LOST_LOOP_CHECK)
        if bury_if_lost(process) and not waiting.done():
            waiting.cancel()
            raise NoSuchProcess(process.pid)
    await waiting


def _post(process: Process, message: Any) -> ThreadFuture[None]:
    if not process.size:
        raise NoMailbox(f"{process.pid} was spawned with mailbox=False: it cannot receive messages")
    done: ThreadFuture[None] = ThreadFuture()
    try:
        process.loop.call_soon_threadsafe(_arrive, process, message, done)
    except RuntimeError:
        bury_if_lost(process)
        raise NoSuchProcess(process.pid) from None
    return done


def _arrive(process: Process, message: Any, done: ThreadFuture[None]) -> None:
    if process.state != RUNNING:
        _mailbox.Blocked(message, done).refuse(NoSuchProcess(process.pid))  # its sender may have given up just now
        return
    if SWITCH.on:
        note_sent(process, message)
    _mailbox.offer(process, message, done)


def send_threadsafe(target: str, message: Any, timeout: float | None = None) -> None:
    """`send` for ordinary threads that run no event loop: blocks until the message is in the mailbox.

    Raises as `send` does, `TimeoutError` if there was no room within `timeout` seconds (the message is then not
    delivered), and `NotInProcess` in a thread that runs an event loop, which it would block: await `send` there.
    """
    if running_loop() is not None:
        raise NotInProcess("this thread runs an event loop: `await send(...)` there instead of blocking it")
    process = must_find(target)
    done = _post(process, message)
    waited = 0.0
    while True:
        step = LOST_LOOP_CHECK if timeout is None else min(LOST_LOOP_CHECK, max(timeout - waited, 0))
        try:
            done.result(step)
            return
        except TimeoutError:
            waited += step
            if bury_if_lost(process):
                raise NoSuchProcess(process.pid) from None
            if timeout is not None and waited >= timeout and done.cancel():
                raise TimeoutError(f"{process.pid} had no room within {timeout} s; nothing was delivered") from None
