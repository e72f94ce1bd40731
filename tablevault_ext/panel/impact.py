"""What a request would reach, for the question that is asked before it is made."""

from __future__ import annotations

from collections.abc import Iterator

from ..control.descendants import Tree, find_descendants
from ..control.host import memory_to_resume, would_memory_hold
from ..control.now import is_suspended_now, marks_of
from ..control.process_table import is_from_here, read_row
from ..journal.control_block import read_control
from ..model import Action, Kind, Process
from .board import Board
from .entry import Entry
from .trees import kinds_below
from .wire import Json, os_process

_SHOWN = 100


def impact_of(board: Board, entry: Entry, action: Action, *, now: bool, keep_kernel: bool) -> Json:
    """The contract's `Impact`."""
    process = entry.process
    identity = process.identity
    tree = None
    if identity is not None and is_from_here(identity) and not entry.ended:
        tree = find_descendants(identity, marks_of(board.paths, entry.process_id))
    members = tuple(member for member in tree.members if not member.zombie) if tree is not None else ()
    if keep_kernel:  # the run is aborted; nothing ends
        members = members[:1]
    known = board.by_identity()
    shown = []
    for member in members[:_SHOWN]:
        recorded = known.get((member.pid, member.identity.start))
        row = read_row(member.pid)
        shown.append(
            os_process(
                member.pid,
                member.command,
                name=recorded.name if recorded else None,
                kind=recorded.kind.value if recorded else None,
                process_id=recorded.process_id if recorded else None,
                rss=row.rss if row is not None else None,
            )
        )
    below = tuple(member for member in members if member.identity != identity)
    return {
        "action": action.value,
        "processes": shown,
        "total": len(members),
        "by_kind": kinds_below(board, below),
        "kernel": process.kind is Kind.NOTEBOOK and process.controllable and not entry.ended,
        "memory": _memory(process, entry, members) if action is Action.RESUME else None,
        "warnings": list(_warnings(board, entry, action, tree, now=now)),
    }


def _memory(process: Process, entry: Entry, members: tuple[object, ...]) -> Json:
    identities = [member.identity for member in members]  # type: ignore[attr-defined]
    peak = max((int(size) for size in entry.samples["rss"] if size is not None), default=0)
    check = would_memory_hold(memory_to_resume(identities, peak), doing=f"resuming {process.name}")
    return {"needed": check.needed, "available": check.available, "fits": check.holds}


def _warnings(board: Board, entry: Entry, action: Action, tree: Tree | None, *, now: bool) -> Iterator[str]:
    process = entry.process
    if tree is None:
        if not entry.ended:
            yield "It runs where its processes cannot be seen from here."
        return
    for server in tree.servers[:5]:
        name = server.command[0].rpartition("/")[2] if server.command else "A server"
        yield f"{name} (pid {server.pid}) and what it started are left alone: they may serve others, too."
    signalled = now or (process.kind is Kind.COMMAND and not process.controllable)
    if action is Action.PAUSE and not signalled:
        reading = read_control(board.paths.control_block(entry.process_id))
        if process.kind is Kind.SCRIPT and reading is not None and reading.checkpoints == 0:
            yield "It has passed no checkpoint yet; only a pause now is sure to reach it."
    if action is Action.RESUME and entry.process.paused_from_outside and is_suspended_now(process):
        yield "Somebody else suspended it, by a signal and not by a request."
