"""What a process carries that says whose it is, even after its parent died: an inherited variable or mapping.

A program started from a recorded process inherits an environment variable (read in ``/proc/PID/environ``);
a fork without exec keeps its parent's *old* environment there, but also the mapped control block
(``/proc/PID/maps``). Both survive ``setsid``, double forks and the death of the parent.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

from .. import identity as _identity
from .process_table import Row, Snapshot, command_line, read_proc_file

_Key = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Marks:
    """By what the members of a tree are known besides their parents.

    Args:
        tokens: environment variables, ``(name, value)``; any one of them makes a process a member.
        mappings: files (control blocks) that a forked child inherited as a mapping.
    """

    tokens: tuple[tuple[str, str], ...] = ()
    mappings: tuple[Path, ...] = ()


class MarkReader:
    """Reads marks and command lines, each once per program image.

    (pid, start, image) is the key: exec keeps pid and start time but replaces environment, mappings and
    arguments, and moves the place where the environment lies.
    """

    def __init__(self) -> None:
        self._names: frozenset[str] = frozenset()
        self._tokens: dict[_Key, tuple[tuple[str, str], ...]] = {}
        self._mapped: dict[tuple[_Key, str], bool] = {}
        self._commands: dict[_Key, tuple[str, ...]] = {}
        self._index: dict[tuple[str, str], list[Row]] = {}
        self._indexed: Snapshot | None = None

    def command(self, row: Row) -> tuple[str, ...]:
        key = (row.pid, row.start, row.image)
        known = self._commands.get(key)
        if known is None:
            known = command_line(row.pid)
            if known:  # empty in the middle of an exec: ask again next time
                self._commands[key] = known
        return known

    def carriers(self, snapshot: Snapshot, token: tuple[str, str]) -> list[Row]:
        """Whose environment, as it was at exec, holds this variable."""
        if token[0] not in self._names:
            self._names |= {token[0]}
            self._tokens.clear()
            self._indexed = None
        if self._indexed is not snapshot:
            self._make_index(snapshot)
        return self._index.get(token, [])

    def mappers(self, candidates: Iterable[Row], path: Path) -> Iterator[Row]:
        """Which of these processes have this file mapped."""
        for row in candidates:
            if row.image and self._maps(row, str(path)):
                yield row

    def prune(self, snapshot: Snapshot) -> None:
        """Forget what is no longer in the process table; for readers that live long."""
        alive = {(row.pid, row.start, row.image) for row in snapshot.rows.values()}
        self._tokens = {key: value for key, value in self._tokens.items() if key in alive}
        self._mapped = {key: value for key, value in self._mapped.items() if key[0] in alive}
        self._commands = {key: value for key, value in self._commands.items() if key in alive}

    def _make_index(self, snapshot: Snapshot) -> None:
        self._index = {}
        for row in snapshot.rows.values():
            for token in self._tokens_of(row):
                self._index.setdefault(token, []).append(row)
        self._indexed = snapshot

    def _tokens_of(self, row: Row) -> tuple[tuple[str, str], ...]:
        if (_identity.LINUX and not row.image) or row.zombie:
            return ()
        key = (row.pid, row.start, row.image)
        known = self._tokens.get(key)
        if known is None:
            environment = _read_environment(row.pid)
            known = tuple(_pick(environment, self._names))
            if environment:
                self._tokens[key] = known
        return known

    def _maps(self, row: Row, path: str) -> bool:
        key = ((row.pid, row.start, row.image), path)
        known = self._mapped.get(key)
        if known is None:
            raw = read_proc_file(f"/proc/{row.pid}/maps", 16 << 20)
            wanted = path.replace("\n", "\\012").encode("utf-8", "surrogateescape")
            # The file may be gone already: its owner removes it when it ends.
            known = any(line.endswith((wanted, wanted + b" (deleted)")) for line in raw.split(b"\n"))
            if raw:
                self._mapped[key] = known
        return known


def _read_environment(pid: int) -> bytes:
    if _identity.LINUX:
        return read_proc_file(f"/proc/{pid}/environ")
    try:
        pairs = psutil.Process(pid).environ().items()
    except (psutil.Error, OSError):
        return b""
    return b"\0".join(f"{name}={value}".encode("utf-8", "surrogateescape") for name, value in pairs)


def _pick(environment: bytes, names: Iterable[str]) -> Iterator[tuple[str, str]]:
    block = b"\0" + environment
    for name in names:
        prefix = b"\0" + name.encode("utf-8", "surrogateescape") + b"="
        at = block.find(prefix)
        if at >= 0:
            value = block[at + len(prefix) :].split(b"\0", 1)[0]
            yield name, value.decode("utf-8", "surrogateescape")
