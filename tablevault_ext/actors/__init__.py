"""Actors: lightweight processes inside an event loop that behave as those of Erlang/OTP do.

>>> from tablevault_ext import actors as process
>>> async def echo():
...     sender, message = await process.receive()
...     await process.send(sender, message)
>>> async def main():
...     pid = await process.spawn(echo)
...     await process.register("main")
...     await process.send(pid, ("main", "hello"))
...     return await process.receive(timeout=1)

Operations that act are awaited, those that only look are not. A notebook cell, or an asyncio task outside every
process, becomes a process at its first act; the cells of a notebook are one process together. Needs only asyncio.
"""

from tablevault_ext.actors import dynamic_supervisor, gen_server, supervisor
from tablevault_ext.actors._children import ChildSpec
from tablevault_ext.actors._context import watch_notebook as _watch_notebook
from tablevault_ext.actors._ids import DOWN, EXIT, KILL, KILLED, NOPROC, NORMAL, SHUTDOWN, Pid, Ref, atom
from tablevault_ext.actors._inspect import Observation, ProcessInfo, observe, process_info
from tablevault_ext.actors._messages import receive, send, send_threadsafe
from tablevault_ext.actors._registry import (
    is_alive,
    processes,
    register,
    registered,
    self,
    unregister,
    whereis,
)
from tablevault_ext.actors._relations import demonitor, exit, link, monitor, process_flag, unlink  # noqa: A004
from tablevault_ext.actors._spawn import spawn, spawn_link, spawn_monitor
from tablevault_ext.actors._timers import cancel_timer, read_timer, send_after
from tablevault_ext.actors._tracing import Trace, TraceEvent, trace
from tablevault_ext.actors.errors import (
    ActorError,
    ChildError,
    NameTaken,
    NoMailbox,
    NoSuchProcess,
    NotInProcess,
    ProcessExit,
    ServerDied,
)
from tablevault_ext.actors.gen_server import GenServer

_watch_notebook()

__all__ = [
    "DOWN",
    "EXIT",
    "KILL",
    "KILLED",
    "NOPROC",
    "NORMAL",
    "SHUTDOWN",
    "ActorError",
    "ChildError",
    "ChildSpec",
    "GenServer",
    "NameTaken",
    "NoMailbox",
    "NoSuchProcess",
    "NotInProcess",
    "Observation",
    "Pid",
    "ProcessExit",
    "ProcessInfo",
    "Ref",
    "ServerDied",
    "Trace",
    "TraceEvent",
    "atom",
    "cancel_timer",
    "demonitor",
    "dynamic_supervisor",
    "exit",
    "gen_server",
    "is_alive",
    "link",
    "monitor",
    "observe",
    "process_flag",
    "process_info",
    "processes",
    "read_timer",
    "receive",
    "register",
    "registered",
    "self",
    "send",
    "send_after",
    "send_threadsafe",
    "spawn",
    "spawn_link",
    "spawn_monitor",
    "supervisor",
    "trace",
    "unlink",
    "unregister",
    "whereis",
]
