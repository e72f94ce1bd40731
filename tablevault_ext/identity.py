"""Who a process is: a pid alone is not an identity, because pids are reused.

pid + start time + boot + PID namespace + host is one. Nothing is ever signalled on less.
"""

from __future__ import annotations

import os
import socket
import sys
from dataclasses import asdict, dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any

LINUX = sys.platform.startswith("linux")


class Presence(StrEnum):
    """What can be said of a process from here."""

    ALIVE = "alive"
    GONE = "gone"
    UNKNOWN = "unknown"  # another host or another PID namespace: never called lost from here


@dataclass(frozen=True, slots=True)
class Identity:
    """One OS process, for ever.

    ``start`` is the start time in clock ticks since boot (Linux) or the creation time in milliseconds.
    """

    pid: int
    start: int
    boot_id: str
    pid_ns: str
    host: str

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Identity:
        return cls(data["pid"], data["start"], data["boot_id"], data["pid_ns"], data["host"])

    @classmethod
    def of(cls, pid: int) -> Identity | None:
        """Identify a process that runs now on this machine; None if there is none."""
        start = start_time(pid)
        return None if start is None else cls(pid, start, boot_id(), pid_namespace(), host())

    @classmethod
    def mine(cls) -> Identity:
        """Identify the calling process (not cached: a forked child is somebody else)."""
        me = cls.of(os.getpid())
        if me is None:
            raise ProcessLookupError("this process cannot find itself in the process table")
        return me

    def presence(self) -> Presence:
        """Look whether this very process is there. A zombie is gone: nothing of it runs any more.

        >>> Identity.mine().presence() == "alive"
        True
        """
        if self.host != host():
            return Presence.UNKNOWN
        if self.boot_id != boot_id():
            return Presence.GONE
        if self.pid_ns != pid_namespace():
            return Presence.UNKNOWN
        return Presence.ALIVE if start_time(self.pid) == self.start else Presence.GONE

    def suspended(self) -> bool | None:
        """Whether the operating system has it suspended (SIGSTOP, a debugger); None where that cannot be seen."""
        if self.host != host() or self.boot_id != boot_id() or self.pid_ns != pid_namespace():
            return None
        seen = _look(self.pid)
        return seen[0] in "Tt" if seen is not None and seen[1] == self.start else None


def start_time(pid: int) -> int | None:
    """When a process started, or None if it does not run (zombies included)."""
    seen = _look(pid)
    return None if seen is None else seen[1]


def _look(pid: int) -> tuple[str, int] | None:
    """(state letter, start time) of a process that is no zombie.

    Ticks since boot on Linux: exact, unlike psutil's wall-clock time, which moves when the clock is set.
    """
    if LINUX:
        try:
            stat = Path(f"/proc/{pid}/stat").read_bytes()
        except OSError:
            return None
        fields = stat[stat.rindex(b")") + 2 :].split()
        return None if fields[0] in (b"Z", b"X") else (fields[0].decode("ascii"), int(fields[19]))
    import psutil

    try:
        process = psutil.Process(pid)
        status = process.status()
        if status == psutil.STATUS_ZOMBIE:
            return None
        letter = "T" if status in (psutil.STATUS_STOPPED, psutil.STATUS_TRACING_STOP) else "S"
        return letter, round(process.create_time() * 1000)
    except psutil.Error:
        return None


@cache
def boot_id() -> str:
    """A name for the time since this machine was started; monotonic clocks compare only within it."""
    if LINUX:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    import psutil  # only where there is no /proc: it is a tenth of a second of loading

    return str(round(psutil.boot_time()))


def pid_namespace() -> str:
    """The PID namespace of this process; empty where the platform has none."""
    try:
        return str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        return ""


@cache
def host() -> str:
    return socket.gethostname()
