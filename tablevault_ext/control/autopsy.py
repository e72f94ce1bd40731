"""Gather what is known of a death, from the vault, the logs and the machine, for the post-mortem."""

from __future__ import annotations

import json
from typing import Any

from ..identity import boot_id
from ..journal.log_lines import last_lines
from ..journal.process_state import read_process
from ..model import Action, Process
from ..paths import VaultPaths
from ..store.snapshot import Snapshot, open_snapshot
from .descendants import find_descendants
from .host import OomCounters, host_figures
from .now import marks_of
from .postmortem import Death, PostMortem, assemble

_LINES = 10


def post_mortem(paths: VaultPaths, process_id: str) -> PostMortem:
    """Say what is known of how a process ended, facts and inferences apart; of a living one, how it stands.

    Source: "Post-mortem" of the training-process-control document's troubleshooting.
    """
    process = read_process(paths, process_id)
    with open_snapshot(paths) as snapshot:
        cell = _last_cell(snapshot, process_id)
        memory, oom_before, oom_after = _samples(snapshot, process_id)
    identity = process.identity
    stop = next((r for r in process.requests.values() if r.action is Action.STOP), None)
    return assemble(
        Death(
            name=process.address,
            status=process.status.value,
            exit_code=process.exit_code,
            exit_signal=process.exit_signal,
            ended_at=process.ended_at / 1e6 if process.ended_at else None,
            last_seen_at=memory[-1][0] if memory else None,
            cell=cell.get("seq"),
            code=cell.get("code") or "",
            error_type=cell.get("error_type") or _split(process.error)[0],
            error_message=cell.get("error_message") or _split(process.error)[1],
            last_output=_last_output(paths, process_id, cell),
            memory=memory,
            memory_limit=host_figures().memory_total if memory else None,
            oom_before=oom_before,
            oom_after=oom_after,
            survivors=_survivors(paths, process),
            requested=str(stop) if stop is not None else "",
            restarted=identity is not None and identity.boot_id != boot_id(),
        )
    )


def _last_cell(snapshot: Snapshot, process_id: str) -> dict[str, Any]:
    query = """
        SELECT seq, code, error_type, error_message, output_tail FROM cells
        WHERE process_id = ? ORDER BY seq DESC LIMIT 1
    """
    row = snapshot.connection.execute(query, [process_id]).fetchone()
    keys = ("seq", "code", "error_type", "error_message", "output_tail")
    return dict(zip(keys, row, strict=True)) if row else {}


def _samples(
    snapshot: Snapshot, process_id: str
) -> tuple[list[tuple[float, int]], OomCounters | None, OomCounters | None]:
    query = "SELECT epoch(happened_at), rss, detail FROM samples WHERE process_id = ? ORDER BY happened_at"
    curve, before, after = [], None, None
    for at, rss, detail in snapshot.connection.execute(query, [process_id]).fetchall():
        data = json.loads(detail)
        if "peaks" in data:
            before, after = _counters(data.get("oom_before")), _counters(data.get("oom_after"))
        else:
            curve.append((float(at), int(rss)))
    return curve, before, after


def _counters(data: dict[str, Any] | None) -> OomCounters | None:
    return OomCounters(data.get("file"), data.get("group"), data.get("machine")) if data else None


def _last_output(paths: VaultPaths, process_id: str, cell: dict[str, Any]) -> str:
    lines = last_lines(paths.logs(process_id), _LINES)
    return "\n".join(line.text for line in lines) or cell.get("output_tail") or ""


def _survivors(paths: VaultPaths, process: Process) -> list[str]:
    """Descendants that still run after it is over."""
    if process.identity is None or not process.status.ended:
        return []
    tree = find_descendants(process.identity, marks_of(paths, process.process_id))
    return [
        f"{member.pid} ({' '.join(member.command)[:60]})"
        for member in tree.members
        if member.identity != process.identity and not member.zombie
    ]


def _split(error: str | None) -> tuple[str, str]:
    kind, _, message = (error or "").partition(": ")
    return kind, message
