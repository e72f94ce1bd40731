"""What is going on now: running cells, scripts and commands, and requests that wait."""

from __future__ import annotations

from dataclasses import dataclass, replace

from duckdb import DuckDBPyConnection

from ..model import Kind, Process, Status, now_us, to_datetime
from ..paths import VaultPaths
from .presence import ENDED
from .process_rows import find_processes
from .rows import quote
from .snapshot import asked_again, open_snapshot


@dataclass(frozen=True, slots=True)
class Operation:
    """Something that has begun and has not ended.

    ``timestamp`` is its start in microseconds since the epoch, made unique: `vault_cleanup` takes it. ``what`` is
    cell, script, command, worker, notebook, or a request (``stop request``). ``gone``: its process is not there any
    more, so it will never end by itself.
    """

    timestamp: int
    what: str
    process_name: str
    process_id: str
    age: float
    gone: bool = False
    seq: int | None = None
    request_id: str | None = None
    text: str = ""

    @property
    def start(self) -> str:
        """When it began, local time."""
        moment = to_datetime(self.timestamp)
        return "" if moment is None else f"{moment.astimezone():%Y-%m-%d %H:%M:%S}"

    def __str__(self) -> str:
        number = f" [{self.seq}]" if self.what == "cell" else ""
        gone = ", its process is gone" if self.gone else ""
        first = self.text.strip().splitlines()[0][:60] if self.text.strip() else ""
        return f"{self.what}{number} of {self.process_name}, {self.age:.1f} s{gone}" + (f": {first}" if first else "")


class Operations(list[Operation]):
    """Operations, oldest first; one a line when printed."""

    def __str__(self) -> str:
        return "\n".join(f"{op.timestamp}  {op.start}  {op}" for op in self) or "nothing is going on"

    __repr__ = __str__


_UNENDED_LOST = f"(p.status = {quote(Status.LOST)} AND p.ended_at IS NULL)"
_OPEN = f"(p.status NOT IN ({ENDED}) OR {_UNENDED_LOST})"

_CELLS = f"""
    SELECT epoch_us(c.started_at), p.process_id, c.seq, c.code, p.kind FROM cells c JOIN processes p USING (process_id)
    WHERE c.status IN ('running', 'lost') AND c.ended_at IS NULL AND {_OPEN}
"""  # noqa: S608
_REQUESTS = f"""
    SELECT epoch_us(r.requested_at), p.process_id, r.request_id, r.action, r.reason
    FROM requests r JOIN processes p USING (process_id)
    WHERE (r.outcome IS NULL OR (r.outcome = 'lost' AND {_UNENDED_LOST}))
"""  # noqa: S608


@asked_again
def current_operations(paths: VaultPaths) -> Operations:
    """Running cells, scripts, commands and workers, and pending requests; those of lost processes are marked *gone*."""
    with open_snapshot(paths) as snapshot:
        connection = snapshot.connection
        processes = {p.process_id: p for p in find_processes(connection, [_OPEN])}
        found = _cell_operations(connection, processes)
        covered = {operation.process_id for operation in found}
        found += _process_operations(processes, covered)
        found += _request_operations(connection, processes)
    return _unique(found)


def abandoned_operations(paths: VaultPaths) -> Operations:
    """Those of `current_operations` whose process is gone: what a cleanup may close."""
    return Operations(operation for operation in current_operations(paths) if operation.gone)


def _cell_operations(connection: DuckDBPyConnection, processes: dict[str, Process]) -> list[Operation]:
    operations = []
    for started_at, process_id, seq, code, kind in connection.execute(_CELLS).fetchall():
        process = processes[process_id]
        what = "cell" if kind == Kind.NOTEBOOK else str(kind)
        text = code if kind == Kind.NOTEBOOK else process.path
        operations.append(_operation(started_at, what, process, seq=seq, text=text or ""))
    return operations


def _process_operations(processes: dict[str, Process], covered: set[str]) -> list[Operation]:
    operations = []
    for process in processes.values():
        gone = process.status is Status.LOST
        # A living notebook without a running cell is idle: nothing goes on there.
        if process.process_id not in covered and (gone or process.kind is not Kind.NOTEBOOK):
            text = " ".join(process.argv) or process.path or ""
            operations.append(_operation(process.started_at, process.kind.value, process, text=text))
    return operations


def _request_operations(connection: DuckDBPyConnection, processes: dict[str, Process]) -> list[Operation]:
    return [
        _operation(at, f"{action} request", processes[process_id], request_id=request_id, text=reason or "")
        for at, process_id, request_id, action, reason in connection.execute(_REQUESTS).fetchall()
        if process_id in processes
    ]


def _operation(
    at: int | None,
    what: str,
    process: Process,
    *,
    seq: int | None = None,
    request_id: str | None = None,
    text: str = "",
) -> Operation:
    start = at or process.started_at or 0
    age = max(now_us() - start, 0) / 1e6
    gone = process.status is Status.LOST
    return Operation(start, what, process.address, process.process_id, age, gone, seq, request_id, text)


def _unique(found: list[Operation]) -> Operations:
    taken: set[int] = set()
    operations = Operations()
    for operation in sorted(found, key=lambda o: (o.timestamp, o.process_id, o.what, o.seq or 0, o.request_id or "")):
        timestamp = operation.timestamp
        while timestamp in taken:
            timestamp += 1
        taken.add(timestamp)
        operations.append(_moved(operation, timestamp))
    return operations


def _moved(operation: Operation, timestamp: int) -> Operation:
    return operation if timestamp == operation.timestamp else replace(operation, timestamp=timestamp)
