"""The post-mortem of the contract: how an ended process ended, what is known of why, what it left behind."""

from __future__ import annotations

from typing import Any

from ..control.autopsy import post_mortem
from ..control.descendants import find_descendants
from ..control.host import host_figures
from ..control.now import marks_of
from ..control.process_table import read_row
from ..errors import WrongState
from ..model import Action, Process, iso
from ..panel.board import Board
from ..panel.entry import Entry
from ..panel.wire import Json, os_process, request_json, sentence, signal_name
from ..paths import VaultPaths
from ..store.rows import set_variables
from ..store.snapshot import Snapshot, open_snapshot
from .cells import errors_in, last_cell
from .log_ranges import STREAMS, Span, read_logs

_LOG = 8 << 10  # bytes of each stream

# How the facts of `control.postmortem` begin, and who observed them.
_SOURCES = (
    ("it was last seen", "samples"),
    ("its memory was", "samples"),
    ("processes of its memory group", "cgroup"),
    ("processes of this machine", "kernel log"),
    ("a stop had been requested", "requester"),
    ("the machine has been restarted", "machine"),
    ("still running", "process table"),
)
_MEMORY = """
    SELECT arg_max(rss, happened_at) FILTER (json_extract(detail, '$.peaks') IS NULL), max(rss) FROM samples
    WHERE process_id = getvariable('process_id')
"""


def post_mortem_of(board: Board, entry: Entry) -> Json:
    """The contract's `PostMortem`.

    Raises:
        WrongState: it has not ended.
    """
    process, paths = entry.process, board.paths
    if not entry.ended:
        raise WrongState(f"{process.address} has not ended (it is {process.status}); there is nothing to explain yet")
    found = post_mortem(paths, process.process_id)
    with open_snapshot(paths) as snapshot:
        cell, memory = last_cell(snapshot, process.process_id), _memory(snapshot, process.process_id)
        errors = errors_in(snapshot, process.process_id, 1)
    last = entry.to_json()["last_checkpoint_at"]
    stops = [r for r in process.requests.values() if r.action is Action.STOP and not r.actor]
    return {
        "status": process.status.value,
        "summary": sentence("; ".join([found.facts[0], *found.inferences[:1]])),
        "ended_at": iso(process.ended_at),
        "exit_code": process.exit_code,
        "exit_signal": signal_name(process.exit_signal),
        "certain": not found.inferences,
        "evidence": [{"source": _source(fact), "text": sentence(fact)} for fact in found.facts]
        + [{"source": "inference", "text": sentence(each)} for each in found.inferences],
        "last_cell": cell,
        "last_checkpoint_at": last,
        "error": errors[0] if errors else None,
        "memory": memory,
        "requests": [request_json(request, entry.facts.places.get(request.request_id)) for request in stops[::-1]],
        "left_behind": _left_behind(paths, process),
        "log": _log(paths, entry),
    }


def _source(fact: str) -> str:
    return next((source for begin, source in _SOURCES if fact.startswith(begin)), "process")


def _memory(snapshot: Snapshot, process_id: str) -> Json | None:
    set_variables(snapshot.connection, process_id=process_id)
    row: tuple[Any, ...] | None = snapshot.connection.execute(_MEMORY).fetchone()
    if row is None or row[1] is None:
        return None
    return {"last": row[0], "peak": row[1], "limit": host_figures().memory_total}


def _left_behind(paths: VaultPaths, process: Process) -> list[Json]:
    """Descendants that are still alive."""
    if process.identity is None:
        return []
    members = find_descendants(process.identity, marks_of(paths, process.process_id)).members
    left = [member for member in members if member.identity != process.identity and not member.zombie]
    rows = [(member, read_row(member.pid)) for member in left]
    return [os_process(member.pid, member.command, rss=row.rss if row else None) for member, row in rows]


def _log(paths: VaultPaths, entry: Entry) -> Json | None:
    logs = read_logs(paths, entry, {stream: Span() for stream in STREAMS}, _LOG)
    return logs if logs["available"] is None else None
