"""supervisor: a process that starts children, restarts them by a strategy and ends them in order, as OTP's does.

>>> async def worker(name):
...     await receive()
>>> async def main():
...     top = await start_link(
...         [ChildSpec("a", worker, args=["a"]), ChildSpec("b", worker, args=["b"])],
...         strategy="one_for_all",
...     )
...     print(await count_children(top))
...     await stop(top)
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Any, Literal, NamedTuple

from tablevault_ext.actors import gen_server
from tablevault_ext.actors._children import AnySupervisor, Child, ChildSpec, RestartIntensity, report_end
from tablevault_ext.actors._ids import NORMAL, SHUTDOWN, Pid
from tablevault_ext.actors.errors import BadArgument, ChildError
from tablevault_ext.actors.gen_server import Stop

log = logging.getLogger("tablevault_ext.actors")

Strategy = Literal["one_for_one", "one_for_all", "rest_for_one"]
STRATEGIES = ("one_for_one", "one_for_all", "rest_for_one")


class ChildInfo(NamedTuple):
    """One line of `which_children`; `pid` is None for a child that does not run."""

    id: str | None
    pid: Pid | None
    type: str
    restarts: int


class Supervisor(AnySupervisor):
    """The server behind `start`; as the start of a `ChildSpec` (``start=Supervisor, args=[children]``) it nests."""

    async def init(
        self,
        children: Iterable[ChildSpec] = (),
        strategy: Strategy = "one_for_one",
        intensity: int = 1,
        period: float = 5.0,
    ) -> None:
        """Start the children in order; if one fails to start, those before it are ended and the error is raised."""
        specs = _check(children, strategy)
        self.strategy = strategy
        self.allowed = RestartIntensity(intensity, period)
        self.children: list[Child] = []
        for spec in specs:
            child = Child(spec)
            try:
                await child.begin()
            except Exception:
                await self.terminate(SHUTDOWN)
                raise
            self.children.append(child)

    async def handle_cast(self, request: Any) -> Any:
        verb, pid = request
        if verb == "terminate_pid":
            for child in self.children:
                if child.pid == pid:
                    await self._end(child)
                    return

    async def child_ended(self, pid: Pid, reason: Any) -> Any:
        child = next((child for child in self.children if child.pid == pid), None)
        if child is None:
            return None  # of a child that was ended already, or of a stranger: ignored, as in OTP
        child.pid = None
        report_end(child.spec, reason)
        if child.spec.wants_restart(reason):
            return await self._recover(child)
        if child.spec.restart == "temporary":
            self.children.remove(child)
        return None

    async def terminate(self, reason: Any) -> None:
        """End the children, in reverse order of their start."""
        for child in reversed(self.children):
            await child.end()

    async def _recover(self, failed: Child) -> Any:
        affected = self._affected(failed)
        failed.restarts += 1
        while True:
            if self.allowed.exceeded():
                log.error(
                    "supervisor gives up: more than %d restarts within %s s, the last of child %r",
                    self.allowed.intensity,
                    self.allowed.period,
                    failed.spec.id,
                )
                return Stop(SHUTDOWN)
            for child in reversed(affected):
                await child.end()
            # A temporary child that went down with the others does not come back.
            gone = [child for child in affected if child.spec.restart == "temporary"]
            self.children = [child for child in self.children if child not in gone]
            affected = [child for child in affected if child not in gone]
            try:
                for child in affected:
                    if child is not failed and child.pid is None:
                        child.restarts += 1
                    await child.begin()
                return None
            except Exception as error:
                log.warning("child %r could not be restarted: %r", child.spec.id, error)

    def _affected(self, failed: Child) -> list[Child]:
        if self.strategy == "one_for_one":
            return [failed]
        first = 0 if self.strategy == "one_for_all" else self.children.index(failed)
        return self.children[first:]

    async def _end(self, child: Child) -> None:
        await child.end()
        if child.spec.restart == "temporary":
            self.children.remove(child)

    def _find(self, child_id: str) -> Child:
        for child in self.children:
            if child.spec.id == child_id:
                return child
        known = ", ".join(repr(child.spec.id) for child in self.children)
        raise ChildError(f"there is no child {child_id!r}; there are: {known or 'none'}")

    async def _which_children(self) -> list[ChildInfo]:
        return [ChildInfo(child.spec.id, child.pid, child.spec.type, child.restarts) for child in self.children]

    async def _count_children(self) -> dict[str, int]:
        supervisors = sum(child.spec.type == "supervisor" for child in self.children)
        return {
            "specs": len(self.children),
            "active": sum(child.pid is not None for child in self.children),
            "supervisors": supervisors,
            "workers": len(self.children) - supervisors,
        }

    async def _start_child(self, spec: ChildSpec) -> Pid:
        if any(child.spec.id == spec.id for child in self.children):
            raise ChildError(f"there is a child {spec.id!r} already; delete_child removes one that does not run")
        child = Child(spec)
        pid = await self._begin(child)
        self.children.append(child)
        return pid

    async def _restart_child(self, child_id: str) -> Pid:
        child = self._find(child_id)
        if child.pid is not None:
            raise ChildError(f"child {child_id!r} runs as {child.pid}; terminate_child ends it first")
        return await self._begin(child)

    async def _begin(self, child: Child) -> Pid:
        try:
            return await child.begin()
        except Exception as error:
            raise ChildError(f"child {child.spec.id!r} could not be started: {error!r}") from error

    async def _terminate_child(self, child_id: str) -> bool:
        await self._end(self._find(child_id))
        return True

    async def _delete_child(self, child_id: str) -> bool:
        child = self._find(child_id)
        if child.pid is not None:
            raise ChildError(f"child {child_id!r} runs as {child.pid}; terminate_child ends it first")
        self.children.remove(child)
        return True


def _check(children: Iterable[ChildSpec], strategy: str) -> list[ChildSpec]:
    """The children as a list, if they and the strategy can be used."""
    specs = list(children)
    if strategy not in STRATEGIES:
        raise BadArgument(f"a strategy is one of {', '.join(STRATEGIES)}, not {strategy!r}")
    if len({spec.id for spec in specs}) != len(specs):
        raise BadArgument("two children of one supervisor have the same id")
    return specs


async def start(
    children: Iterable[ChildSpec] = (),
    strategy: Strategy = "one_for_one",
    intensity: int = 1,
    period: float = 5.0,
    name: str | None = None,
) -> Pid:
    """Start a supervisor and its children, in order, and return its pid once all of them run.

    When a child ends and its `restart` says so, one_for_one restarts it alone, one_for_all all children, rest_for_one
    it and those started after it. After more than `intensity` restarts within `period` seconds the supervisor ends its
    children and itself with reason ``'shutdown'``. Raises what a child's `init` raises; nothing is left then.
    """
    arguments = (_check(children, strategy), strategy, intensity, period)
    return await gen_server.start(Supervisor, arguments, None, name)


async def start_link(
    children: Iterable[ChildSpec] = (),
    strategy: Strategy = "one_for_one",
    intensity: int = 1,
    period: float = 5.0,
    name: str | None = None,
) -> Pid:
    """`start`, linked to the calling process: the supervisor and its children end with it."""
    return await gen_server.start_link(
        Supervisor, (_check(children, strategy), strategy, intensity, period), None, name
    )


async def _ask(supervisor: str, *request: Any) -> Any:
    """Call a supervisor; a refusal (`ChildError`) is raised here and leaves the supervisor as it was."""
    answer = await gen_server.call(supervisor, request, timeout=None)
    if isinstance(answer, ChildError | BadArgument):
        raise answer
    return answer


async def which_children(supervisor: str) -> list[ChildInfo]:
    """The children in the order of their start: id, pid, type, restarts."""
    children: list[ChildInfo] = await _ask(supervisor, "which_children")
    return children


async def count_children(supervisor: str) -> dict[str, int]:
    """How many children: ``specs``, ``active``, ``supervisors``, ``workers``."""
    counts: dict[str, int] = await _ask(supervisor, "count_children")
    return counts


async def start_child(supervisor: str, spec: ChildSpec) -> Pid:
    """Add a child and start it; raises `ChildError` for a duplicate id or a child that fails to start."""
    pid: Pid = await _ask(supervisor, "start_child", spec)
    return pid


async def terminate_child(supervisor: str, child_id: str) -> None:
    """End a child; it is not restarted, but `restart_child` can (a temporary one is forgotten)."""
    await _ask(supervisor, "terminate_child", child_id)


async def restart_child(supervisor: str, child_id: str) -> Pid:
    """Start a child again that does not run."""
    pid: Pid = await _ask(supervisor, "restart_child", child_id)
    return pid


async def delete_child(supervisor: str, child_id: str) -> None:
    """Forget a child that does not run."""
    await _ask(supervisor, "delete_child", child_id)


async def stop(supervisor: str, reason: Any = NORMAL, timeout: float | None = None) -> None:
    """End a supervisor: its children first, in reverse order of their start; returns when all are gone."""
    await gen_server.stop(supervisor, reason, timeout)


__all__ = [
    "ChildError",
    "ChildInfo",
    "ChildSpec",
    "Supervisor",
    "count_children",
    "delete_child",
    "restart_child",
    "start",
    "start_child",
    "start_link",
    "stop",
    "terminate_child",
    "which_children",
]
