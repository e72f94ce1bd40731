"""Gather what the vault and the machine know of a process that was lost or failed, for its post-mortem."""

from __future__ import annotations

from ..identity import boot_id
from ..journal.log_lines import SYSTEM
from ..journal.process_log import read_log
from ..model import Process, Status
from ..paths import VaultPaths
from ..store import listings
from ..store.rows import set_variables
from ..store.snapshot import open_snapshot
from .below import describe_descendants
from .postmortem import Death, PostMortem, assemble

_LINES = 10
_MEMORY = """
SELECT epoch(happened_at), rss FROM samples WHERE process_id = getvariable('process_id') AND rss IS NOT NULL
ORDER BY happened_at DESC LIMIT 60
"""


def post_mortem(paths: VaultPaths, process: Process) -> PostMortem | None:
    """What happened to a process that was lost or failed; None for others."""
    if process.status not in (Status.LOST, Status.FAILED):
        return None
    cells = listings.cells(paths, process.process_id, limit=1)
    cell = cells[0] if cells else {}
    printed = read_log(paths, process.process_id, _LINES)
    stops = [r for r in process.requests.values() if r.action == "stop" and not r.outcome]
    who = process.identity
    return assemble(
        Death(
            process.address,
            process.status.value,
            exit_code=process.exit_code,
            exit_signal=process.exit_signal,
            ended_at=_seconds(process.ended_at),
            last_seen_at=_last_written(paths, process),
            cell=cell.get("seq"),
            code=cell.get("code") or "",
            error_type=cell.get("error_type") or "",
            error_message=cell.get("error_message") or "",
            last_output="\n".join(line.text for line in printed if line.stream != SYSTEM),
            memory=_memory(paths, process.process_id),
            survivors=describe_descendants(paths, process),
            requested=str(stops[-1]) if stops else "",
            restarted=who is not None and who.boot_id != boot_id(),
        )
    )


def _memory(paths: VaultPaths, process_id: str) -> list[tuple[float, int]]:
    with open_snapshot(paths) as snapshot:
        set_variables(snapshot.connection, process_id=process_id)
        return snapshot.connection.execute(_MEMORY).fetchall()[::-1]


def _last_written(paths: VaultPaths, process: Process) -> float | None:
    try:
        return paths.journal(process.process_id).stat().st_mtime
    except OSError:
        return None


def _seconds(us: int | None) -> float | None:
    return None if us is None else us / 1e6
