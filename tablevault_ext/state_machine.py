"""What a process's journal and its inbox, read together, say about it. Pure: no I/O, no clock.

    running → pausing → paused → running
    running | pausing | paused → stopping → stopped
    stopping → running | paused        (withdrawn, or the kernel is kept)
    any live state → finished | failed
    lost                               where the OS process is gone and wrote no ending

Two folds live here. `Desk` is the target's: it takes inbox lines in order and alone decides. `fold` is
everybody else's: it reads what the target decided, and what is still waiting to be decided.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from .identity import Identity, Presence
from .model import Action, Kind, Outcome, Process, Request, Status

Event = dict[str, Any]

TRANSITIONS: dict[Status, frozenset[Status]] = {
    Status.RUNNING: frozenset({Status.PAUSING, Status.PAUSED, Status.STOPPING}),
    Status.PAUSING: frozenset({Status.PAUSED, Status.RUNNING, Status.STOPPING}),
    Status.PAUSED: frozenset({Status.RUNNING, Status.STOPPING}),
    Status.STOPPING: frozenset({Status.STOPPED, Status.RUNNING, Status.PAUSED}),
}
"""Which live state may follow which; every live state may also end as finished or failed."""


def may_follow(before: Status, after: Status) -> bool:
    """Whether the state machine allows this step.

    >>> may_follow(Status.PAUSED, Status.RUNNING), may_follow(Status.STOPPED, Status.RUNNING)
    (True, False)
    """
    if before.ended:
        return False
    return after in (Status.FINISHED, Status.FAILED, before) or after in TRANSITIONS.get(before, frozenset())


@dataclass(slots=True)
class Decision:
    """One line the target writes about one request."""

    request: Request
    outcome: Outcome | None  # None: only seen
    note: str = ""


@dataclass(slots=True)
class Desk:
    """The target's desk: the requests that it has read and not finished with.

    Lines are taken in order. A second identical request joins the first, a stop supersedes pauses, a resume
    withdraws a pause that has not taken effect, and a request can be withdrawn until it takes effect.
    """

    process_id: str
    pauses: list[Request] = field(default_factory=list)
    stops: list[Request] = field(default_factory=list)
    resumes: list[Request] = field(default_factory=list)
    actor_stops: list[Request] = field(default_factory=list)
    paused: bool = False
    stopping: bool = False

    @property
    def wants_pause(self) -> bool:
        return bool(self.pauses) and not self.stops and not self.resumes

    def take(self, line: Event) -> list[Decision]:
        """Fold one inbox line; return what has to be journaled about it."""
        kind = line.get("e")
        if kind == "withdraw":
            return self._withdraw(line["id"])
        if kind != "request" or line.get("now"):
            return []  # a now-request is carried out, and observed, by its requester
        request = Request.from_line(self.process_id, line)
        if request.actor:
            self.actor_stops.append(request)  # concerns one actor; the process itself runs on
            return []
        if request.action is Action.STOP:
            return self._stop(request)
        if request.action is Action.PAUSE:
            return self._pause(request)
        return self._resume(request)

    def _stop(self, request: Request) -> list[Decision]:
        closed = []
        if not self.paused:
            closed = [Decision(p, Outcome.SUPERSEDED, "a stop came after it") for p in self.pauses]
            self.pauses.clear()
        if not self.stopping:
            older = [s for s in self.stops if s.keep_kernel != request.keep_kernel]
            closed += [Decision(s, Outcome.SUPERSEDED, "another stop came after it") for s in older]
            self.stops = [s for s in self.stops if s not in older]
        self.stops.append(request)
        return closed

    def _pause(self, request: Request) -> list[Decision]:
        if self.stops or self.stopping:
            return [Decision(request, Outcome.SUPERSEDED, "the process is stopping")]
        if self.paused and not self.resumes:
            return [Decision(request, Outcome.EFFECTIVE, "it was paused already")]
        self.pauses.append(request)
        if self.paused:  # resume, then pause again before the wait noticed: it simply stays paused
            undone = [Decision(r, Outcome.SUPERSEDED, "a pause came after it") for r in self.resumes]
            self.resumes.clear()
            self.pauses.remove(request)
            return [*undone, Decision(request, Outcome.EFFECTIVE, "it was paused already")]
        return []

    def _resume(self, request: Request) -> list[Decision]:
        if self.stops or self.stopping:
            return [Decision(request, Outcome.FAILED, "the process is stopping")]
        if self.paused:
            self.resumes.append(request)
            return []
        if not self.pauses:
            return [Decision(request, Outcome.FAILED, "the process was not paused")]
        withdrawn = [Decision(p, Outcome.WITHDRAWN, "resumed before it took effect") for p in self.pauses]
        self.pauses.clear()
        return [*withdrawn, Decision(request, Outcome.EFFECTIVE, "the pause had not taken effect")]

    def _withdraw(self, request_id: str) -> list[Decision]:
        piles = (
            (self.pauses, self.paused),
            (self.stops, self.stopping),
            (self.resumes, False),
            (self.actor_stops, False),
        )
        for pile, done in piles:
            for request in pile:
                if request.request_id == request_id and not done:
                    pile.remove(request)
                    return [Decision(request, Outcome.WITHDRAWN)]
        return []


def fold(
    process_id: str,
    own: Iterable[Event],
    inbox: Iterable[tuple[int, Event]],
    wrapper: Iterable[Event] = (),
    presence: Presence | None = None,
    *,
    suspended: bool | None = None,
) -> Process:
    """What can be said of one process.

    Args:
        own: the control events of its own journal, in order.
        inbox: (end offset in bytes, line) of its inbox, in order.
        wrapper: the events of the `tablevault run` that started it, in order.
        presence: whether the OS process is there; None leaves *lost* undecided (the stored form).
        suspended: whether the operating system shows it suspended (SIGSTOP); None trusts what requesters saw.
    """
    state = _Fold(Process(process_id))
    for event in wrapper:
        state.wrapper_event(event)
    for event in own:
        state.own_event(event)
    for offset, line in inbox:
        state.inbox_line(offset, line)
    return state.finish(presence, suspended)


_STARTED = (
    "user_id",
    "parent_id",
    "parent_cell",
    "path",
    "argv",
    "cwd",
    "python",
    "kernel_id",
    "notebook",
    "description",
)


class _Fold:
    def __init__(self, process: Process) -> None:
        self.process = process
        self.acknowledged = 0
        self.own_status = Status.RUNNING
        self.busy: set[int] = set()
        self.ending: Event | None = None
        self.wrapper_ending: Event | None = None
        self.observed: list[Event] = []
        self.receipts: dict[str, list[Event]] = {}
        self.inbox: list[tuple[int, Event]] = []

    def wrapper_event(self, event: Event) -> None:
        if event["e"] == "process_started":
            self._started(event)
            self.process.controllable = False  # until the child takes its record over: it alone has checkpoints
        elif event["e"] == "process_ended":
            self.wrapper_ending = event
        elif event["e"] == "process_named":
            self.process.name, self.process.run = event["name"], event["run"]
            self.process.names.append(event["name"])

    def own_event(self, event: Event) -> None:
        kind = event["e"]
        process = self.process
        if "inbox" in event:
            self.acknowledged = max(self.acknowledged, event["inbox"])
        if "status" in event and kind != "process_ended" and not kind.startswith("cell"):
            self.own_status = Status(event["status"])
        if kind == "process_started":
            self._started(event)
            process.controllable = True
        elif kind == "process_named":
            process.name, process.run = event["name"], event["run"]
            process.names.append(event["name"])
            process.description = event.get("description") or process.description
            process.user_id = event.get("user_id") or process.user_id
            if "parent_id" in event:
                process.parent_id, process.parent_cell = event["parent_id"], event.get("parent_cell")
        elif kind == "process_ended":
            self.ending = event
        elif kind == "notebook_moved":
            process.notebook = event["notebook"]
        elif kind == "uncontrolled":
            process.controllable = False
        elif kind.startswith("request_"):
            self.receipts.setdefault(event["id"], []).append(event)

    def _started(self, event: Event) -> None:
        process = self.process
        process.name = event.get("name") or process.name
        process.run = event.get("run") or process.run
        process.kind = Kind(event["kind"])
        process.identity = Identity.from_json(event["identity"])
        if process.started_at is None:
            process.started_at = event["at"]
        if process.name:
            process.names.append(process.name)
        for key in _STARTED:
            if event.get(key) is not None:
                setattr(process, key, event[key])

    def inbox_line(self, offset: int, line: Event) -> None:
        if line.get("e") == "request":
            request = Request.from_line(self.process.process_id, line)
            self.process.requests[request.request_id] = request
        elif line.get("e") == "observed":
            self.observed.append(line)
        self.inbox.append((offset, line))

    def finish(self, presence: Presence | None, suspended: bool | None) -> Process:
        process = self.process
        for request in process.requests.values():
            request.target = process.address
            for event in self.receipts.get(request.request_id, ()):
                apply_receipt(request, event)
        for line in self.observed:
            observed = process.requests.get(line.get("id", ""))
            if observed is not None:
                apply_receipt(observed, line)
        process.status = self._status(suspended)
        if presence is not None and not process.status.ended:
            if presence is Presence.GONE:
                process.status = Status.LOST
            elif presence is Presence.UNKNOWN:
                process.status = Status.UNKNOWN
        if process.status.ended:
            self._close_pending()
        process.request = self._current_request()
        return process

    def _status(self, suspended: bool | None) -> Status:
        process = self.process
        ending = self.ending or self.wrapper_ending
        if ending is None:
            ending = next((line for line in self.observed if line.get("ended")), None)
        if ending is None:
            return self._live_status(suspended)
        process.ended_at = ending.get("ended_at", ending["at"])
        # The wrapper alone sees exact codes; the process itself knows best why it ended.
        for source in (self.wrapper_ending, self.ending, ending):
            if source is not None:
                process.exit_code = _first(process.exit_code, source.get("exit_code"))
                process.exit_signal = _first(process.exit_signal, source.get("exit_signal"))
                process.error = _first(process.error, source.get("error"))
        if self.ending is not None and self.wrapper_ending is not None:
            process.error = _first(self.ending.get("error"), process.error)
            own, exact = Status(self.ending["status"]), Status(self.wrapper_ending["status"])
            return exact if own is Status.FINISHED else own
        if ending is self.wrapper_ending and process.exit_signal and self._stopped_now():
            return Status.STOPPED  # the wrapper saw a signal; the requester knows whose it was
        if process.kind is Kind.NOTEBOOK and ending["status"] == Status.FINISHED and self._stopped_now():
            return Status.STOPPED  # its server shut it down; the kernel does not know why
        return Status(ending["status"])

    def _stopped_now(self) -> bool:
        return any(r.now and r.action is Action.STOP for r in self.process.requests.values())

    def _live_status(self, suspended: bool | None) -> Status:
        status = self._decided_status()
        seen = [line["status"] for line in self.observed if line.get("status") in (Status.PAUSED, Status.RUNNING)]
        paused_now = bool(seen) and seen[-1] == Status.PAUSED
        if suspended is None:
            suspended = paused_now
        elif suspended and not paused_now and status is not Status.PAUSED:
            self.process.paused_from_outside = True
        return Status.PAUSED if suspended and status is not Status.STOPPING else status

    def _decided_status(self) -> Status:
        """What the target said last, and what the lines that it has not folded yet will make of it."""
        status = self.own_status
        waiting = [line for offset, line in self.inbox if offset > self.acknowledged]
        desk = Desk(self.process.process_id, paused=status is Status.PAUSED, stopping=status is Status.STOPPING)
        pending = [r for r in self.process.requests.values() if r.pending]
        if status is Status.PAUSING:
            desk.pauses = [r for r in pending if r.action is Action.PAUSE and r.seen_at]
        for line in waiting:
            for decision in desk.take(line):
                decided = self.process.requests[decision.request.request_id]
                if decided.pending:
                    decided.foreseen = decision.outcome
        if desk.stops or any(r.now and r.action is Action.STOP for r in pending):
            return Status.STOPPING
        if status is Status.PAUSING and not desk.pauses:
            return Status.RUNNING
        if status is Status.RUNNING and desk.pauses:
            return Status.PAUSING
        return status

    def _close_pending(self) -> None:
        """A process that is over decides nothing more: say how each open request came out."""
        process = self.process
        for request in process.requests.values():
            if not request.pending:
                continue
            if process.status is Status.LOST:
                request.outcome, request.note = Outcome.LOST, "the process vanished before it answered"
            elif request.action is Action.STOP and (process.status is Status.STOPPED or request.now):
                request.outcome = Outcome.EFFECTIVE
                request.effective_at = process.ended_at
                ending = self.ending or self.wrapper_ending or {}
                if ending.get("boot") == request.boot_id and ending.get("mono"):
                    request.effect_latency = (ending["mono"] - request.mono) / 1e6
            else:
                request.outcome = Outcome.FAILED
                request.note = f"the process ended first ({process.status})"

    def _current_request(self) -> Request | None:
        """The request that explains the present state, else the oldest that waits and is still wanted."""
        requests = list(self.process.requests.values())
        if self.process.status is Status.PAUSED:
            held = [r for r in requests if r.action is Action.PAUSE and r.outcome is Outcome.EFFECTIVE]
            waiting = [r for r in requests if r.wanted]
            return waiting[0] if waiting else (held[-1] if held else None)
        return next((r for r in requests if r.wanted), None)


def apply_receipt(request: Request, event: Event) -> None:
    """Add one receipt of the target, or one observation of a requester, to a request."""
    latency = None
    if event.get("boot") == request.boot_id and event.get("mono"):
        latency = (event["mono"] - request.mono) / 1e6
    if request.seen_at is None and event.get("outcome") in (None, Outcome.EFFECTIVE):
        request.seen_at, request.seen_latency = event["at"], latency
    if event.get("outcome") is not None:
        request.outcome = Outcome(event["outcome"])
        if request.outcome is Outcome.EFFECTIVE:
            request.effective_at, request.effect_latency = event["at"], latency
    request.note = event.get("note") or request.note
    request.detail |= event.get("detail") or {}


def _first(*values: Any) -> Any:
    return next((value for value in values if value is not None), None)
