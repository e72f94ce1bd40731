"""What living processes use, seen from outside once a second: a short history on disk, and lines for the vault."""

from __future__ import annotations

import json
import os
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ..identity import Identity
from ..journal.lines import decode_line
from ..journal.writer import JournalWriter
from ..paths import VaultPaths
from .host import OomCounters, read_oom_counters
from .now import ENV_PARENT, marks_of
from .process_table import command_line, read_proc_file, read_row, started_at
from .resources import ResourceSampler

ENV_PARENT_CELL = "TABLEVAULT_PARENT_CELL"
EVERY = 1.0  # seconds between two samples
KEPT = 120  # samples in the short history: two minutes
JOURNAL_EVERY = 10.0  # seconds between two lines of a journal
_MAX_CHILDREN = 500  # children of one process that get a row of their own


@dataclass(slots=True)
class _Watched:
    identity: Identity
    journal: JournalWriter | None = None
    oom: OomCounters | None = None
    history: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=KEPT))
    next_line: float = 0.0
    children: dict[str, Identity] = field(default_factory=dict)
    starting: set[str] = field(default_factory=set)  # seen once, when they had started no program yet


class Sampling:
    """A step of the keeper.

    Writes ``live/PROCESS_ID.samples`` (JSON: ``samples`` of the last two minutes and ``oom`` counters at the
    beginning) each second, and into the keeper's journal of the process: a ``sample`` each ten seconds, a ``child``
    when one comes or goes, with the cell that started it, and ``peaks`` at the end.
    """

    def __init__(self, paths: VaultPaths, living: Callable[[], Mapping[str, Identity]]) -> None:
        self._paths = paths
        self._living = living
        self._sampler = ResourceSampler(history=2)
        self._watched: dict[str, _Watched] = {}
        self._next = 0.0

    def step(self) -> None:
        now = time.monotonic()
        if now < self._next:
            return
        self._next = now + EVERY
        living = self._living()
        for process_id in [each for each in self._watched if each not in living]:
            self._end(process_id)
        for process_id, identity in living.items():
            self._begin(process_id, identity)
        if not self._watched:
            return
        samples = self._sampler.sample()
        for process_id, watched in self._watched.items():
            sample = samples.get(watched.identity)
            if sample is None:
                continue
            watched.history.append(
                {"t": round(sample.at, 3), "cpu": None if sample.cpu is None else round(sample.cpu, 1)}
                | {"rss": sample.rss, "threads": sample.threads, "children": sample.children}
            )
            self._write_history(process_id, watched)
            self._note_children(process_id, watched)
            if now >= watched.next_line:
                watched.next_line = now + JOURNAL_EVERY
                self._journal(process_id, watched).append("sample", **watched.history[-1])

    def _begin(self, process_id: str, identity: Identity) -> None:
        known = self._watched.get(process_id)
        if known is not None and known.identity == identity:
            return
        if known is not None:  # a child took its record over from `tablevault run`
            self._sampler.forget(known.identity)
            known.identity = identity
        else:
            watched = self._watched[process_id] = _Watched(identity)
            watched.oom = read_oom_counters(identity.pid)
        self._sampler.watch(identity, marks_of(self._paths, process_id))

    def _end(self, process_id: str) -> None:
        watched = self._watched.pop(process_id)
        peaks = self._sampler.peaks(watched.identity)
        self._sampler.forget(watched.identity)
        after = watched.oom.again() if watched.oom is not None else None
        journal = self._journal(process_id, watched)
        if watched.history:
            journal.append("sample", last=True, **watched.history[-1])
        journal.append(
            "sample",
            peaks=peaks.to_json(),
            rss=peaks.rss,
            cpu=round(peaks.cpu, 1),
            threads=peaks.threads,
            children=peaks.children,
            oom_before=watched.oom.to_json() if watched.oom else None,
            oom_after=after.to_json() if after else None,
        )
        journal.close()
        self._paths.samples(process_id).unlink(missing_ok=True)

    def _note_children(self, process_id: str, watched: _Watched) -> None:
        """Each OS child gets a line when it is first seen, and one when it is gone."""
        present = {f"{m.pid}-{m.start}": m for m in self._sampler.members(watched.identity) if m != watched.identity}
        for child_id in [each for each in watched.children if each not in present]:
            gone = watched.children.pop(child_id)
            self._journal(process_id, watched).append("child", id=child_id, pid=gone.pid, status="ended")
        watched.starting &= present.keys()
        for child_id, identity in present.items():
            if child_id in watched.children or len(watched.children) >= _MAX_CHILDREN:
                continue
            if child_id not in watched.starting and _has_its_parents_image(identity.pid):
                # Between fork and exec: its command and environment are its parent's yet. A mere fork waits as well.
                watched.starting.add(child_id)
                continue
            watched.starting.discard(child_id)
            watched.children[child_id] = identity
            began = started_at(identity)
            self._journal(process_id, watched).append(
                "child",
                id=child_id,
                pid=identity.pid,
                command=" ".join(command_line(identity.pid))[:1000],
                cell_seq=_starting_cell(identity.pid, process_id),
                started_at=None if began is None else int(began * 1e6),
                status="running",
            )

    def _journal(self, process_id: str, watched: _Watched) -> JournalWriter:
        if watched.journal is None:
            path = self._paths.keeper_journal(process_id)
            watched.journal = JournalWriter(path, process_id, go_on_from=_last_number(path))
        return watched.journal

    def _write_history(self, process_id: str, watched: _Watched) -> None:
        path = self._paths.samples(process_id)
        fresh = path.with_suffix(".samples-new")
        content = {"samples": list(watched.history), "oom": asdict(watched.oom) if watched.oom else None}
        fd = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(fd, "w") as file:
            json.dump(content, file)
        fresh.rename(path)


def read_history(paths: VaultPaths, process_id: str) -> list[dict[str, Any]]:
    """The last two minutes of a living process: ``t`` (s since the epoch), ``cpu`` (% of a core), ``rss`` (bytes)…"""
    try:
        content = json.loads(paths.samples(process_id).read_text())
    except (OSError, ValueError):
        return []
    return list(content.get("samples", []))


def _has_its_parents_image(pid: int) -> bool:
    """Whether a child runs the program that its parent runs: it is a fork, or has not started its own program yet."""
    row = read_row(pid)
    parent = read_row(row.ppid) if row is not None and row.image else None
    return row is not None and parent is not None and row.image == parent.image


def _starting_cell(pid: int, process_id: str) -> int | None:
    """The cell that started a child, as the environment that it was started with says."""
    environment = dict(
        pair.split(b"=", 1) for pair in read_proc_file(f"/proc/{pid}/environ").split(b"\0") if b"=" in pair
    )
    if environment.get(ENV_PARENT.encode()) != process_id.encode():
        return None
    cell = environment.get(ENV_PARENT_CELL.encode(), b"")
    return int(cell) if cell.isdigit() else None


def _last_number(path: Path) -> int:
    """The number of the last whole line of a journal that another keeper began."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - 65536))
            lines = file.read().split(b"\n")
    except OSError:
        return 0
    for line in reversed(lines):
        event = decode_line(line)
        if event is not None:
            return int(event["n"])
    return 0
