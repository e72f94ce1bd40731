"""Rows of processes and requests: folded in Python from the stored control events."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

import psutil
from duckdb import DuckDBPyConnection

from ..identity import LINUX, Identity, Presence, boot_id, host
from ..model import Process, Request
from ..state_machine import Event, fold
from .offsets import INBOX, OWN
from .presence import ENDED, Look, judge
from .rows import MICROSECONDS, among, insert_rows
from .staging import Notice

log = logging.getLogger("tablevault_ext")

_PROCESS_COLUMNS = {
    "process_id": "VARCHAR",
    "name": "VARCHAR",
    "run": "INTEGER",
    "kind": "VARCHAR",
    "status": "VARCHAR",
    "activity": "VARCHAR",
    "user_id": "VARCHAR",
    "host": "VARCHAR",
    "pid": "BIGINT",
    "create_time": MICROSECONDS,
    "boot_id": "VARCHAR",
    "pid_ns": "VARCHAR",
    "start_ticks": "BIGINT",
    "parent_id": "VARCHAR",
    "parent_cell": "INTEGER",
    "started_at": MICROSECONDS,
    "ended_at": MICROSECONDS,
    "exit_code": "INTEGER",
    "exit_signal": "INTEGER",
    "error": "VARCHAR",
    "path": "VARCHAR",
    "argv": "VARCHAR[]",
    "cwd": "VARCHAR",
    "python": "VARCHAR",
    "kernel_id": "VARCHAR",
    "notebook": "VARCHAR",
    "description": "VARCHAR",
    "names": "VARCHAR[]",
    "controllable": "BOOLEAN",
    "wrapper": "VARCHAR",
    "suspended": "BOOLEAN",
    "paused_from_outside": "BOOLEAN",
    "request_id": "VARCHAR",
}
_REQUEST_COLUMNS = {
    "request_id": "VARCHAR",
    "process_id": "VARCHAR",
    "action": "VARCHAR",
    "now": "BOOLEAN",
    "keep_kernel": "BOOLEAN",
    "grace": "DOUBLE",
    "escalate": "BOOLEAN",
    "requested_by": "VARCHAR",
    "reason": "VARCHAR",
    "requested_at": MICROSECONDS,
    "seen_at": MICROSECONDS,
    "effective_at": MICROSECONDS,
    "outcome": "VARCHAR",
    "seen_latency": "DOUBLE",
    "effect_latency": "DOUBLE",
    "note": "VARCHAR",
    "detail": "VARCHAR",
}


@dataclass(slots=True)
class Folded:
    """``undecided``: gone now, but there when we looked, so an ending may have been written since: look again."""

    notices: list[Notice] = field(default_factory=list)
    undecided: set[str] = field(default_factory=set)


def refold(connection: DuckDBPyConnection, process_ids: Collection[str], looked: Look) -> Folded:
    """Make the rows of these processes and their requests anew from their events."""
    folded = Folded()
    if not process_ids:
        return folded
    ids = among(process_ids)
    events: dict[str, _Events] = {process_id: _Events() for process_id in process_ids}
    stored = connection.execute(
        f"SELECT process_id, source, position, data FROM events WHERE process_id IN {ids} ORDER BY position"  # noqa: S608
    )
    for process_id, source, position, data in stored.fetchall():
        events[process_id].add(source, position, json.loads(data))
    rows = [_fold(process_id, found, looked, folded) for process_id, found in events.items()]
    for table in ("processes", "requests"):
        connection.execute(f"DELETE FROM {table} WHERE process_id IN {ids}")  # noqa: S608
    insert_rows(connection, "processes", _PROCESS_COLUMNS, [_process_row(row) for row in rows])
    requests = [request for row in rows for request in row.process.requests.values()]
    insert_rows(connection, "requests", _REQUEST_COLUMNS, [_request_row(r) for r in requests])
    return folded


@dataclass(slots=True)
class _Events:
    own: list[Event] = field(default_factory=list)
    wrapper: list[Event] = field(default_factory=list)
    inbox: list[tuple[int, Event]] = field(default_factory=list)

    def add(self, source: str, position: int, event: Event) -> None:
        if source == INBOX:
            self.inbox.append((position, event))
        else:
            (self.own if source == OWN else self.wrapper).append(event)

    def wrapper_identity(self) -> Identity | None:
        started = (event for event in reversed(self.wrapper) if event["e"] == "process_started")
        return next((Identity.from_json(event["identity"]) for event in started), None)

    def fold(self, process_id: str, presence: Presence | None = None, suspended: bool | None = None) -> Process:
        return fold(process_id, self.own, self.inbox, self.wrapper, presence, suspended=suspended)


@dataclass(slots=True)
class _Row:
    process: Process
    wrapper: Identity | None = None
    suspended: bool | None = None


def _fold(process_id: str, events: _Events, looked: Look, folded: Folded) -> _Row:
    try:
        process = events.fold(process_id)
    except Exception as error:
        # One event that no version of ours wrote must not keep the whole vault from being read.
        log.debug("the events of %s cannot be folded", process_id, exc_info=True)
        message = f"an event of {process_id} makes no sense ({type(error).__name__}: {error}) and was passed over"
        folded.notices.append(Notice("unfoldable", process_id, f"journals/{process_id}.ndjson", message))
        events = _sensible(process_id, events)
        process = events.fold(process_id)
    row = _Row(process, None if process.status.ended else events.wrapper_identity())
    if not process.status.ended:
        presence = _presence(process, row.wrapper, looked)
        if presence is None:
            folded.undecided.add(process_id)
        elif presence is Presence.ALIVE:
            row.suspended = process.identity.suspended() if process.identity else None
            row.process = events.fold(process_id, presence, row.suspended)
        else:
            row.process = events.fold(process_id, presence)
    row.process.name = row.process.name or process_id
    return row


def _presence(process: Process, wrapper: Identity | None, looked: Look) -> Presence | None:
    """What to say of a process that wrote no ending; None when it may have written one since we read."""
    own = process.identity
    presence = judge(looked.presences, own, wrapper)
    unseen = {identity for identity in (own, wrapper) if identity is not None} - looked.presences.keys()
    if presence is Presence.ALIVE or not unseen:
        return presence
    now = {identity: identity.presence() for identity in unseen}
    presence = judge(looked.presences | now, own, wrapper)
    return None if presence is Presence.GONE else presence


def _sensible(process_id: str, events: _Events) -> _Events:
    """The events that can be folded, found by trying each."""

    def folds(**only: Any) -> bool:
        try:
            _Events(**only).fold(process_id)
        except Exception:
            return False
        return True

    good = _Events(
        [event for event in events.own if folds(own=[event])],
        [event for event in events.wrapper if folds(wrapper=[event])],
        [line for line in events.inbox if folds(inbox=[line])],
    )
    for drop in ("inbox", "own"):
        if not folds(own=good.own, wrapper=good.wrapper, inbox=good.inbox):
            setattr(good, drop, [])
    return good


def derive_lost_cells(connection: DuckDBPyConnection, process_ids: Collection[str]) -> None:
    """Cells left open by a process that is over are *lost*."""
    if not process_ids:
        return
    ids = among(process_ids)
    over = f"process_id IN (SELECT process_id FROM processes WHERE process_id IN {ids} AND status IN ({ENDED}))"  # noqa: S608
    alive = f"process_id IN (SELECT process_id FROM processes WHERE process_id IN {ids} AND status NOT IN ({ENDED}))"  # noqa: S608
    connection.execute(f"UPDATE cells SET status = 'lost' WHERE status = 'running' AND {over}")  # noqa: S608
    connection.execute(f"UPDATE cells SET status = 'running' WHERE status = 'lost' AND {alive}")  # noqa: S608


def derive_activity(connection: DuckDBPyConnection, process_ids: Collection[str]) -> None:
    """Whether a living notebook is busy."""
    if not process_ids:
        return
    connection.execute(
        f"""
        UPDATE processes SET activity = CASE
            WHEN status IN ({ENDED}) OR kind <> 'notebook' THEN NULL
            WHEN process_id IN (SELECT process_id FROM cells WHERE status = 'running') THEN 'busy' ELSE 'idle' END
        WHERE process_id IN {among(process_ids)} AND kind = 'notebook'
        """  # noqa: S608
    )


def _process_row(row: _Row) -> tuple[Any, ...]:
    process = row.process
    who = process.identity
    return (
        process.process_id,
        process.name,
        process.run,
        process.kind.value,
        process.status.value,
        None,
        process.user_id,
        who.host if who else None,
        who.pid if who else None,
        _create_time(who),
        who.boot_id if who else None,
        who.pid_ns if who else None,
        who.start if who else None,
        process.parent_id,
        process.parent_cell,
        process.started_at,
        process.ended_at,
        process.exit_code,
        process.exit_signal,
        process.error,
        process.path,
        process.argv,
        process.cwd,
        process.python,
        process.kernel_id,
        process.notebook,
        process.description,
        process.names,
        process.controllable,
        None if row.wrapper is None else json.dumps(row.wrapper.to_json()),
        row.suspended,
        process.paused_from_outside,
        process.request.request_id if process.request else None,
    )


def _create_time(who: Identity | None) -> int | None:
    """Microseconds since the epoch; known only during the boot in which the process was started."""
    if who is None or who.host != host() or who.boot_id != boot_id():
        return None
    if not LINUX:
        return who.start * 1000
    return round((psutil.boot_time() + who.start / os.sysconf("SC_CLK_TCK")) * 1e6)


def _request_row(request: Request) -> tuple[Any, ...]:
    return (
        request.request_id,
        request.process_id,
        request.action.value,
        request.now,
        request.keep_kernel,
        request.grace,
        request.escalate,
        request.requested_by,
        request.reason,
        request.requested_at,
        request.seen_at,
        request.effective_at,
        request.outcome.value if request.outcome else None,
        request.seen_latency,
        request.effect_latency,
        request.note,
        json.dumps(request.detail),
    )
