"""The present state of one process, read from its own files: no database involved."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..model import Process
from ..paths import VaultPaths
from ..state_machine import fold
from .lines import decode_line
from .reader import CONTROL_PREFIXES, compressed, journal_owner, read_control_events, read_inbox, read_lines

Event = dict[str, Any]


def read_process(paths: VaultPaths, process_id: str) -> Process:
    """Say what is known of a process now, *lost* included."""
    return ProcessReader(paths, process_id).read()


class ProcessReader:
    """Reads one process again and again, each time only what is new."""

    def __init__(self, paths: VaultPaths, process_id: str) -> None:
        self.process_id = process_id
        self._own = _Cursor(paths.journal(process_id))
        self._wrapper = _Cursor(paths.wrapper_journal(process_id))
        self._inbox_path = paths.inbox(process_id)
        self._inbox: list[tuple[int, Event]] = []

    @property
    def inbox_size(self) -> int:
        """Bytes of the inbox that hold complete lines."""
        return self._inbox[-1][0] if self._inbox else 0

    def read(self) -> Process:
        """Fold everything known up to now."""
        # The inbox first: a request that we know of must not look unacknowledged merely because it was read last.
        self._inbox.extend(read_inbox(self._inbox_path, self.inbox_size))
        own, wrapper = self._own.read(), self._wrapper.read()
        process = fold(self.process_id, own, self._inbox, wrapper)
        if process.status.ended:
            return process
        presence = process.presence()
        suspended = process.identity.suspended() if process.identity else None
        # It may have written its ending between our reading and our looking.
        return fold(self.process_id, self._own.read(), self._inbox, self._wrapper.read(), presence, suspended=suspended)


class _Cursor:
    """The control events of one journal, growing."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0
        self._events: list[Event] = []

    def read(self) -> list[Event]:
        if not self._path.exists():
            if not self._events and compressed(self._path).exists():
                self._events = list(read_control_events(self._path))
            return self._events
        for offset, line in read_lines(self._path, self._offset):
            self._offset = offset
            if line.startswith(CONTROL_PREFIXES):
                event = decode_line(line)
                if event is not None:
                    self._events.append(event)
        return self._events


def recorded_descendants(paths: VaultPaths, process_id: str) -> list[str]:
    """The recorded processes below one, by what each wrote first about its parent; compressed journals left out.

    Reads one line of every journal: for requests that reach a whole tree, not for loops.
    """
    children: dict[str, set[str]] = {}
    for path in paths.journals.glob("*.ndjson"):
        owner = journal_owner(path)
        first = next(read_lines(path), None)
        event = decode_line(first[1]) if first is not None and owner is not None else None
        if owner is not None and event is not None and event["e"] == "process_started" and event.get("parent_id"):
            children.setdefault(event["parent_id"], set()).add(owner[0])
    found: list[str] = []
    waiting = [process_id]
    while waiting:
        below = sorted(children.pop(waiting.pop(), set()))
        found += below
        waiting += below
    return found
