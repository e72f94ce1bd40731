"""The words everybody shares: states, actions, outcomes, and the records of processes and requests. No I/O."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from .identity import Identity, Presence

STOPPED_EXIT_CODE = 75
"""Exit code of a script that was stopped at a checkpoint (EX_TEMPFAIL: try again later)."""


class Kind(StrEnum):
    """What runs."""

    NOTEBOOK = "notebook"
    SCRIPT = "script"
    COMMAND = "command"
    WORKER = "worker"


class Status(StrEnum):
    """The state of a process: the value drives logic, ``label`` and ``color`` are for people.

    >>> Status.PAUSED == "paused", Status.PAUSED.label
    (True, '⏸ paused')
    """

    RUNNING = "running"
    PAUSING = "pausing"
    PAUSED = "paused"
    STOPPING = "stopping"
    STOPPED = "stopped"
    FINISHED = "finished"
    FAILED = "failed"
    LOST = "lost"
    UNKNOWN = "unknown"

    @property
    def ended(self) -> bool:
        """Nothing more is expected of it."""
        return self in _ENDED

    @property
    def at_rest(self) -> bool:
        """It makes no progress: paused, or over."""
        return self is Status.PAUSED or self.ended

    @property
    def label(self) -> str:
        return _LOOKS[self][0]

    @property
    def color(self) -> str:
        """A colour name that rich, CSS and terminals all know."""
        return _LOOKS[self][1]


_ENDED = frozenset({Status.STOPPED, Status.FINISHED, Status.FAILED, Status.LOST})
_LOOKS = {
    Status.RUNNING: ("🟢 running", "green"),
    Status.PAUSING: ("🟡 pausing…", "yellow"),
    Status.PAUSED: ("⏸ paused", "yellow"),
    Status.STOPPING: ("🟡 stopping…", "yellow"),
    Status.STOPPED: ("🔴 stopped", "red"),
    Status.FINISHED: ("✅ finished", "green"),
    Status.FAILED: ("❌ failed", "red"),
    Status.LOST: ("❔ lost", "magenta"),
    Status.UNKNOWN: ("❔ unknown", "magenta"),
}


class Action(StrEnum):
    """What can be asked of a process."""

    STOP = "stop"
    PAUSE = "pause"
    RESUME = "resume"


class Outcome(StrEnum):
    """How a request ended. Until then its outcome is None."""

    EFFECTIVE = "effective"
    WITHDRAWN = "withdrawn"
    SUPERSEDED = "superseded"
    FAILED = "failed"
    INTERRUPTED = "interrupted"
    LOST = "lost"


class CellStatus(StrEnum):
    RUNNING = "running"
    OK = "ok"
    ERROR = "error"
    ABORTED = "aborted"
    LOST = "lost"


def new_process_id() -> str:
    """A process id: sortable by time, unique, safe as a file name."""
    return f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{os.urandom(4).hex()}"


def new_request_id() -> str:
    return "r" + os.urandom(6).hex()


def now_us() -> int:
    """Wall-clock time in microseconds since the epoch, UTC: the form every journal line carries."""
    return time.time_ns() // 1000


def mono_us() -> int:
    """Monotonic time in microseconds; comparable between the processes of one boot."""
    return time.monotonic_ns() // 1000


def to_datetime(us: int | None) -> datetime | None:
    """Microseconds since the epoch as an aware UTC datetime."""
    return None if us is None else datetime.fromtimestamp(us / 1e6, UTC)


@dataclass(slots=True, repr=False)
class Request:
    """One stop, pause or resume, with its receipts. Times are microseconds since the epoch, UTC.

    ``seen_latency`` and ``effect_latency`` are seconds since the request, from the monotonic clock; None until
    observed, or where the two ends do not share a boot. ``foreseen`` is how a pending request will come out when its
    target reads what was asked since: a pause that was taken back, and not heard of yet, will be *withdrawn*.
    """

    request_id: str
    process_id: str
    action: Action
    now: bool = False
    keep_kernel: bool = False
    grace: float = 30.0
    escalate: bool = False
    requested_by: str = ""
    reason: str = ""
    requested_at: int = 0
    mono: int = 0
    boot_id: str = ""
    seen_at: int | None = None
    effective_at: int | None = None
    outcome: Outcome | None = None
    note: str = ""
    detail: dict[str, Any] = field(default_factory=dict)
    seen_latency: float | None = None
    effect_latency: float | None = None
    waiting_for: str = ""
    foreseen: Outcome | None = None
    target: str = ""
    actor: str = ""  # pid or name of the one actor that is to be stopped, instead of the process

    @property
    def pending(self) -> bool:
        return self.outcome is None

    @property
    def wanted(self) -> bool:
        """It is pending, and nothing that was asked since undoes it."""
        return self.outcome is None and self.foreseen is None

    @property
    def foretold(self) -> str:
        """What is foreseen, in words."""
        return f"it will be {self.foreseen} as soon as {self.target} reads what was asked since"

    @property
    def status(self) -> str:
        """requested, seen, or the outcome."""
        return self.outcome or ("seen" if self.seen_at else "requested")

    def line(self) -> dict[str, Any]:
        """The inbox line that makes this request."""
        return {
            "e": "request",
            "id": self.request_id,
            "action": self.action.value,
            "now": self.now,
            "keep_kernel": self.keep_kernel,
            "grace": self.grace,
            "escalate": self.escalate,
            "by": self.requested_by,
            "reason": self.reason,
            "at": self.requested_at,
            "mono": self.mono,
            "boot": self.boot_id,
        } | ({"actor": self.actor} if self.actor else {})

    @classmethod
    def from_line(cls, process_id: str, line: dict[str, Any]) -> Request:
        return cls(
            request_id=line["id"],
            process_id=process_id,
            action=Action(line["action"]),
            now=bool(line.get("now")),
            keep_kernel=bool(line.get("keep_kernel")),
            grace=float(line.get("grace", 30.0)),
            escalate=bool(line.get("escalate")),
            requested_by=line.get("by", ""),
            reason=line.get("reason", ""),
            requested_at=line["at"],
            mono=line.get("mono", 0),
            boot_id=line.get("boot", ""),
            actor=line.get("actor", ""),
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON: times as ISO 8601 UTC."""
        data = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in ("mono", "boot_id")}
        for key in ("requested_at", "seen_at", "effective_at"):
            data[key] = iso(data[key])
        data["status"] = self.status
        return data

    def __repr__(self) -> str:
        return f"<Request {self.request_id}: {self}>"

    def __str__(self) -> str:
        how = " now" if self.now else ""
        whom = f"actor {self.actor} of " if self.actor else ""
        text = f"{self.action.value}{how} of {whom}{self.target or self.process_id}: {self.status}"
        if self.outcome is Outcome.EFFECTIVE and self.effect_latency is not None:
            text += f", {self.effect_latency:.3f} s after it was asked"
        if self.note:
            text += f" ({self.note})"
        if self.pending and (self.waiting_for or self.foreseen):
            text += f"; {self.waiting_for or self.foretold}"
        return text


@dataclass(slots=True, repr=False)
class Process:
    """One run of an OS process under a name. Times are microseconds since the epoch, UTC.

    Usable wherever a name is: as a target, as a parent, in ``filtered=``.
    """

    process_id: str
    name: str = ""
    run: int = 0
    kind: Kind = Kind.SCRIPT
    status: Status = Status.UNKNOWN
    activity: str | None = None
    user_id: str = ""
    identity: Identity | None = None
    parent_id: str | None = None
    parent_cell: int | None = None
    started_at: int | None = None
    ended_at: int | None = None
    exit_code: int | None = None
    exit_signal: int | None = None
    error: str | None = None
    path: str | None = None
    argv: list[str] = field(default_factory=list)
    cwd: str | None = None
    python: str | None = None
    kernel_id: str | None = None
    notebook: str | None = None
    description: str = ""
    names: list[str] = field(default_factory=list)
    controllable: bool = True
    paused_from_outside: bool = False
    request: Request | None = None
    requests: dict[str, Request] = field(default_factory=dict)

    @property
    def address(self) -> str:
        """NAME#RUN."""
        return f"{self.name}#{self.run}"

    def __repr__(self) -> str:
        return f"<Process {self.address} {self.status.label}>"

    @property
    def pid(self) -> int | None:
        return self.identity.pid if self.identity else None

    def presence(self) -> Presence:
        return self.identity.presence() if self.identity else Presence.UNKNOWN

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON: times as ISO 8601 UTC, the request as a dict."""
        skipped = {"identity", "requests", "request", "names"}
        data = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in skipped}
        who = self.identity
        data |= {"host": who.host if who else None, "pid": self.pid, "boot_id": who.boot_id if who else None}
        data |= {"started_at": iso(self.started_at), "ended_at": iso(self.ended_at)}
        data["request"] = self.request.to_dict() if self.request else None
        return data


def iso(us: int | None) -> str | None:
    """Microseconds since the epoch as ISO 8601 UTC.

    >>> iso(1_700_000_000_123_456)
    '2023-11-14T22:13:20.123456Z'
    """
    moment = to_datetime(us)
    return None if moment is None else moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
