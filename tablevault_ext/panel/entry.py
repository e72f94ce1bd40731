"""One process of the list: what its files say, what can be seen of it now, and the JSON made of both."""

from __future__ import annotations

import json
import os
import time
from functools import cached_property
from typing import Any

from ..control.explain import explain
from ..control.process_table import STOPPED
from ..control.signals import look
from ..identity import host
from ..journal.control_block import read_control
from ..journal.process_state import ProcessReader
from ..model import Kind, Process
from ..paths import VaultPaths
from .facts import Facts, FactsReader
from .samples import Samples
from .wire import Json, live_json, process_json, request_json, request_of


class Entry:
    """A process as the list shows it.

    ``revision`` is the change counter of the list when this entry changed last. ``process`` and ``facts`` are
    replaced or grown by `read`; entries made from the database (`Entry.stored`) read nothing until they must.
    """

    def __init__(self, paths: VaultPaths, process_id: str) -> None:
        self.process_id = process_id
        self.revision = 0
        self.process = Process(process_id)
        self.notebook: str | None = None
        self.read_at = 0.0
        self.samples = Samples(paths, process_id)
        self._paths = paths
        self._block = paths.control_block(process_id)
        self._facts = Facts()
        self._facts_reader: FactsReader | None = None
        self._reader: ProcessReader | None = None
        self._seen: tuple[bool, bool] | None = None
        self._live: Json = {}
        self._waiting = ""
        self._last_sign: float | None = None
        self._sizes: tuple[int, ...] = ()
        self._body: Json | None = None
        self._text, self._text_key = b"", (-1, -1)

    @classmethod
    def stored(cls, paths: VaultPaths, process: Process, facts: Facts) -> Entry:
        """Of a process that is over, as the database has it."""
        entry = cls(paths, process.process_id)
        entry.process, entry._facts, entry.read_at = process, facts, time.time()
        return entry

    @property
    def facts(self) -> Facts:
        return self._facts_reader.facts if self._facts_reader is not None else self._facts

    @property
    def ended(self) -> bool:
        return self.process.status.ended

    @property
    def last_sign(self) -> float:
        """Seconds since the epoch of its end, or of its last word if it wrote no ending."""
        if self.process.ended_at is not None:
            return self.process.ended_at / 1e6
        if self._last_sign is None or not self.ended:
            times = [_changed_at(path) for path in self._files]
            self._last_sign = max([(self.process.started_at or 0) / 1e6, *times])
        return self._last_sign

    # Reading

    def read(self) -> set[str]:
        """Read what is new in its files; which parts changed."""
        if self._reader is None or self._facts_reader is None:
            self._reader = ProcessReader(self._paths, self.process_id)
            self._facts_reader = FactsReader(self._paths.journal(self.process_id))
        self.read_at, self._last_sign, self._sizes = time.time(), None, self._look_at_sizes()
        before, inbox = self._state(), self._reader.inbox_size
        self.process = self._reader.read()
        parts = self._facts_reader.read()
        if self._reader.inbox_size != inbox:
            parts.add("requests")
        if self._state() != before:
            parts |= {"processes", "requests"}
        if parts:
            self._body = None
        if self.process.status.ended:
            self._facts, self._facts_reader, self._reader = self._facts_reader.facts, None, None
            self._live = self._look_at_block()
        return parts

    def has_news(self) -> bool:
        """Whether its files changed since they were read: asked where nobody said so."""
        return any(_changed_at(path) >= self.read_at for path in self._files)

    def has_grown(self) -> bool:
        """Whether there is more in its files than was read; cheaper than reading them."""
        return self._look_at_sizes() != self._sizes

    def look(self) -> bool:
        """See whether the OS process is still there and as it was; True if its files should be read again."""
        who = self.process.identity
        if who is None or who.host != host():
            return False
        row = look(who)
        seen = (row is not None, row is not None and row.state in STOPPED)
        changed, self._seen = seen != self._seen and self._seen is not None, seen
        return changed

    def observe(self) -> bool:
        """Take in what changes by itself while it runs: checkpoints, CPU, what a request waits for; True if it did."""
        if self.ended:
            return False
        before = (self._live, self._waiting)
        sampled = self.samples.read()
        self._live = self._look_at_block()
        self._waiting = self._look_why_waiting()
        return sampled or (self._live, self._waiting) != before

    def _look_at_block(self) -> Json:
        reading = read_control(self._block)
        return live_json(reading) if reading is not None else self._live

    def _look_why_waiting(self) -> str:
        request = self.process.request
        if request is None or not request.pending:
            return ""
        explain(self._paths, self.process)
        return request.waiting_for

    def _state(self) -> tuple[Any, ...]:
        process, request = self.process, self.process.request
        receipt = (request.request_id, request.status, bool(request.detail.get("released"))) if request else None
        named = (process.name, process.run, process.description, process.notebook, process.controllable)
        return process.status, process.paused_from_outside, process.ended_at, named, receipt, len(process.requests)

    def _look_at_sizes(self) -> tuple[int, ...]:
        return tuple(_size(path) for path in self._files)

    @cached_property
    def _files(self) -> tuple[str, str, str]:
        paths, process_id = self._paths, self.process_id
        return str(paths.journal(process_id)), str(paths.wrapper_journal(process_id)), str(paths.inbox(process_id))

    # Showing

    def to_text(self, history: int, children: dict[str, int] | None) -> bytes:
        """`to_json` as text, made anew only after a change: whoever notices one raises ``revision``."""
        key = (self.revision, history)
        if self._text_key != key:
            self._text, self._text_key = dump(self.to_json(history, children)), key
        return self._text

    def to_json(self, history: int = 0, children: dict[str, int] | None = None) -> Json:
        """As the contract's `Process`.

        Args:
            history: how many of the latest samples to give.
            children: living recorded descendants by kind.
        """
        if self._body is None:
            self._body = process_json(self.process, self.facts)
        body = self._body | self._live
        body["notebook"] = self.notebook
        request = request_of(self.process)
        if request is not None:
            body["request"] = request_json(request, self.facts.places.get(request.request_id))
        if not self.ended:
            body["resources"] = self.samples.to_json(history)
        counts = body["children"] | (children or {})
        below = self.samples.children if not self.ended else 0
        counts["unrecorded"] = max(0, below - sum(counts[kind.value] for kind in Kind))
        body["children"] = counts
        return body


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size  # noqa: PTH116 - asked for thousands of files
    except OSError:
        return -1


def _changed_at(path: str) -> float:
    try:
        return os.stat(path).st_mtime  # noqa: PTH116 - asked for thousands of files
    except OSError:
        return 0.0


def dump(data: Any) -> bytes:
    return json.dumps(data, allow_nan=False, separators=(",", ":")).encode("ascii")
