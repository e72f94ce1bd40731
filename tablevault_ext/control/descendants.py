"""Everything that belongs to a process: its children, and what left the family but still carries its mark.

Parents alone do not do: a double fork or the death of a parent hands a process to init. So a member is found

* as a **child** of a member,
* by a **token**, a variable in the environment it was started with,
* by a **mapping**, the control block that a fork without exec inherits,
* by its **session**, when a living member leads it (a session is joined by birth only),
* because it is **known**: it was seen as a member before.

What is older than the root is never a member, and neither is what a server in between started.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from ..identity import Identity
from .marks import MarkReader, Marks
from .process_table import Row, Snapshot, take_snapshot
from .servers import looks_like_server

NO_MARKS = Marks()


class Found(StrEnum):
    """How a member was found."""

    ROOT = "root"
    CHILD = "child"
    TOKEN = "token"  # noqa: S105 - a mark, not a secret
    MAPPING = "mapping"
    SESSION = "session"
    KNOWN = "known"


@dataclass(frozen=True, slots=True)
class Member:
    """One process of a tree, as it was seen.

    ``depth`` is the distance from the root (0); what was not found as a child counts from where it was found.
    ``state`` is the letter of ``/proc/PID/stat``.
    """

    identity: Identity
    ppid: int
    depth: int
    found: Found
    command: tuple[str, ...]
    state: str
    threads: int
    zombie: bool

    @property
    def pid(self) -> int:
        return self.identity.pid

    @property
    def stopped(self) -> bool:
        return self.state in ("T", "t")

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Tree:
    """A process and what belongs to it.

    ``members`` holds the root first (if it is there), then by depth and age. ``servers`` were met on the way;
    neither they nor what they started are members. ``above`` are the pids above the caller, nearest first.
    """

    root: Identity
    members: tuple[Member, ...]
    servers: tuple[Member, ...]
    above: tuple[int, ...]

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def find_descendants(
    root: Identity,
    marks: Marks = NO_MARKS,
    *,
    known: Iterable[Identity] = (),
    is_server: Callable[[Sequence[str]], bool] = looks_like_server,
) -> Tree:
    """List a process and everything that belongs to it, once.

    The root may be gone already: then its orphans are found by their marks or because they are ``known``.
    On another host or in another PID namespace nothing can be seen, so nothing is found.

    >>> import os
    >>> tree = find_descendants(Identity.mine())
    >>> tree.members[0].pid == os.getpid(), tree.members[0].found
    (True, <Found.ROOT: 'root'>)
    """
    return Finder(root, marks, known=known, is_server=is_server).look()


class Finder:
    """Looks at one tree again and again: reads each program's marks once, and remembers whom it has seen.

    Remembering matters: a member may lose its parent between two looks, and with it what showed whose it is.
    """

    def __init__(
        self,
        root: Identity,
        marks: Marks = NO_MARKS,
        *,
        known: Iterable[Identity] = (),
        is_server: Callable[[Sequence[str]], bool] = looks_like_server,
    ) -> None:
        self.root = root
        self._marks = marks
        self._seen = dict.fromkeys(known)
        self._is_server = is_server
        self._reader = MarkReader()

    def look(self, snapshot: Snapshot | None = None) -> Tree:
        """Read the process table (or take a snapshot made already) and pick the tree out of it."""
        snapshot = snapshot or take_snapshot()
        picked, servers = pick(
            snapshot, self.root, self._marks, self._reader, known=self._seen, is_server=self._is_server
        )
        members = tuple(self._member(snapshot, *entry) for entry in picked)
        for member in members:
            if not member.zombie:
                self._seen[member.identity] = None
        return Tree(
            self.root,
            members,
            tuple(self._member(snapshot, *entry) for entry in servers),
            tuple(snapshot.ancestors(os.getpid())),
        )

    def _member(self, snapshot: Snapshot, row: Row, depth: int, found: Found) -> Member:
        command = () if row.zombie else self._reader.command(row)
        return Member(snapshot.identity(row), row.ppid, depth, found, command, row.state, row.threads, row.zombie)


Entry = tuple[Row, int, Found]


def pick(
    snapshot: Snapshot,
    root: Identity,
    marks: Marks,
    reader: MarkReader,
    *,
    known: Iterable[Identity] = (),
    is_server: Callable[[Sequence[str]], bool] = looks_like_server,
) -> tuple[list[Entry], list[Entry]]:
    """The rows of one tree in a snapshot, and the servers met on the way; each with depth and how it was found."""
    picking = _Picking(snapshot, root, reader, is_server)
    top = snapshot.find(root)
    if top is not None:
        picking.spread(top, 0, Found.ROOT)
    for identity in known:
        row = snapshot.find(identity)
        if row is not None and not row.zombie:
            picking.adopt(row, Found.KNOWN)
    for token in marks.tokens:
        # Oldest first: a server that carries the token is met before the kernels that it started.
        for row in sorted(reader.carriers(snapshot, token), key=lambda row: row.start):
            picking.adopt(row, Found.TOKEN)
    # A fork without exec keeps the place of its parent's environment. So where the owner of the one mapping is
    # there, only processes of its image need their (long) maps read; of several mappings the owner is not known.
    image = (top.image or None) if top is not None and len(marks.mappings) == 1 else None
    near = snapshot.rows.values() if image is None else snapshot.images.get(image, [])
    for path in marks.mappings:
        for row in reader.mappers([row for row in near if picking.may_be_ours(row)], path):
            picking.adopt(row, Found.MAPPING)
    picking.follow_sessions()
    order = sorted(picking.members.values(), key=lambda entry: (entry[1], entry[0].start, entry[0].pid))
    return order, list(picking.servers.values())


class _Picking:
    """One walk through a snapshot."""

    def __init__(
        self,
        snapshot: Snapshot,
        root: Identity,
        reader: MarkReader,
        is_server: Callable[[Sequence[str]], bool],
    ) -> None:
        self.members: dict[int, Entry] = {}
        self.servers: dict[int, Entry] = {}
        self._snapshot = snapshot
        self._root = root
        self._here = snapshot.sees(root)
        self._reader = reader
        self._is_server = is_server

    def may_be_ours(self, row: Row) -> bool:
        """Not found yet, and young enough."""
        return (
            self._here
            and row.pid not in self.members
            and row.pid not in self.servers
            and row.start >= self._root.start
            and row.pid > 1
        )

    def adopt(self, row: Row, found: Found) -> None:
        """Take in a process that carries our mark, unless a server between us started it."""
        if not self.may_be_ours(row):
            return
        depth = 1
        for pid in self._snapshot.ancestors(row.pid):
            if pid in self.servers:
                return
            if pid in self.members:
                depth += self.members[pid][1]
                break
        self.spread(row, depth, found)

    def spread(self, row: Row, depth: int, found: Found) -> None:
        """Take in a process and its children, nearest first."""
        queue = deque([(row, depth, found)])
        while queue:
            row, depth, found = queue.popleft()
            if row.pid in self.members or row.pid in self.servers:
                continue
            if found is not Found.ROOT and self._is_server(self._reader.command(row)):
                self.servers[row.pid] = (row, depth, found)
                continue
            self.members[row.pid] = (row, depth, found)
            for child in self._snapshot.children.get(row.pid, ()):
                queue.append((child, depth + 1, Found.CHILD))

    def follow_sessions(self) -> None:
        followed: set[int] = set()
        while True:
            leaders = [
                row
                for row, _, _ in self.members.values()
                if row.session == row.pid and row.pid not in followed and not row.zombie
            ]
            if not leaders:
                return
            for leader in leaders:
                followed.add(leader.pid)
                for row in self._snapshot.sessions.get(leader.pid, ()):
                    self.adopt(row, Found.SESSION)
