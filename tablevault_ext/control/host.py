"""The machine: processors and memory as far as this container may use them, and what the kernel killed for memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil

from ..identity import Identity
from .process_table import read_proc_file
from .signals import look

PROC = Path("/proc")
_RESERVE = 0.05  # of the memory: the machine itself needs some, and "just fits" ends in the OOM killer


@dataclass(frozen=True, slots=True)
class HostFigures:
    """CPU and memory of this machine, or of this container where its cgroup sets a lower limit.

    ``cpu`` is percent of the whole machine since the last reading (0.0 in the first), ``cores`` how many may be used,
    memory is in bytes, ``limited`` whether a cgroup limits the memory.
    """

    cpu: float
    cores: float
    memory_total: int
    memory_available: int
    swap_free: int
    limited: bool

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class MemoryCheck:
    """Whether memory holds what is about to begin; ``message`` is a warning for people, empty if it does."""

    holds: bool
    needed: int
    available: int
    message: str

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class OomCounters:
    """How many processes the kernel has killed for memory: in one cgroup, and on the machine. None: not readable.

    Read once while the process lives; `again` reads the same group after its death.
    """

    file: str | None
    group: int | None
    machine: int | None

    def again(self, proc: Path = PROC) -> OomCounters:
        group = _counter(Path(self.file), "oom_kill") if self.file else None
        return OomCounters(self.file, group, _counter(proc / "vmstat", "oom_kill"))

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def host_figures(proc: Path = PROC) -> HostFigures:
    """Read the machine, a few hundred microseconds.

    >>> figures = host_figures()
    >>> 0 < figures.memory_available <= figures.memory_total
    True
    """
    memory = psutil.virtual_memory()
    total, available, limited = memory.total, memory.available, False
    for limit, used in _memory_limits(proc):
        if limit < total:
            total, limited = limit, True
        available = min(available, max(limit - used, 0))
    return HostFigures(psutil.cpu_percent(None), _cores(proc), total, available, psutil.swap_memory().free, limited)


def would_memory_hold(needed: int, figures: HostFigures | None = None, *, doing: str = "this") -> MemoryCheck:
    """Compare what a start or a resume needs with what is free, less 5 % of the memory as a reserve.

    Args:
        needed: bytes; for a resume see `memory_to_resume`, for a start the peak of an earlier run.
        doing: what is about to happen, for the message: ``"resuming train"``.
    """
    figures = figures or host_figures()
    free = max(figures.memory_available - int(_RESERVE * figures.memory_total), 0)
    if needed <= free:
        return MemoryCheck(True, needed, free, "")
    where = "this container" if figures.limited else "this machine"
    message = f"{doing} needs about {in_words(needed)} of memory, but {where} has only {in_words(free)} to give"
    return MemoryCheck(False, needed, free, message)


def memory_to_resume(members: Iterable[Identity], peak: int = 0) -> int:
    """How much more memory a paused tree takes when it goes on: what was swapped out, or what is missing to its peak.

    Args:
        members: the suspended processes.
        peak: the highest RSS (bytes) that the tree has had, as `ResourceSampler.peaks` gives it.
    """
    swapped = resident = 0
    for identity in members:
        row = look(identity)
        if row is not None:
            resident += row.rss
            swapped += 1024 * _status_field(row.pid, b"VmSwap:")
    return max(swapped, peak - resident, 0)


def read_oom_counters(pid: int, proc: Path = PROC) -> OomCounters:
    """The counters of the kernel's OOM killer for the cgroup of a process, as far as they can be read."""
    machine = _counter(proc / "vmstat", "oom_kill")
    for file_name in ("memory.events", "memory.oom_control"):
        for folder in _memory_folders(pid, proc):
            count = _counter(folder / file_name, "oom_kill")
            if count is not None:
                return OomCounters(str(folder / file_name), count, machine)
            break  # only its own group: what dies in a group above it may be somebody else's
    return OomCounters(None, None, machine)


def in_words(size: float) -> str:
    """A number of bytes for people.

    >>> in_words(3 << 30)
    '3.0 GiB'
    """
    for unit in ("bytes", "KiB", "MiB"):
        if size < 1024:
            return f"{size:.0f} {unit}"
        size /= 1024
    return f"{size:.1f} GiB"


def _cores(proc: Path) -> float:
    cores = float(psutil.cpu_count() or 1)
    for controller in ("cpu", ""):
        for folder in _folders("self", controller, proc):
            quota = _words(folder / "cpu.max") or [
                *_words(folder / "cpu.cfs_quota_us"),
                *_words(folder / "cpu.cfs_period_us"),
            ]
            if len(quota) == 2 and quota[0].isdigit() and int(quota[1]):
                cores = min(cores, int(quota[0]) / int(quota[1]))
    return cores


def _memory_limits(proc: Path) -> Iterator[tuple[int, int]]:
    """(limit, used) of every group above us; what is cached from files and unused can be given back: not used."""
    for folder in _memory_folders("self", proc):
        for limit_file, used_file, cache in (
            ("memory.max", "memory.current", "inactive_file"),
            ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
        ):
            limit, used = _words(folder / limit_file), _words(folder / used_file)
            if limit and used and limit[0].isdigit():
                yield int(limit[0]), int(used[0]) - (_counter(folder / "memory.stat", cache) or 0)


def _memory_folders(pid: int | str, proc: Path) -> Iterator[Path]:
    yield from _folders(pid, "memory", proc)
    yield from _folders(pid, "", proc)


def _folders(pid: int | str, controller: str, proc: Path) -> Iterator[Path]:
    """The cgroup folders of a process, its own first: version 1 by controller, version 2 with an empty name."""
    mount = _mount_point(controller, proc)
    if mount is None:
        return
    for line in read_proc_file(f"{proc}/{pid}/cgroup").decode().splitlines():
        _, controllers, path = line.split(":", 2)
        if controller in controllers.split(","):
            folder = mount / path.lstrip("/")
            # Inside a container the path may be the host's, while the mount shows only our own group.
            folder = folder if folder.is_dir() else mount
            yield folder
            yield from (above for above in folder.parents if above.is_relative_to(mount))


def _mount_point(controller: str, proc: Path) -> Path | None:
    for line in read_proc_file(f"{proc}/self/mountinfo").decode("utf-8", "surrogateescape").splitlines():
        words = line.split(" ")
        kind, _, options = words[words.index("-") + 1 :][:3]
        if kind == ("cgroup" if controller else "cgroup2") and (not controller or controller in options.split(",")):
            return Path(words[4].replace("\\040", " "))
    return None


def _counter(file: Path, name: str) -> int | None:
    """``NAME NUMBER`` in a file of such lines."""
    for line in read_proc_file(str(file)).decode("ascii", "replace").splitlines():
        words = line.split()
        if len(words) == 2 and words[0] == name and words[1].isdigit():
            return int(words[1])
    return None


def _words(file: Path) -> list[str]:
    return read_proc_file(str(file)).decode("ascii", "replace").split()


def _status_field(pid: int, name: bytes) -> int:
    for line in read_proc_file(f"/proc/{pid}/status").splitlines():
        if line.startswith(name):
            return int(line.split()[1])
    return 0
