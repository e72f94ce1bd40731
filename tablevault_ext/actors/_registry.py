"""Names, and looking around: what acts is awaited, what only looks is not."""

from __future__ import annotations

from tablevault_ext.actors import _context
from tablevault_ext.actors._context import enter
from tablevault_ext.actors._events import emit
from tablevault_ext.actors._ids import Pid
from tablevault_ext.actors._process import (
    alive,
    claim_name,
    everyone,
    find,
    must_find,
    names,
    names_lock,
)
from tablevault_ext.actors.errors import NoSuchProcess


async def register(name: str, pid: str | None = None) -> bool:
    """Give a process, by default the calling one, a name that messages can be sent to (document: `register()`).

    The name is free again when the process ends. Raises `NameTaken` if another process has it, `BadArgument` if this
    one has a name already, `NoSuchProcess` if there is no such process.
    """
    process = enter() if pid is None else must_find(pid)
    claim_name(name, process)
    emit("register", process)
    return True


async def unregister(name: str) -> bool:
    """Take a name away from its process (document: `unregister()`). Raises `NoSuchProcess` if nobody has it."""
    with names_lock:
        process = names.pop(name, None)
        if process is None:
            raise NoSuchProcess(name)
        process.name = None
    emit("unregister", process)
    return True


def whereis(name: str) -> Pid | None:
    """The pid of the living process with that name, or None (document: `whereis()`)."""
    process = names.get(name)
    return process.pid if process is not None and find(name) is not None else None


def registered() -> list[str]:
    """All names in use (document: `registered()`)."""
    return [process.name for process in everyone(names) if process.name is not None]


def self() -> Pid | None:
    """The pid of the calling process, or None outside (document: `self()`).

    A notebook cell, or an asyncio task outside every process, is one from the moment it first acts as one.
    """
    pid: Pid | None = _context.calling_pid()
    return pid


def is_alive(pid: str | None) -> bool:
    """Whether the process runs (document: `is_alive()`); False from the moment it was told to exit, as in Erlang."""
    return pid is not None and pid in alive and find(pid) is not None


def processes() -> list[Pid]:
    """The pids of all living processes, oldest first (document: `processes()`)."""
    return [process.pid for process in everyone(alive)]
