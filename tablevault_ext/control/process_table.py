"""The process table of this machine, read in one pass.

A pause has to read it several times while processes fork, and sampling reads it every second, so on Linux
one ``/proc/PID/stat`` per process is all that is read: it carries parent, state, start, CPU and memory.
Elsewhere psutil answers the same questions, slower.
"""

from __future__ import annotations

import os
import time
from collections import defaultdict
from collections.abc import Callable
from functools import cached_property, lru_cache
from typing import NamedTuple

import psutil

from .. import identity as _identity
from ..identity import Identity

STOPPED = frozenset("Tt")
"""State letters of a process that runs nothing until somebody continues it (t: held by a debugger)."""

_PAGE = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096
_TICK = 1 / os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 0.01

_PSUTIL_LETTERS = {
    psutil.STATUS_RUNNING: "R",
    psutil.STATUS_DISK_SLEEP: "D",
    psutil.STATUS_STOPPED: "T",
    psutil.STATUS_TRACING_STOP: "t",
    psutil.STATUS_ZOMBIE: "Z",
    psutil.STATUS_DEAD: "X",
    psutil.STATUS_IDLE: "I",
}


class Row(NamedTuple):
    """One process as it was when its line was read."""

    pid: int
    ppid: int
    state: str  # the letter of /proc/PID/stat: R, S, D, T, t, Z, X, I
    start: int  # as in Identity.start
    session: int
    threads: int
    cpu: float  # seconds, user and system
    rss: int  # bytes
    image: int  # where its environment lies: another after exec, the same after fork; 0 if not ours to read

    @property
    def zombie(self) -> bool:
        """Ended and not yet collected. A leader that ended before its threads shows Z, too, and still runs."""
        return self.state in "ZX" and self.threads <= 1

    @property
    def stopped(self) -> bool:
        return self.state in STOPPED


class Snapshot:
    """Every process at (nearly) one moment.

    The reading is not atomic. What holds: a process that existed during the whole reading is in it.
    """

    def __init__(self, rows: dict[int, Row], taken_at: float) -> None:
        self.rows = rows
        self.taken_at = taken_at  # time.monotonic()
        self._where = whereabouts()

    @cached_property
    def children(self) -> dict[int, list[Row]]:
        return _group(self.rows, lambda row: row.ppid)

    @cached_property
    def sessions(self) -> dict[int, list[Row]]:
        return _group(self.rows, lambda row: row.session)

    @cached_property
    def images(self) -> dict[int, list[Row]]:
        return _group(self.rows, lambda row: row.image)

    def identity(self, row: Row) -> Identity:
        return Identity(row.pid, row.start, *self._where)

    def find(self, identity: Identity) -> Row | None:
        """The row of this very process (a zombie included), never of a later one with its pid."""
        row = self.rows.get(identity.pid)
        return row if row is not None and row.start == identity.start and self.sees(identity) else None

    def sees(self, identity: Identity) -> bool:
        """Whether a process of that boot, namespace and host would be listed here at all."""
        return (identity.boot_id, identity.pid_ns, identity.host) == self._where

    def ancestors(self, pid: int) -> list[int]:
        """The pids above one, nearest first."""
        chain: list[int] = []
        row = self.rows.get(pid)
        while row is not None and row.ppid > 0 and row.ppid not in chain:
            chain.append(row.ppid)
            row = self.rows.get(row.ppid)
        return chain


@lru_cache(maxsize=1)
def whereabouts() -> tuple[str, str, str]:
    """Boot, PID namespace and host of this process: what an identity must match to be looked up here at all."""
    return _identity.boot_id(), _identity.pid_namespace(), _identity.host()


if hasattr(os, "register_at_fork"):  # a forked child may be born into another namespace
    os.register_at_fork(after_in_child=whereabouts.cache_clear)


def is_from_here(identity: Identity) -> bool:
    return (identity.boot_id, identity.pid_ns, identity.host) == whereabouts()


def take_snapshot() -> Snapshot:
    """Read the whole process table, 10 to 15 microseconds a process on Linux."""
    taken_at = time.monotonic()
    if not _identity.LINUX:
        return Snapshot(_psutil_rows(), taken_at)
    rows: dict[int, Row] = {}
    for name in os.listdir("/proc"):  # noqa: PTH208 - Path.iterdir costs as much as reading the rows
        if name.isdigit() and (row := _read_stat(name)) is not None:
            rows[row.pid] = row
    return Snapshot(rows, taken_at)


def read_row(pid: int) -> Row | None:
    """One process, or None if there is none."""
    if _identity.LINUX:
        return _read_stat(str(pid))
    try:
        return _psutil_row(psutil.Process(pid))
    except psutil.Error:
        return None


def running_threads(pid: int) -> int:
    """How many threads of a process are not stopped (0 if it is gone, or where threads cannot be seen).

    A stop reaches the threads one by one: the first may show T while another still runs.
    """
    try:
        tids = os.listdir(f"/proc/{pid}/task")  # noqa: PTH208
    except OSError:
        return 0
    rows = (_read_stat(f"{pid}/task/{tid}") for tid in tids)
    return sum(1 for row in rows if row is not None and row.state not in "TtZX")


def read_proc_file(path: str, limit: int = 1 << 20) -> bytes:
    """A file of /proc, whole up to ``limit`` bytes; empty if it is gone or not ours to read."""
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return b""
    try:
        parts: list[bytes] = []
        size = 0
        while size < limit and (part := os.read(file, 65536)):
            parts.append(part)
            size += len(part)
        return b"".join(parts)
    except OSError:
        return b""
    finally:
        os.close(file)


def started_at(identity: Identity) -> float:
    """When a process of this boot started, in seconds since the epoch, to a tick (10 ms).

    With it a child finds the cell that was running when it was started.

    >>> 0 <= time.time() - started_at(Identity.mine()) < 86_400
    True
    """
    if not _identity.LINUX:
        return identity.start / 1000
    return time.time() - time.clock_gettime(time.CLOCK_BOOTTIME) + identity.start * _TICK


def command_line(pid: int) -> tuple[str, ...]:
    """The arguments of a process; empty for zombies, kernel threads and what is not ours to read."""
    if _identity.LINUX:
        raw = read_proc_file(f"/proc/{pid}/cmdline", 65536)
        return tuple(part.decode("utf-8", "replace") for part in raw.rstrip(b"\0").split(b"\0")) if raw else ()
    try:
        return tuple(psutil.Process(pid).cmdline())
    except (psutil.Error, OSError):
        return ()


def _read_stat(name: str) -> Row | None:
    # os.open and os.read instead of Path.read_bytes: a third of the time, and this is the inner loop of a pause.
    # Only what says that it is gone counts as gone: out of descriptors is another thing, and is raised.
    try:
        file = os.open(f"/proc/{name}/stat", os.O_RDONLY | os.O_CLOEXEC)
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return None
    try:
        raw = os.read(file, 2048)
    except ProcessLookupError:
        return None
    finally:
        os.close(file)
    # The command name may hold spaces and parentheses: count from the last one.
    fields = raw[raw.rindex(b")") + 2 :].split()
    return Row(
        pid=int(raw[: raw.index(b" ")]),
        ppid=int(fields[1]),
        state=fields[0].decode(),
        start=int(fields[19]),
        session=int(fields[3]),
        threads=int(fields[17]),
        cpu=(int(fields[11]) + int(fields[12])) * _TICK,
        rss=int(fields[21]) * _PAGE,
        image=int(fields[47]),
    )


def _group(rows: dict[int, Row], key: Callable[[Row], int]) -> dict[int, list[Row]]:
    groups: dict[int, list[Row]] = defaultdict(list)
    for row in rows.values():
        groups[key(row)].append(row)
    return groups


def _psutil_rows() -> dict[int, Row]:
    rows = {}
    for process in psutil.process_iter():
        try:
            rows[process.pid] = _psutil_row(process)
        except psutil.Error:
            continue
    return rows


def _psutil_row(process: psutil.Process) -> Row:
    with process.oneshot():
        status = process.status()
        zombie = status == psutil.STATUS_ZOMBIE
        times = None if zombie else process.cpu_times()
        return Row(
            pid=process.pid,
            ppid=process.ppid(),
            state=_PSUTIL_LETTERS.get(status, "S"),
            start=round(process.create_time() * 1000),
            session=_session(process.pid),
            threads=1 if zombie else process.num_threads(),
            cpu=times.user + times.system if times else 0.0,
            rss=0 if zombie else process.memory_info().rss,
            image=0,
        )


def _session(pid: int) -> int:
    try:
        return os.getsid(pid)
    except (OSError, AttributeError):
        return 0
