"""What a journal says beyond the state of its process: cells, errors, progress, actors. Read incrementally."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import shorten
from ..journal.lines import decode_line
from ..journal.reader import compressed, read_lines

Event = dict[str, Any]

_PARTS = {
    "process": "processes",
    "notebook": "processes",
    "uncontrolled": "processes",
    "request": "requests",
    "inbox": "requests",
    "cell": "cells",
    "error": "errors",
    "list": "records",
    "record": "records",
    "progress": "progress",
    "sample": "resources",
    "child": "resources",
    "actor": "actors",
    "task": "processes",
    "log": "logs",
}
_TYPE_AT = len(b'{"e":"')
_GONE = frozenset(("exited", "ended", "dead", "stopped", "finished", "failed", "killed", "lost"))


@dataclass(slots=True)
class CurrentCell:
    seq: int
    cell_id: str | None
    execution_count: int | None
    code: str
    started_at: int


@dataclass(slots=True)
class Bar:
    """The last word of one progress bar. ``rate`` is steps a second."""

    desc: str | None
    done: float
    total: float | None
    rate: float | None
    updated_at: int

    @property
    def finished(self) -> bool:
        return self.total is not None and self.done >= self.total


@dataclass(slots=True)
class Facts:
    """What is shown of a process besides its state."""

    cells: int = 0
    errors: int = 0
    running: dict[int, CurrentCell] = field(default_factory=dict)
    bars: dict[str, Bar] = field(default_factory=dict)
    actors: dict[str, Event] = field(default_factory=dict)
    places: dict[str, str] = field(default_factory=dict)  # request_id -> where it took effect

    @property
    def current_cell(self) -> CurrentCell | None:
        return self.running[max(self.running)] if self.running else None

    @property
    def bar(self) -> Bar | None:
        """The outermost bar: of those that are not full the one that began first, else the last written."""
        unfinished = [bar for bar in self.bars.values() if not bar.finished]
        if unfinished:
            return unfinished[0]
        return max(self.bars.values(), key=lambda bar: bar.updated_at, default=None)

    @property
    def living_actors(self) -> int:
        return sum(1 for actor in self.actors.values() if actor.get("status") not in _GONE)

    def take(self, kind: str, line: bytes) -> None:
        """Fold one line."""
        if kind == "error_seen":
            self.errors += 1
        elif kind in _TAKERS and (event := decode_line(line)) is not None:
            _TAKERS[kind](self, event)

    def _cell_started(self, event: Event) -> None:
        seq = event["seq"]
        self.cells += 1
        if not self.running:
            self.bars = {}  # the bars of an earlier cell are history
        code = "" if event.get("private") else first_line(event.get("code") or "")
        self.running[seq] = CurrentCell(seq, event.get("cell_id"), event.get("execution_count"), code, event["at"])

    def _cell_finished(self, event: Event) -> None:
        self.running.pop(event["seq"], None)
        if event.get("error_type"):
            self.errors += 1

    def _progress(self, event: Event) -> None:
        desc = event.get("desc") or ""
        bar = Bar(desc or None, event["done"], event.get("total"), event.get("rate"), event["at"])
        self.bars[desc] = bar

    def _actor(self, event: Event) -> None:
        actor = self.actors.setdefault(str(event.get("id")), {"first": event["at"]})
        actor.update(event)

    def _request(self, event: Event) -> None:
        cell = self.current_cell
        if cell is not None and event.get("outcome") in (None, "effective"):
            self.places[event["id"]] = f"cell {cell.seq if cell.execution_count is None else cell.execution_count}"


_TAKERS = {
    "cell_started": Facts._cell_started,
    "cell_finished": Facts._cell_finished,
    "progress": Facts._progress,
    "actor": Facts._actor,
    "request_closed": Facts._request,
    "request_seen": Facts._request,
}


class FactsReader:
    """Reads one journal again and again, each time only what is new."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0
        self.facts = Facts()

    def read(self) -> set[str]:
        """Take in what is new; which parts of the process changed, in the words of the change signal."""
        parts: set[str] = set()
        for line in self._lines():
            end = line.find(b'"', _TYPE_AT)
            kind = line[_TYPE_AT:end].decode("ascii", "replace")
            try:
                self.facts.take(kind, line)
            except (KeyError, TypeError, ValueError):
                continue  # not as our own writers write it: ingest puts it aside and says so
            parts.add(_PARTS.get(kind.partition("_")[0], "processes"))
            if kind == "cell_finished" and b'"error_type":' in line:
                parts.add("errors")
        return parts

    def _lines(self) -> Iterator[bytes]:
        try:
            size = self._path.stat().st_size
        except FileNotFoundError:
            packed = compressed(self._path)
            if self._offset == 0 and packed.exists():
                with gzip.open(packed, "rb") as file:
                    for line in file:
                        self._offset += len(line)
                        yield line
            return
        if size < self._offset:  # another file under the same name
            self._offset, self.facts = 0, Facts()
        for offset, line in read_lines(self._path, self._offset):
            self._offset = offset
            yield line


def first_line(code: str) -> str:
    """The first line that is neither blank nor a comment, at most 200 characters.

    >>> first_line("# load\\n\\n  df = load()\\ndf.head()")
    'df = load()'
    """
    lines = (line.strip() for line in code[:20_000].splitlines())
    return shorten(next((line for line in lines if line and not line.startswith("#")), ""), 200)
