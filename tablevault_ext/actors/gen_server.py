"""gen_server: a process that keeps a state and answers requests, with OTP's rules.

>>> class Counter(GenServer):
...     async def init(self, start=0):
...         self.value = start
...     async def handle_call(self, request, from_):
...         self.value += 1
...         return self.value
>>> async def main():
...     counter = await start(Counter, args=[41], name="counter")
...     print(await call("counter", "next"))
...     await stop(counter)
"""

from __future__ import annotations

import asyncio
import logging
from asyncio import _get_running_loop as running_loop
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, NamedTuple

from tablevault_ext.actors import _signals
from tablevault_ext.actors._context import DEFAULT_MAILBOX_SIZE, calling_pid, current, enter
from tablevault_ext.actors._ids import EXIT, KILL, NORMAL, Pid, Ref, is_word, new_ref
from tablevault_ext.actors._messages import receive, send
from tablevault_ext.actors._process import Process, alive, must_find, on_loop_of
from tablevault_ext.actors._spawn import link_to
from tablevault_ext.actors._spawn import start as start_process
from tablevault_ext.actors.errors import BadArgument, NoSuchProcess, ProcessExit, ServerDied

log = logging.getLogger("tablevault_ext.actors")
CALL_TIMEOUT = 5.0  # seconds, as in OTP


class From(NamedTuple):
    """Who called: pass it to `reply` to answer later. `pid` is None for a caller outside every process."""

    pid: Pid | None
    ref: Ref


@dataclass(frozen=True)
class Reply:
    """Answer a call with `value`; with `timeout`, `handle_info('timeout')` follows after so many silent seconds."""

    value: Any = None
    timeout: float | None = None


@dataclass(frozen=True)
class NoReply:
    """Do not answer now (`reply` will); `timeout` as in `Reply`. The only thing init, cast and info need to return."""

    timeout: float | None = None


@dataclass(frozen=True)
class Stop:
    """End the server with `reason` after `terminate(reason)`; a call is answered first if `reply` is given."""

    reason: Any = NORMAL
    reply: Any = NoReply()


class GenServer:
    """The callbacks of a server, to be overridden; the state is the instance. What they raise ends the server."""

    trap_exits = False
    mailbox_size = DEFAULT_MAILBOX_SIZE
    supervises = False

    async def init(self, *args: Any, **kwargs: Any) -> Any:
        """Set up the state, in the new process, before `start` returns. May return `NoReply(timeout)` or `Stop`."""

    async def handle_call(self, request: Any, from_: From) -> Any:
        """Answer a request: what is returned is the reply, unless it is a `Reply`, `NoReply` or `Stop`."""
        raise NotImplementedError(f"{type(self).__name__} has no handle_call for {request!r}")

    async def handle_cast(self, request: Any) -> Any:
        """Do what was cast. Returns None, `NoReply(timeout)` or `Stop`."""
        raise NotImplementedError(f"{type(self).__name__} has no handle_cast for {request!r}")

    async def handle_info(self, message: Any) -> Any:
        """Any other message, and ``'timeout'``. Returns None, `NoReply(timeout)` or `Stop`."""
        log.warning("%s %s received an unexpected message: %r", type(self).__name__, calling_pid(), message)

    async def terminate(self, reason: Any) -> None:
        """Clean up. Called on `Stop`, on an error, and on an exit of the parent if the server traps exits."""


async def start(
    server: type[GenServer],
    args: Iterable[Any] | None = None,
    kwargs: Mapping[str, Any] | None = None,
    name: str | None = None,
    *,
    timeout: float | None = None,
) -> Pid:
    """Start a server and return its pid once `init` is done. What `init` raises is raised here, and nothing is left.

    Raises `ServerDied` if `init` returned `Stop`, `TimeoutError` (and kills it) after `timeout` seconds.
    """
    return await _start(server, args, kwargs, name, timeout=timeout, parent=None)


async def start_link(
    server: type[GenServer],
    args: Iterable[Any] | None = None,
    kwargs: Mapping[str, Any] | None = None,
    name: str | None = None,
    *,
    timeout: float | None = None,
) -> Pid:
    """`start`, linked to the calling process, the server's parent. A failed `init` sends no exit signal."""
    return await _start(server, args, kwargs, name, timeout=timeout, parent=enter())


async def _start(
    server: type[GenServer],
    args: Iterable[Any] | None,
    kwargs: Mapping[str, Any] | None,
    name: str | None,
    *,
    timeout: float | None,
    parent: Process | None,
) -> Pid:
    if not (isinstance(server, type) and issubclass(server, GenServer)):
        raise BadArgument(f"a gen_server is a subclass of GenServer, not {server!r}")
    ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    life = (server, args, kwargs, parent.pid if parent else None, ready)
    ref = new_ref()

    def died(ref: object, pid: object, reason: object) -> None:
        if not ready.done():
            ready.set_exception(reason if isinstance(reason, Exception) else ServerDied(pid, reason))

    def prepare(process: Process) -> None:
        process.supervises = server.supervises
        _signals.add_monitor(process, ref, died)
        if parent is not None:
            link_to(process, parent)

    process = start_process(
        _serve, life, None, name, trap_exits=server.trap_exits, mailbox_size=server.mailbox_size, prepare=prepare
    )
    try:
        async with asyncio.timeout(timeout):
            await ready
    except BaseException:
        if parent is not None:
            _part(process, parent.pid)
        _signals.signal_exit(process, calling_pid(), KILL)
        raise
    _signals.forget_monitor(process, ref)
    return process.pid


async def _serve(
    server: type[GenServer],
    args: Iterable[Any] | None,
    kwargs: Mapping[str, Any] | None,
    parent: Pid | None,
    ready: asyncio.Future[None],
) -> None:
    state = server()
    try:
        outcome = await state.init(*(args or ()), **(kwargs or {}))
        if isinstance(outcome, Stop):
            raise ProcessExit(outcome.reason)
    except BaseException:
        if parent is not None:  # the starter hears of it from `start_link`: no exit signal on top
            _part(_process(), parent)
        raise
    if not ready.done():
        ready.set_result(None)
    try:
        await _loop(state, parent, _timeout_of(outcome))
    except ProcessExit as end:
        if _process().state:  # told to exit by a signal it does not trap: OTP does not call terminate then
            raise
        await _terminate(state, end.reason)
        raise
    except asyncio.CancelledError:
        raise
    except BaseException as error:
        await _terminate(state, error)
        raise


def _part(process: Process, parent: Pid) -> None:
    _signals.drop_link(process, parent)
    starter = alive.get(parent)
    if starter is not None:
        _signals.drop_link(starter, process.pid)


async def _loop(state: GenServer, parent: Pid | None, timeout: float | None) -> None:
    while True:
        try:
            message = await receive(timeout)
        except TimeoutError:
            message = "timeout"
        tag = message[0] if type(message) is tuple and message else None
        if tag == "$gen_call" and len(message) == 3:
            timeout = await _answer(state, message[1], message[2])
            continue
        if tag == "$gen_cast" and len(message) == 2:
            outcome = await state.handle_cast(message[1])
        elif tag == "$gen_stop" and len(message) == 2:
            outcome = Stop(message[1])
        elif tag is EXIT and len(message) == 3 and message[1] == parent and parent is not None:
            outcome = Stop(message[2])  # a child ends with its parent
        else:
            outcome = await state.handle_info(message)
        timeout = _timeout_of(outcome)


async def _answer(state: GenServer, from_: From, request: Any) -> float | None:
    outcome = await state.handle_call(request, from_)
    if isinstance(outcome, Stop):
        if not isinstance(outcome.reply, NoReply):
            await reply(from_, outcome.reply)
    elif isinstance(outcome, Reply):
        await reply(from_, outcome.value)
        return outcome.timeout
    elif not isinstance(outcome, NoReply):
        await reply(from_, outcome)
        return None
    return _timeout_of(outcome)


def _timeout_of(outcome: Any) -> float | None:
    if isinstance(outcome, Stop):
        raise ProcessExit(outcome.reason)
    if outcome is None:
        return None
    if isinstance(outcome, NoReply):
        return outcome.timeout
    raise ProcessExit(("bad_return_value", outcome))


async def _terminate(state: GenServer, reason: Any) -> None:
    _process().terminating = True  # a stop of everything must not interrupt the cleaning up at its receives
    await state.terminate(reason)


def _process() -> Process:
    process = current.get()
    assert isinstance(process, Process)
    return process


# The callers' side. A reply goes straight to the caller, not through its mailbox, so a late one is simply dropped.
_calls: dict[str, asyncio.Future[Any]] = {}


async def call(server: str, request: Any, timeout: float | None = CALL_TIMEOUT) -> Any:
    """Send a request to a server, a pid or a name, and wait for its reply. Works outside processes, too.

    Raises `TimeoutError` after `timeout` seconds (None: wait for ever), `NoSuchProcess` if there is no such server,
    `ServerDied` if it ends before it answers (its ``reason``, if an exception, is the cause).
    """
    process = must_find(server)
    caller = calling_pid()
    if process.pid == caller:
        raise BadArgument(f"{server} cannot call itself: it would wait for its own answer for ever")
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[Any] = loop.create_future()
    ref = new_ref()

    def died(ref: Ref, pid: Any, reason: object) -> None:
        waiting = _calls.pop(ref, None)
        if waiting is not None:
            _settle(waiting, ServerDied(server, reason), failed=True)

    _calls[ref] = answer
    try:
        async with asyncio.timeout(timeout):
            on_loop_of(process, _signals.add_monitor, process, ref, died)
            try:
                await send(process.pid, ("$gen_call", From(caller, ref), request))
            except NoSuchProcess:
                if not answer.done():
                    raise
            return await answer
    except ServerDied as error:
        raise error from error.reason if isinstance(error.reason, BaseException) else None
    finally:
        _calls.pop(ref, None)
        if answer.done() and not answer.cancelled():
            answer.exception()  # looked at, so asyncio does not report it a second time
        on_loop_of(process, _signals.forget_monitor, process, ref)


async def cast(server: str, request: Any) -> None:
    """Send a request that has no reply; if there is no such server, nothing happens, as in OTP."""
    with suppress(NoSuchProcess):
        await send(server, ("$gen_cast", request))


async def reply(from_: From, value: Any) -> None:
    """Answer a call, from whichever process. If the caller waits no more, the reply is dropped."""
    waiting = _calls.pop(from_.ref, None)
    if waiting is not None:
        _settle(waiting, value)


def _settle(waiting: asyncio.Future[Any], value: Any, failed: bool = False) -> None:
    def settle() -> None:
        if not waiting.done():
            if failed:
                waiting.set_exception(value)
            else:
                waiting.set_result(value)

    loop = waiting.get_loop()
    if loop is running_loop():
        settle()
    elif not loop.is_closed():
        loop.call_soon_threadsafe(settle)


async def stop(server: str, reason: Any = NORMAL, timeout: float | None = None) -> None:
    """End a server with `reason`, after its `terminate`, and wait until it is gone (OTP's ``gen_server:stop/3``).

    Raises `NoSuchProcess` if there is none, `TimeoutError` after `timeout` seconds (it goes on stopping), and
    `ServerDied` if it ended with another reason.
    """
    process = must_find(server)
    gone: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    ref = new_ref()
    on_loop_of(process, _signals.add_monitor, process, ref, lambda ref, pid, reason: _settle(gone, (reason,)))
    try:
        async with asyncio.timeout(timeout):
            await send(process.pid, ("$gen_stop", reason))
            (end,) = await gone
    finally:
        on_loop_of(process, _signals.forget_monitor, process, ref)
    if end is not reason and not (isinstance(reason, str) and is_word(end, reason)):
        raise ServerDied(server, end)
