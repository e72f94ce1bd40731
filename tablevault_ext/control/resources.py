"""What processes and their descendants use, sampled from outside: it works while they are stopped.

One reading of the process table serves all watched processes.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from dataclasses import asdict, dataclass, field
from typing import Any

from ..identity import Identity
from .descendants import NO_MARKS, Entry, pick
from .marks import MarkReader, Marks
from .process_table import Snapshot, take_snapshot


@dataclass(frozen=True, slots=True)
class Sample:
    """What a process and its descendants used at one moment.

    ``at`` is seconds since the epoch; ``cpu`` percent of one core since the sample before (None in the first;
    what a member used between the last sample and its end is not counted); ``rss`` bytes, summed, so that pages
    shared by forked workers count once for each; ``children`` the number of descendants; ``state`` the letter of
    the process itself, empty if it is gone; ``suspended`` how many of them all are suspended.
    """

    at: float
    cpu: float | None
    rss: int
    threads: int
    children: int
    state: str
    suspended: int

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Peaks:
    """The highest values of all samples. ``cpu_seconds`` is what was observed in total."""

    cpu: float = 0.0
    rss: int = 0
    threads: int = 0
    children: int = 0
    cpu_seconds: float = 0.0
    samples: int = 0

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(slots=True)
class _Watched:
    marks: Marks
    history: deque[Sample]
    peaks: Peaks = field(default_factory=Peaks)
    members: tuple[Identity, ...] = ()


class ResourceSampler:
    """Samples many processes with their descendants and keeps a short history of each.

    Args:
        history: how many samples of each are kept.

    >>> sampler = ResourceSampler()
    >>> sampler.watch(Identity.mine())
    >>> sampler.sample()[Identity.mine()].rss > 0
    True
    """

    def __init__(self, history: int = 120) -> None:
        self._length = history
        self._watched: dict[Identity, _Watched] = {}
        self._reader = MarkReader()
        self._before: Snapshot | None = None
        self._lock = threading.Lock()

    def watch(self, root: Identity, marks: Marks = NO_MARKS) -> None:
        """Begin with a process; watching it already only changes its marks."""
        with self._lock:
            if root in self._watched:
                self._watched[root].marks = marks
            else:
                self._watched[root] = _Watched(marks, deque(maxlen=self._length))

    def forget(self, root: Identity) -> None:
        with self._lock:
            self._watched.pop(root, None)

    def history(self, root: Identity) -> tuple[Sample, ...]:
        """The last samples, oldest first; empty if it is not watched."""
        with self._lock:
            watched = self._watched.get(root)
            return tuple(watched.history) if watched else ()

    def peaks(self, root: Identity) -> Peaks:
        with self._lock:
            watched = self._watched.get(root)
            return watched.peaks if watched else Peaks()

    def members(self, root: Identity) -> tuple[Identity, ...]:
        """Who belonged to it at the last sample, itself included: ``known`` for `find_descendants` when it is dead."""
        with self._lock:
            watched = self._watched.get(root)
            return watched.members if watched else ()

    def sample(self) -> dict[Identity, Sample]:
        """Sample everything that is watched. One that is gone gives what its surviving descendants use."""
        with self._lock:
            snapshot = take_snapshot()
            at = time.time()
            samples = {root: self._take(snapshot, at, root, each) for root, each in self._watched.items()}
            self._before = snapshot
            self._reader.prune(snapshot)
            return samples

    def _take(self, snapshot: Snapshot, at: float, root: Identity, watched: _Watched) -> Sample:
        picked, _ = pick(snapshot, root, watched.marks, self._reader, known=watched.members)
        rows = [row for row, _, _ in picked if not row.zombie]
        top = snapshot.find(root)
        used = self._cpu_seconds(snapshot, picked) if watched.peaks.samples else None
        elapsed = snapshot.taken_at - self._before.taken_at if self._before else 0.0
        sample = Sample(
            at=at,
            cpu=None if used is None or elapsed <= 0 else 100 * used / elapsed,
            rss=sum(row.rss for row in rows),
            threads=sum(row.threads for row in rows),
            children=sum(1 for row in rows if row is not top),
            state=top.state if top is not None and not top.zombie else "",
            suspended=sum(1 for row in rows if row.stopped),
        )
        watched.members = tuple(snapshot.identity(row) for row in rows)
        watched.history.append(sample)
        watched.peaks = _raised(watched.peaks, sample, used or 0.0)
        return sample

    def _cpu_seconds(self, snapshot: Snapshot, picked: list[Entry]) -> float:
        """What the members used since the last reading; a process that was not there then began at nothing."""
        before = self._before.rows if self._before else {}
        seconds = 0.0
        for row, _, _ in picked:
            earlier = before.get(row.pid)
            same = earlier is not None and earlier.start == row.start
            seconds += max(row.cpu - (earlier.cpu if earlier is not None and same else 0.0), 0.0)
        return seconds


def _raised(peaks: Peaks, sample: Sample, cpu_seconds: float) -> Peaks:
    return Peaks(
        cpu=max(peaks.cpu, sample.cpu or 0.0),
        rss=max(peaks.rss, sample.rss),
        threads=max(peaks.threads, sample.threads),
        children=max(peaks.children, sample.children),
        cpu_seconds=peaks.cpu_seconds + cpu_seconds,
        samples=peaks.samples + 1,
    )
