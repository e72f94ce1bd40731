"""dynamic_supervisor: children of any number and kind, started on demand and restarted one for one.

>>> async def session(user):
...     await receive()
>>> async def main():
...     sessions = await start_link(name="sessions")
...     pid = await start_child("sessions", session, args=["ana"])
...     print(await count_children("sessions"))
...     await terminate_child("sessions", pid)
...     await stop("sessions")
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from tablevault_ext.actors import gen_server
from tablevault_ext.actors._children import (
    AnySupervisor,
    Child,
    ChildSpec,
    Restart,
    RestartIntensity,
    report_end,
)
from tablevault_ext.actors._ids import SHUTDOWN, Pid
from tablevault_ext.actors.errors import ChildError
from tablevault_ext.actors.gen_server import Stop
from tablevault_ext.actors.supervisor import ChildInfo, _ask, count_children, stop, which_children

log = logging.getLogger("tablevault_ext.actors")


class DynamicSupervisor(AnySupervisor):
    """The server behind `start`; can be the `start` of a `ChildSpec` like any other supervisor."""

    async def init(self, intensity: int = 1, period: float = 5.0, max_children: int | None = None) -> None:
        self.allowed = RestartIntensity(intensity, period)
        self.max_children = max_children
        self.children: dict[Pid, Child] = {}

    async def handle_cast(self, request: Any) -> Any:
        verb, pid = request
        child = self.children.pop(pid, None)
        if verb == "terminate_pid" and child is not None:
            await child.end()

    async def child_ended(self, pid: Pid, reason: Any) -> Any:
        child = self.children.pop(pid, None)
        if child is None:
            return None
        report_end(child.spec, reason)
        if not child.spec.wants_restart(reason):
            return None
        child.restarts += 1
        while not self.allowed.exceeded():
            try:
                self.children[await child.begin()] = child
                return None
            except Exception as error:
                log.warning("child %r could not be restarted: %r", child.spec.id, error)
        log.error("supervisor gives up: more than %d restarts within %s s", self.allowed.intensity, self.allowed.period)
        return Stop(SHUTDOWN)

    async def terminate(self, reason: Any) -> None:
        """End all children at once: they do not depend on each other, so there is no order."""
        await asyncio.gather(*(child.end() for child in self.children.values()))

    async def _which_children(self) -> list[ChildInfo]:
        return [ChildInfo(None, child.pid, child.spec.type, child.restarts) for child in self.children.values()]

    async def _count_children(self) -> dict[str, int]:
        count = len(self.children)
        supervisors = sum(child.spec.type == "supervisor" for child in self.children.values())
        return {"specs": count, "active": count, "supervisors": supervisors, "workers": count - supervisors}

    async def _start_child(self, spec: ChildSpec) -> Pid:
        if self.max_children is not None and len(self.children) >= self.max_children:
            raise ChildError(f"there are {self.max_children} children already, which is max_children")
        child = Child(spec)
        try:
            pid = await child.begin()
        except Exception as error:
            raise ChildError(f"the child could not be started: {error!r}") from error
        self.children[pid] = child
        return pid

    async def _terminate_child(self, pid: Pid) -> bool:
        child = self.children.pop(pid, None)
        if child is None:
            raise ChildError(f"{pid} is no child of this supervisor")
        await child.end()
        return True


async def start(
    intensity: int = 1, period: float = 5.0, max_children: int | None = None, name: str | None = None
) -> Pid:
    """Start a supervisor without children; intensity and period as in `supervisor.start`."""
    return await gen_server.start(DynamicSupervisor, (intensity, period, max_children), None, name)


async def start_link(
    intensity: int = 1, period: float = 5.0, max_children: int | None = None, name: str | None = None
) -> Pid:
    """`start`, linked to the calling process: the supervisor and its children end with it."""
    return await gen_server.start_link(DynamicSupervisor, (intensity, period, max_children), None, name)


async def start_child(
    supervisor: str,
    start: Callable[..., Any],
    args: Iterable[Any] = (),
    kwargs: Mapping[str, Any] | None = None,
    *,
    restart: Restart = "permanent",
    shutdown: float | str | None = None,
    name: str | None = None,
) -> Pid:
    """Start a child: a function or a `GenServer` class; the other arguments are those of `ChildSpec`.

    Raises `ChildError` if it fails to start or there are `max_children` already.
    """
    label = name or str(getattr(start, "__name__", "child"))
    spec = ChildSpec(label, start, tuple(args), dict(kwargs or {}), restart, shutdown, name)
    pid: Pid = await _ask(supervisor, "start_child", spec)
    return pid


async def terminate_child(supervisor: str, pid: str) -> None:
    """End one child and forget it. Raises `ChildError` if it is none of this supervisor's."""
    await _ask(supervisor, "terminate_child", pid)


__all__ = [
    "ChildError",
    "DynamicSupervisor",
    "count_children",
    "start",
    "start_child",
    "start_link",
    "stop",
    "terminate_child",
    "which_children",
]
