"""Whether processes that wrote no ending are there: *lost* and *unknown* are derived by whoever looks."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from duckdb import DuckDBPyConnection

from ..identity import Identity, Presence
from ..model import Status
from .rows import quote

ENDED = ", ".join(quote(status) for status in Status if status.ended)
"""The statuses in which nothing more is expected, for SQL's IN."""

_FINAL = ", ".join(quote(status) for status in Status if status.ended and status is not Status.LOST)


@dataclass(frozen=True, slots=True)
class Look:
    """Who was there at one moment, *before* journals are read: whoever was gone then has written all it ever will.

    ``changed``: the processes whose stored status says otherwise.
    """

    presences: dict[Identity, Presence] = field(default_factory=dict)
    changed: frozenset[str] = frozenset()


def look(connection: DuckDBPyConnection) -> Look:
    """Look for every process that is not known to have ended: *lost* and *unknown* are derived by whoever looks."""
    unended = find_unended(connection)
    presences = {who: who.presence() for one in unended for who in (one.own, one.wrapper) if who is not None}
    changed = {one.process_id for one in unended if not one.agrees(presences)}
    return Look(presences, frozenset(changed))


@dataclass(frozen=True, slots=True)
class Unended:
    """A process that wrote no ending, as stored; the identities of itself and of its `tablevault run`."""

    process_id: str
    status: str
    suspended: bool | None
    own: Identity
    wrapper: Identity | None

    def agrees(self, presences: dict[Identity, Presence] | None = None) -> bool:
        """Whether the stored status is still what can be seen."""
        if presences is None:
            presences = {who: who.presence() for who in (self.own, self.wrapper) if who is not None}
        presence = judge(presences, self.own, self.wrapper)
        if presence is Presence.GONE:
            return self.status == Status.LOST
        if presence is Presence.UNKNOWN:
            return self.status in (Status.UNKNOWN, Status.LOST)
        suspended = self.own.suspended() if presences[self.own] is Presence.ALIVE else None
        return self.status not in (Status.UNKNOWN, Status.LOST) and suspended == self.suspended

    def alive(self) -> bool:
        """Whether it, or its wrapper, is there."""
        return any(who is not None and who.presence() is Presence.ALIVE for who in (self.own, self.wrapper))


_UNENDED = f"""
    SELECT process_id, status, suspended, wrapper, pid, start_ticks, boot_id, pid_ns, host FROM processes
    WHERE status NOT IN ({_FINAL}) AND pid IS NOT NULL
"""  # noqa: S608


def find_unended(connection: DuckDBPyConnection) -> list[Unended]:
    """Every process that wrote no ending."""
    rows = connection.execute(_UNENDED).fetchall()
    return [
        Unended(
            process_id,
            status,
            suspended,
            Identity(*identity),
            None if wrapper is None else Identity.from_json(json.loads(wrapper)),
        )
        for process_id, status, suspended, wrapper, *identity in rows
    ]


def judge(presences: dict[Identity, Presence], own: Identity | None, wrapper: Identity | None) -> Presence:
    """Whether anybody is there who may still write how it ends: the process, or its `tablevault run`."""
    seen = {presences.get(identity) for identity in (own, wrapper) if identity is not None}
    if Presence.ALIVE in seen:
        return Presence.ALIVE
    return Presence.GONE if seen == {Presence.GONE} else Presence.UNKNOWN
