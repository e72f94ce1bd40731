"""A process and everything below it, recorded or not, as the operating system sees it."""

from __future__ import annotations

import threading
import time
from typing import Any

from ..control.descendants import Finder, Member, Tree
from ..control.now import marks_of
from ..control.process_table import Snapshot, is_from_here, started_at, take_snapshot
from ..model import Kind, Process, iso
from .board import Board
from .entry import Entry
from .wire import Json

_OLDEST = 30.0  # seconds between two readings from which a share of the CPU may be told
_SHORTEST = 0.1

_WORDS = {"R": "running", "S": "sleeping", "D": "waiting", "I": "idle", "T": "stopped", "t": "stopped", "Z": "zombie"}


class TreeReader:
    """Keeps the last reading of the process table: CPU is the difference between two."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._before: Snapshot | None = None

    def read(self, board: Board, entry: Entry) -> Json:
        """The contract's `TreeNode` of the process."""
        process = entry.process
        if process.identity is None or not is_from_here(process.identity):
            return _recorded_node(process, entry)
        before, snapshot = self._readings()
        tree = Finder(process.identity, marks_of(board.paths, entry.process_id)).look(snapshot)
        known = board.by_identity()
        root, nodes = _recorded_node(process, entry), dict[int, Json]()
        for member in tree.members:
            recorded = known.get((member.pid, member.identity.start))
            figures = _figures(before, snapshot, member)
            if member.identity == process.identity:
                root |= figures
                nodes[member.pid] = root
            else:
                nodes[member.pid] = _node(member, recorded) | figures
        _hang(root, nodes, tree)
        root["children"] += [_actor_node(actor) for actor in entry.facts.actors.values() if not entry.ended]
        return root

    def _readings(self) -> tuple[Snapshot, Snapshot]:
        with self._lock:
            before = self._before
            if before is None or time.monotonic() - before.taken_at > _OLDEST:
                before = take_snapshot()
            left = _SHORTEST - (time.monotonic() - before.taken_at)
            if left > 0:
                time.sleep(left)
            self._before = take_snapshot()
            return before, self._before


def _hang(root: Json, nodes: dict[int, Json], tree: Tree) -> None:
    """Each under its parent; what lost its parent under the root."""
    for member in tree.members:
        node = nodes[member.pid]
        if node is not root:
            parent = nodes.get(member.ppid)
            (root if parent is None or parent is node else parent)["children"].append(node)


def _recorded_node(process: Process, entry: Entry) -> Json:
    return _blank() | {
        "pid": process.pid,
        "name": process.name or process.process_id,
        "kind": process.kind.value,
        "process_id": process.process_id,
        "status": process.status.value,
        "cmdline": " ".join(process.argv)[:1000] or None,
        "started_at": iso(process.started_at),
    }


def _node(member: Member, recorded: Process | None) -> Json:
    node = _blank() | {
        "pid": member.pid,
        "name": member.command[0].rpartition("/")[2] if member.command else f"pid {member.pid}",
        "status": "zombie" if member.zombie else _WORDS.get(member.state, member.state),
        "cmdline": " ".join(member.command)[:1000] or None,
        "started_at": iso(int(started_at(member.identity) * 1e6)),
    }
    if recorded is not None:
        node |= {"name": recorded.name, "kind": recorded.kind.value, "process_id": recorded.process_id}
        node["status"] = recorded.status.value
    return node


def _actor_node(actor: dict[str, Any]) -> Json:
    return _blank() | {
        "name": actor.get("name") or str(actor.get("id")),
        "kind": "actor",
        "status": str(actor.get("status")),
        "started_at": iso(actor["first"]),
    }


def _blank() -> Json:
    keys = ("pid", "name", "kind", "process_id", "status", "cmdline", "cpu", "rss", "threads", "started_at")
    return dict.fromkeys(keys) | {"children": []}


def _figures(before: Snapshot, snapshot: Snapshot, member: Member) -> Json:
    row, earlier = snapshot.find(member.identity), before.find(member.identity)
    if row is None:
        return {}
    elapsed = snapshot.taken_at - before.taken_at
    cpu = None if earlier is None or elapsed <= 0 else round(100 * max(row.cpu - earlier.cpu, 0) / elapsed, 1)
    return {"cpu": cpu, "rss": row.rss, "threads": row.threads}


def kinds_below(board: Board, members: tuple[Member, ...]) -> dict[str, int]:
    """How many of these are of which kind; what is not recorded counts as *unrecorded*."""
    known = board.by_identity()
    counts: dict[str, int] = {}
    for member in members:
        recorded = known.get((member.pid, member.identity.start))
        kind = recorded.kind if recorded is not None else None
        word = kind.value if isinstance(kind, Kind) else "unrecorded"
        counts[word] = counts.get(word, 0) + 1
    return counts
