"""The control block: 4 KiB of shared memory through which a running process is rung, and counts its checkpoints.

It is a hint, never the truth: whatever it says, the journal and the inbox decide.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import select
import struct
from dataclasses import dataclass
from pathlib import Path

from ..paths import VaultPaths

with contextlib.suppress(ImportError):  # Windows, where there is no sealed memory either
    import fcntl

SIZE = 4096
_MAGIC = b"TVCTL1\0\0"
# Offsets. The doorbell is byte 0, alone in its cache line; counters are aligned 64-bit words.
BELL = 0
MAGIC_AT = 8
COUNT_WORD = 8
STAMP_WORD = 9
GAP_WORD = 10
INBOX_WORD = 11
PLACE_AT = 1024
_PLACE_SIZE = 1024


class ControlBlock:
    """The owner's side: made, mapped, rung by others.

    Raises:
        OSError: when it cannot be made; recording then goes on without control.
    """

    def __init__(self, paths: VaultPaths, process_id: str) -> None:
        self._cell = ""
        self.path = paths.control_block(process_id)
        self.wake_path = paths.wake(process_id)
        fresh = self.path.with_suffix(".new")
        self._fd = -1
        try:
            fd = _sealed_memory(process_id)
            if fd is not None:
                self._fd = fd  # kept open: the link in the vault leads to it
                fresh.symlink_to(f"/proc/{os.getpid()}/fd/{fd}")
            else:
                fd = _allocated_file(fresh)
            self.memory = mmap.mmap(fd, SIZE)
            if self._fd < 0:
                os.close(fd)
        except BaseException:
            fresh.unlink(missing_ok=True)
            raise
        self.memory[MAGIC_AT : MAGIC_AT + 8] = _MAGIC
        # Renamed into place complete: nobody ever maps a short one.
        fresh.rename(self.path)
        self.words = memoryview(self.memory).cast("Q")
        self._wake_fd = self._make_wake()

    def _make_wake(self) -> int:
        if not hasattr(os, "mkfifo"):
            return -1
        os.mkfifo(self.wake_path, 0o600)
        # Read and write: a FIFO without a writer would always be readable.
        return os.open(self.wake_path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)

    @property
    def wake_fd(self) -> int:
        """A file descriptor that becomes readable when somebody rings; -1 where there are no FIFOs."""
        return self._wake_fd

    def wait(self, timeout: float) -> None:
        """Sleep until rung, at most ``timeout`` seconds. Ctrl-C and signals get through."""
        if self._wake_fd >= 0:
            select.select([self._wake_fd], [], [], timeout)
        else:
            select.select([], [], [], min(timeout, 0.05))

    def wake(self) -> None:
        """Ring at oneself: end the wait of another thread."""
        self.memory[BELL] = 1
        _wake(self.wake_path)

    def hush(self) -> None:
        """Clear the doorbell and drain the FIFO. To be done before the inbox is read, never after."""
        self.memory[BELL] = 0
        if self._wake_fd >= 0:
            try:
                while os.read(self._wake_fd, 4096):
                    pass
            except BlockingIOError:
                pass

    def enter_cell(self, cell: int | None) -> None:
        """Leave word which cell runs (its execution count); None: none does."""
        self._cell = "" if cell is None else str(cell)
        self.set_place()

    def set_place(self, line: int | None = None, note: str = "") -> None:
        """Leave word where the process is, for those who ask why a request is not seen yet."""
        text = f"{self._cell},{'' if line is None else line},{note}"
        data = text.encode("utf-8", "replace")[: _PLACE_SIZE - 1]
        self.memory[PLACE_AT : PLACE_AT + len(data) + 1] = data + b"\0"

    def remove(self) -> None:
        """Take the files away when the process ends (the mapping stays valid until then)."""
        self.path.unlink(missing_ok=True)
        self.wake_path.unlink(missing_ok=True)
        self.release()

    def release(self) -> None:
        """Let go of the descriptors, as a forked child must of its parent's."""
        for fd in (self._wake_fd, self._fd):
            if fd >= 0:
                os.close(fd)
        self._wake_fd = self._fd = -1


def _sealed_memory(process_id: str) -> int | None:
    """Memory that nobody can shorten: touching a page that was truncated away would kill us with SIGBUS.

    None where the platform has none (anything but Linux).
    """
    if not hasattr(os, "memfd_create"):
        return None
    fd = os.memfd_create(memory_name(process_id), os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    os.fchmod(fd, 0o600)
    os.ftruncate(fd, SIZE)
    os.posix_fallocate(fd, 0, SIZE)
    fcntl.fcntl(fd, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL)
    return fd


def _allocated_file(path: Path) -> int:
    """A file of real blocks: touching a hole on a full disk would kill us, too."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(fd, 0, SIZE)
    else:
        os.write(fd, bytes(SIZE))
    return fd


def memory_name(process_id: str) -> str:
    """What the control block is called among the mappings of a process (``/memfd:NAME``)."""
    return f"tablevault-{process_id}"


def mappings_of(paths: VaultPaths, process_id: str) -> tuple[Path, ...]:
    """The paths under which a forked child shows its parent's control block in ``/proc/PID/maps``."""
    return Path(f"/memfd:{memory_name(process_id)}"), paths.control_block(process_id)


@dataclass(frozen=True, slots=True)
class ControlReading:
    """What a control block says. ``last_checkpoint`` is monotonic nanoseconds, ``usual_gap`` seconds.

    ``cell`` is the one that a notebook runs. ``line`` is where it was seen last; with a ``note``, the line of the
    last checkpoint in the file that the note names.
    """

    rung: bool
    checkpoints: int
    last_checkpoint: int
    usual_gap: float
    acknowledged: int
    cell: int | None
    line: int | None
    note: str


def read_control(path: Path) -> ControlReading | None:
    """Read another process's control block; None when there is none or it is not whole."""
    try:
        data = path.read_bytes()
    except OSError:
        return None
    if len(data) != SIZE or data[MAGIC_AT : MAGIC_AT + 8] != _MAGIC:
        return None
    count, stamp, gap, inbox = struct.unpack_from("=QQQQ", data, COUNT_WORD * 8)
    place = data[PLACE_AT : PLACE_AT + _PLACE_SIZE].split(b"\0", 1)[0].decode("utf-8", "replace")
    cell, line, note = ([*place.split(",", 2), "", ""])[:3]
    return ControlReading(bool(data[BELL]), count, stamp, gap / 1e9, inbox, _number(cell), _number(line), note)


def _number(text: str) -> int | None:
    return int(text) if text.isdecimal() else None


def ring(paths: VaultPaths, process_id: str) -> bool:
    """Set a process's doorbell and end its wait; False when there is no whole control block to ring.

    The byte is written with `pwrite`, which cannot grow, truncate or fault anything.
    """
    try:
        fd = os.open(paths.control_block(process_id), os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        if os.fstat(fd).st_size != SIZE:
            return False
        os.pwrite(fd, b"\x01", BELL)
    finally:
        os.close(fd)
    _wake(paths.wake(process_id))
    return True


def _wake(path: Path) -> None:
    try:
        fd = os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return  # nobody waits there: the doorbell is enough
    try:
        os.write(fd, b"\x01")
    except BlockingIOError:
        pass  # full: it has been rung often enough
    finally:
        os.close(fd)
