"""What both kinds of supervisor share: the specification of a child, starting it, ending it, counting restarts."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from tablevault_ext.actors import _signals, gen_server
from tablevault_ext.actors._context import calling_pid, enter
from tablevault_ext.actors._events import emit
from tablevault_ext.actors._ids import DOWN, EXIT, KILL, NOPROC, SHUTDOWN, Pid, Ref, is_orderly, new_ref
from tablevault_ext.actors._messages import receive
from tablevault_ext.actors._process import alive, exiting, on_loop_of
from tablevault_ext.actors._relations import demonitor, unlink
from tablevault_ext.actors._spawn import spawn_link
from tablevault_ext.actors.errors import BadArgument, ChildError

log = logging.getLogger("tablevault_ext.actors")

Restart = Literal["permanent", "transient", "temporary"]
BRUTAL_KILL = "brutal_kill"
INFINITY = "infinity"


@dataclass(frozen=True)
class ChildSpec:
    """How a supervisor starts, restarts and ends one child (OTP's ``child_spec()``).

    `start` is the function of a plain process, or a `GenServer` class (a supervisor class, too); it gets `args` and
    `kwargs`. `restart`: permanent (always), transient (after an abnormal end) or temporary (never). `shutdown`: the
    seconds the child has after ``exit(child, 'shutdown')`` before it is killed, or ``'brutal_kill'`` or ``'infinity'``;
    by default 5, for a supervisor infinity. `name` registers the child.
    """

    id: str
    start: Callable[..., Any]
    args: Iterable[Any] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    restart: Restart = "permanent"
    shutdown: float | str | None = None
    name: str | None = None

    def __post_init__(self) -> None:
        if self.restart not in ("permanent", "transient", "temporary"):
            raise BadArgument(f"restart is 'permanent', 'transient' or 'temporary', not {self.restart!r}")
        if not callable(self.start):
            raise BadArgument(f"child {self.id!r} needs a function or a GenServer class to start, not {self.start!r}")
        if isinstance(self.shutdown, str) and self.shutdown not in (BRUTAL_KILL, INFINITY):
            raise BadArgument(f"shutdown is a number of seconds, 'brutal_kill' or 'infinity', not {self.shutdown!r}")

    @property
    def server(self) -> type[gen_server.GenServer] | None:
        """The GenServer class, if the child is one."""
        if isinstance(self.start, type) and issubclass(self.start, gen_server.GenServer):
            return self.start
        return None

    @property
    def type(self) -> str:
        """'supervisor' or 'worker'."""
        return "supervisor" if self.server is not None and self.server.supervises else "worker"

    def seconds(self) -> float | None:
        """How long the child may take to end; None: as long as it likes."""
        if self.shutdown == INFINITY or (self.shutdown is None and self.type == "supervisor"):
            return None
        return 5.0 if self.shutdown is None else 0.0 if self.shutdown == BRUTAL_KILL else float(self.shutdown)

    def wants_restart(self, reason: object) -> bool:
        """OTP's table: permanent always, temporary never, transient after an abnormal end."""
        return self.restart == "permanent" or (self.restart == "transient" and not is_orderly(reason))


@dataclass
class Child:
    """One child at a time; `pid` is None while it does not run."""

    spec: ChildSpec
    pid: Pid | None = None
    restarts: int = 0

    async def begin(self) -> Pid:
        """Start the child, linked to the calling supervisor; what its `init` raises is raised here."""
        spec = self.spec
        if spec.server is not None:
            self.pid = await gen_server.start_link(spec.server, spec.args, spec.kwargs, spec.name)
        else:
            self.pid = await spawn_link(spec.start, spec.args, spec.kwargs, spec.name)
        process = alive.get(self.pid)
        if process is not None:
            process.restarts = self.restarts
            if self.restarts:
                emit("restart", process)
        return self.pid

    async def end(self) -> None:
        """End the child as its `shutdown` says and wait until it is gone (OTP's shutdown protocol)."""
        pid, self.pid = self.pid, None
        if pid is None:
            return
        ref = self._watch(pid)
        await unlink(pid)
        seconds = self.spec.seconds()
        try:
            if self.spec.shutdown == BRUTAL_KILL:
                self._tell(pid, KILL)
            else:
                self._tell(pid, SHUTDOWN)
            await receive(seconds or None, match=lambda message: message[0] == DOWN and message[1] == ref)
        except TimeoutError:
            log.warning("child %r (%s) did not end within %s s: killing it", self.spec.id, pid, seconds)
            self._tell(pid, KILL)
            await receive(match=lambda message: message[0] == DOWN and message[1] == ref)
        finally:
            await demonitor(ref, flush=True)

    def _watch(self, pid: Pid) -> Ref:
        # Unlike monitor(), also waits for one that was told to exit and still cleans up: the next should find all tidy.
        caller, process, ref = enter(), alive.get(pid) or exiting.get(pid), new_ref()
        if caller.watching is None:
            caller.watching = {}
        caller.watching[ref] = pid
        if process is None:
            _signals.send_down(caller, ref, pid, NOPROC)
        else:
            if process.monitors is None:
                process.monitors = {}
            process.monitors[ref] = caller
        return ref

    def _tell(self, pid: Pid, reason: str) -> None:
        process = alive.get(pid) or exiting.get(pid)
        if process is not None:
            # Its grace is ours to measure, and may be longer than that of a plain exit signal.
            on_loop_of(process, _signals.signal_exit, process, calling_pid(), reason, False, None)


def report_end(spec: ChildSpec, reason: object) -> None:
    """Log how a child ended (OTP's supervisor report): nobody else would hear of it."""
    level = logging.INFO if is_orderly(reason) else logging.WARNING
    error = reason if isinstance(reason, BaseException) else None
    log.log(level, "child %r of a supervisor ended: %r", spec.id, reason, exc_info=error)


class RestartIntensity:
    """At most `intensity` restarts within any `period` seconds (OTP's ``MaxR`` and ``MaxT``)."""

    def __init__(self, intensity: int, period: float) -> None:
        if intensity < 0 or not period > 0:
            raise BadArgument(f"intensity is 0 or more restarts within more than 0 seconds, not {intensity}, {period}")
        self.intensity = intensity
        self.period = period
        self._times: deque[float] = deque()

    def exceeded(self) -> bool:
        """Count one more restart; whether that is too many."""
        now = time.monotonic()
        self._times.append(now)
        while self._times and self._times[0] < now - self.period:
            self._times.popleft()
        return len(self._times) > self.intensity


class AnySupervisor(gen_server.GenServer):
    """The server that every supervisor is: it traps the exits of its children and answers requests about them."""

    trap_exits = True
    supervises = True
    mailbox_size = 1000

    async def handle_call(self, request: Any, from_: gen_server.From) -> Any:
        verb, *arguments = request
        try:
            return await getattr(self, f"_{verb}")(*arguments)
        except (ChildError, BadArgument) as refusal:
            return refusal  # raised at the caller; the supervisor goes on

    async def handle_info(self, message: Any) -> Any:
        if type(message) is tuple and len(message) == 3 and message[0] is EXIT:
            return await self.child_ended(message[1], message[2])
        log.warning("a supervisor received an unexpected message: %r", message)
        return None

    async def child_ended(self, pid: Pid, reason: Any) -> Any:
        """An exit signal came, of a child or, which is ignored as in OTP, of a stranger."""
