"""Rows of processes and requests as the objects that everybody uses."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from duckdb import DuckDBPyConnection

from ..errors import BadArgument
from ..identity import Identity
from ..model import Action, CellStatus, Kind, Outcome, Process, Request, Status
from .rows import among

_PROCESS = (
    "p.process_id, p.name, p.run, p.kind, p.status, p.activity, p.user_id, p.pid, p.start_ticks, p.boot_id, p.pid_ns, "
    "p.host, p.parent_id, p.parent_cell, epoch_us(p.started_at), epoch_us(p.ended_at), p.exit_code, p.exit_signal, "
    "p.error, p.path, p.argv, p.cwd, p.python, p.kernel_id, p.notebook, p.description, p.names, p.controllable, "
    "p.paused_from_outside, p.request_id"
)
NEWEST_FIRST = "p.started_at DESC NULLS LAST, p.process_id DESC"
_BIGGEST = 2**62


def find_processes(
    connection: DuckDBPyConnection,
    conditions: Sequence[str],
    *,
    source: str = "processes p",
    order: str = NEWEST_FIRST,
    limit: int | None = None,
) -> list[Process]:
    where = " AND ".join(conditions) or "true"
    rows = connection.execute(
        f"SELECT {_PROCESS} FROM {source} WHERE {where} ORDER BY {order} LIMIT {count_of(limit)}"  # noqa: S608
    ).fetchall()
    processes = [_process(row) for row in rows]
    _attach_requests(connection, processes, {row[0]: row[-1] for row in rows})
    return processes


def _process(row: tuple[Any, ...]) -> Process:
    (process_id, name, run, kind, status, activity, user_id, pid, start, boot, pid_ns, host, *rest) = row
    identity = None if pid is None else Identity(pid, start, boot, pid_ns, host)
    (parent_id, parent_cell, started_at, ended_at, exit_code, exit_signal, error, path, argv, *others) = rest
    cwd, python, kernel_id, notebook, description, names, controllable, paused_from_outside, _ = others
    return Process(
        process_id,
        name=name,
        run=run,
        kind=Kind(kind),
        status=Status(status),
        activity=activity,
        user_id=user_id or "",
        identity=identity,
        parent_id=parent_id,
        parent_cell=parent_cell,
        started_at=started_at,
        ended_at=ended_at,
        exit_code=exit_code,
        exit_signal=exit_signal,
        error=error,
        path=path,
        argv=list(argv or []),
        cwd=cwd,
        python=python,
        kernel_id=kernel_id,
        notebook=notebook,
        description=description,
        names=list(names),
        controllable=controllable,
        paused_from_outside=paused_from_outside,
    )


def _attach_requests(
    connection: DuckDBPyConnection, processes: Sequence[Process], current: dict[str, str | None]
) -> None:
    if not processes:
        return
    by_id = {process.process_id: process for process in processes}
    for request in find_requests(connection, [f"r.process_id IN {among(by_id)}"], newest_first=False):
        process = by_id[request.process_id]
        request.target = process.address
        process.requests[request.request_id] = request
    for process in processes:
        process.request = process.requests.get(current[process.process_id] or "")


_REQUEST = (
    "r.request_id, r.process_id, r.action, r.now, r.keep_kernel, r.grace, r.escalate, r.requested_by, r.reason, "
    "epoch_us(r.requested_at), epoch_us(r.seen_at), epoch_us(r.effective_at), r.outcome, r.seen_latency, "
    "r.effect_latency, r.note, r.detail, p.name, p.run"
)


def find_requests(
    connection: DuckDBPyConnection,
    conditions: Sequence[str],
    *,
    newest_first: bool = True,
    limit: int | None = None,
) -> list[Request]:
    where = " AND ".join(conditions) or "true"
    order = "DESC" if newest_first else "ASC"
    rows = connection.execute(
        f"SELECT {_REQUEST} FROM requests r LEFT JOIN processes p USING (process_id) WHERE {where} "  # noqa: S608
        f"ORDER BY r.requested_at {order}, r.request_id LIMIT {count_of(limit)}"
    ).fetchall()
    return [
        Request(
            request_id=row[0],
            process_id=row[1],
            action=Action(row[2]),
            now=row[3],
            keep_kernel=row[4],
            grace=row[5],
            escalate=row[6],
            requested_by=row[7] or "",
            reason=row[8] or "",
            requested_at=row[9],
            seen_at=row[10],
            effective_at=row[11],
            outcome=None if row[12] is None else Outcome(row[12]),
            seen_latency=row[13],
            effect_latency=row[14],
            note=row[15] or "",
            detail=json.loads(row[16]) if row[16] else {},
            target=f"{row[17]}#{row[18]}" if row[17] else "",
        )
        for row in rows
    ]


def word_of(words: type[Kind] | type[Status] | type[CellStatus], value: str) -> str:
    try:
        return words(value).value
    except ValueError:
        known = ", ".join(word.value for word in words)
        raise BadArgument(f"{str(value)[:80]!r} is none of {known}") from None


def count_of(value: int | None) -> int:
    if value is None:
        return _BIGGEST
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise BadArgument(f"limit and offset must be whole numbers, 0 or more, not {value!r}")
    return min(value, _BIGGEST)
