"""`spawn` and its relatives, and the coroutine that carries a process from its first step to its end."""

from __future__ import annotations

import inspect
import sys
from asyncio import _get_running_loop as running_loop
from collections.abc import Callable, Generator, Iterable, Mapping
from types import CoroutineType, coroutine
from typing import Any

from tablevault_ext.actors import _signals
from tablevault_ext.actors._context import DEFAULT_MAILBOX_SIZE, calling_pid, current, enter
from tablevault_ext.actors._events import OBSERVER, emit
from tablevault_ext.actors._ids import NORMAL, Pid, Ref, new_ref
from tablevault_ext.actors._process import DEAD, SPAWNED, Process, alive, claim_name
from tablevault_ext.actors.errors import BadArgument, NoMailbox, NotInProcess


async def spawn(
    func: Callable[..., Any],
    args: Iterable[Any] | None = None,
    kwargs: Mapping[str, Any] | None = None,
    name: str | None = None,
    mailbox: bool = True,
    *,
    trap_exits: bool = False,
    mailbox_size: int = DEFAULT_MAILBOX_SIZE,
) -> Pid:
    """Start a process that runs `func(*args, **kwargs)` and return its pid at once (document: `spawn()`).

    `func` is a coroutine function or an ordinary one; the process ends when it returns (reason ``'normal'``) or raises
    (the exception is the reason). `name` registers it. With ``mailbox=False`` it can neither receive nor be sent to.
    With `trap_exits` exit signals become messages. The mailbox holds `mailbox_size` messages; then senders wait.

    Raises `NameTaken` if the name is in use, `BadArgument` for arguments that make no sense; then nothing is started.

    >>> async def worker(greeting):
    ...     print(greeting, "from", self())
    >>> async def main():
    ...     return await spawn(worker, args=["hello"], name="greeter")
    """
    return start(func, args, kwargs, name, mailbox=mailbox, trap_exits=trap_exits, mailbox_size=mailbox_size).pid


async def spawn_link(
    func: Callable[..., Any],
    args: Iterable[Any] | None = None,
    kwargs: Mapping[str, Any] | None = None,
    name: str | None = None,
    mailbox: bool = True,
    *,
    trap_exits: bool = False,
    mailbox_size: int = DEFAULT_MAILBOX_SIZE,
) -> Pid:
    """`spawn`, linked to the calling process from its first step on (document: `spawn_link()`)."""
    caller = enter()
    options: dict[str, Any] = {"mailbox": mailbox, "trap_exits": trap_exits, "mailbox_size": mailbox_size}
    return start(func, args, kwargs, name, prepare=lambda process: link_to(process, caller), **options).pid


async def spawn_monitor(
    func: Callable[..., Any],
    args: Iterable[Any] | None = None,
    kwargs: Mapping[str, Any] | None = None,
    name: str | None = None,
    mailbox: bool = True,
    *,
    trap_exits: bool = False,
    mailbox_size: int = DEFAULT_MAILBOX_SIZE,
) -> tuple[Pid, Ref]:
    """`spawn`, monitored by the calling process from its first step on (document: `spawn_monitor()`).

    Returns ``(pid, ref)``; the caller receives ``('DOWN', ref, 'process', pid, reason)`` when it ends.
    """
    caller = enter()
    if not caller.size:
        raise NoMailbox(f"{caller.pid} has no mailbox in which a DOWN message could arrive")
    ref = new_ref()

    def watch(process: Process) -> None:
        if caller.watching is None:
            caller.watching = {}
        caller.watching[ref] = process.pid
        _signals.add_monitor(process, ref, caller)

    options: dict[str, Any] = {"mailbox": mailbox, "trap_exits": trap_exits, "mailbox_size": mailbox_size}
    return start(func, args, kwargs, name, prepare=watch, **options).pid, ref


def link_to(process: Process, caller: Process) -> None:
    """Link a process that was started just now, in the same loop, to its starter."""
    _signals.add_link(caller, process.pid)
    _signals.accept_link(process, caller)


def start(
    func: Callable[..., Any],
    args: Iterable[Any] | None,
    kwargs: Mapping[str, Any] | None,
    name: str | None,
    *,
    mailbox: bool = True,
    trap_exits: bool = False,
    mailbox_size: int = DEFAULT_MAILBOX_SIZE,
    prepare: Callable[[Process], None] | None = None,
) -> Process:
    loop = running_loop()
    if loop is None:
        raise NotInProcess("spawn must be awaited inside a running event loop")
    if not callable(func):
        raise BadArgument(f"a process runs a function, not {func!r}; pass the function itself and its args=")
    if isinstance(args, str):
        raise BadArgument(f"args is a list of arguments: write args=[{args!r}]")
    if mailbox_size < 1:
        raise BadArgument(f"a mailbox holds at least one message, not {mailbox_size!r}; without one: mailbox=False")
    if trap_exits and not mailbox:
        raise BadArgument("exit signals cannot become messages of a process without a mailbox")
    process = Process(loop, mailbox_size if mailbox else 0, trap_exits, calling_pid(), SPAWNED)
    if name is not None:
        claim_name(name, process)
    alive[process.pid] = process
    if OBSERVER.sink is not None:
        emit("spawn", process)
    if prepare is not None:  # before the task is made: an eager task may be over when that returns
        prepare(process)
    life = _live(process, func, args, kwargs)
    # A task that is cancelled before its first step never enters the body of its coroutine, and a process must never
    # end unnoticed. So the coroutine takes a first step here, into its `try`, and the task goes on from there.
    life.send(None)
    task = loop.create_task(life)
    if process.state != DEAD:  # an eager task may already be over
        process.task = task
    return process


@coroutine
def _first_step() -> Generator[None, None, None]:
    yield


async def _live(
    process: Process, func: Callable[..., Any], args: Iterable[Any] | None, kwargs: Mapping[str, Any] | None
) -> None:
    try:
        await _first_step()
        current.set(process)
        result = func(*(args or ()), **(kwargs or {}))
        if type(result) is CoroutineType or inspect.isawaitable(result):
            await result
    except GeneratorExit:  # the coroutine is thrown away, which only happens when its loop is gone
        _signals.bury(process)
        raise
    except BaseException as error:
        _signals.finish(process, _signals.reason_of(process, error))
        # Ctrl-C in a script must reach the script. A kernel's loop would not survive it.
        if isinstance(error, KeyboardInterrupt) and "ipykernel" not in sys.modules:
            raise
    else:
        _signals.finish(process, NORMAL if not process.state else process.reason)
