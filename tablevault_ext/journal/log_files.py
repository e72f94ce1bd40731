"""The output of a process on disk: bounded, never renamed, read by offset.

A stream is a row of segments, named by the offset (bytes since the beginning) at which each starts::

    LOGS/stdout.log                     the head: how it began is kept for good
    LOGS/stdout.000000008388608.log     and so on; of these, the newest are kept
    LOGS/stdout.000000008388608.times   when which offset was written, 16 bytes a record

Nothing is ever renamed, so an offset means the same before and after rotation, a reader can follow while the writer
rotates, and a crash leaves nothing half-moved. Bytes are kept as they came; only showing makes text of them.
"""

from __future__ import annotations

import contextlib
import os
import re
import struct
import time
from bisect import bisect_right
from dataclasses import dataclass
from pathlib import Path

from ..errors import BadArgument

TOTAL = 64 << 20
"""Bytes kept of one stream: an eighth is the head, the rest the newest output."""

_SEGMENTS = 8
_STAMP = struct.Struct("<QQ")  # offset, microseconds since the epoch
_STAMP_EVERY = 0.1  # seconds
_BLOCK = 64 << 10


@dataclass(frozen=True, slots=True)
class Chunk:
    """Bytes of a stream. ``skipped`` bytes before ``offset`` were asked for but are no longer kept."""

    offset: int
    data: bytes
    skipped: int = 0

    @property
    def next_offset(self) -> int:
        return self.offset + len(self.data)


@dataclass(frozen=True, slots=True)
class Segment:
    start: int
    path: Path
    size: int

    @property
    def end(self) -> int:
        return self.start + self.size


class LogWriter:
    """Appends to one stream and keeps it within its bound.

    Args:
        folder: the logs of one process; made if needed, mode 0700.
        stream: ``"stdout"`` or ``"stderr"``.
        total: bytes to keep, at least 64 KiB.

    A disk that is full must not stop the program whose output this is: what cannot be written is counted in ``lost``.
    """

    def __init__(self, folder: Path, stream: str, *, total: int = TOTAL) -> None:
        if total < _BLOCK:
            raise BadArgument(f"a log keeps at least {_BLOCK} bytes, not {total}")
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.folder = folder
        self.stream = checked_stream(stream)
        self.lost = 0
        self._limit = total // _SEGMENTS
        kept = segments(folder, stream)
        last = kept[-1] if kept else Segment(0, segment_path(folder, stream, 0), 0)
        self._start, self._end = last.start, last.end
        self._file = _append_to(last.path)
        self._stamped = 0.0

    def write(self, data: bytes) -> None:
        """Append. Returns when it is written, or counted as lost."""
        view = memoryview(data)
        while view:
            if self._end - self._start >= self._limit:
                self._rotate()
            part = view[: self._start + self._limit - self._end]
            try:
                written = os.write(self._file, part)
            except OSError:
                self.lost += len(view)
                return
            self._stamp()
            self._end += written
            view = view[written:]

    def close(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def __enter__(self) -> LogWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _rotate(self) -> None:
        path = segment_path(self.folder, self.stream, self._end)
        try:
            file = _append_to(path)
        except OSError:  # no room even for a name: the current segment grows on; write says what is lost
            self._limit += self._limit // 4
            return
        os.close(self._file)
        self._file, self._start, self._stamped = file, self._end, 0.0
        for old in segments(self.folder, self.stream)[1 : -(_SEGMENTS - 1)]:
            old.path.unlink(missing_ok=True)
            times_path(old.path).unlink(missing_ok=True)

    def _stamp(self) -> None:
        """Note when this offset was written, ten times a second at most."""
        now = time.time()
        if now - self._stamped < _STAMP_EVERY:
            return
        self._stamped = now
        with contextlib.suppress(OSError):
            file = _append_to(times_path(segment_path(self.folder, self.stream, self._start)))
            try:
                os.write(file, _STAMP.pack(self._end, int(now * 1e6)))
            finally:
                os.close(file)


class LogReader:
    """Reads one stream by offset, while it is written or after.

    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> with LogWriter(folder, "stdout") as log:
    ...     log.write(b"epoch 1\\nepoch 2\\n")
    >>> LogReader(folder, "stdout").tail(1).data
    b'epoch 2\\n'
    """

    def __init__(self, folder: Path, stream: str) -> None:
        self.folder = folder
        self.stream = checked_stream(stream)

    @property
    def end(self) -> int:
        """The offset behind the last byte; 0 if there is no log."""
        kept = segments(self.folder, self.stream)
        return kept[-1].end if kept else 0

    def read(self, offset: int = 0, limit: int = _BLOCK) -> Chunk:
        """At most ``limit`` bytes from ``offset`` on; what is not kept any more is skipped, and counted.

        A chunk ends where something was dropped, so that nobody joins what never stood together.

        Raises:
            BadArgument: a negative offset or limit.
        """
        if offset < 0 or limit < 0:
            raise BadArgument(f"offset and limit are 0 or more, not {offset} and {limit}")
        parts: list[bytes] = []
        at, asked, first = offset, offset, None
        for segment in segments(self.folder, self.stream):
            if segment.end <= at:
                continue
            if segment.start > at:
                if parts:
                    break
                at = segment.start
            first = at if first is None else first
            part = _read_at(segment.path, at - segment.start, limit - sum(map(len, parts)))
            if part:
                parts.append(part)
            at += len(part)
            if sum(map(len, parts)) >= limit:
                break
        begin = asked if first is None else first
        return Chunk(begin, b"".join(parts), begin - asked)

    def tail(self, lines: int, *, max_bytes: int = 1 << 20) -> Chunk:
        """The last lines, an unfinished one included; at most ``max_bytes``, whatever is in them."""
        end = self.end
        size = min(_BLOCK, max_bytes)
        while True:
            chunk = self._last(end, size)
            begin = _start_of_last_lines(chunk.data, lines)
            if begin or size >= max_bytes or len(chunk.data) < size:
                return Chunk(chunk.offset + begin, chunk.data[begin:])
            size = min(size * 4, max_bytes)

    def time_of(self, offset: int) -> float | None:
        """When the byte at an offset was written (seconds since the epoch, to a tenth); None if nobody knows."""
        held = [segment for segment in segments(self.folder, self.stream) if segment.start <= offset < segment.end]
        stamps = read_stamps(held[-1]) if held else []
        at = bisect_right(stamps, offset, key=lambda stamp: stamp[0])
        return stamps[at - 1][1] if at else None

    def _last(self, end: int, size: int) -> Chunk:
        """The last ``size`` bytes that stand together."""
        parts: list[bytes] = []
        begin = end
        for segment in reversed(segments(self.folder, self.stream)):
            if segment.start > begin or segment.end < begin:
                if segment.end < begin:
                    break
                continue
            want = min(begin - segment.start, size - (end - begin))
            part = _read_at(segment.path, begin - want - segment.start, want)
            if len(part) < want:
                break
            parts.append(part)
            begin -= want
            if end - begin >= size:
                break
        return Chunk(begin, b"".join(reversed(parts)))


def checked_stream(stream: str) -> str:
    """Refuse what could become a path or another pattern."""
    if not re.fullmatch(r"[a-z]{1,16}", stream):
        raise BadArgument(f"{stream[:40]!r} is not the name of a stream, such as 'stdout'")
    return stream


def segments(folder: Path, stream: str) -> list[Segment]:
    """The kept segments of a stream, oldest first."""
    found = []
    pattern = re.compile(re.escape(stream) + r"(?:\.(\d{15}))?\.log")
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                match = pattern.fullmatch(entry.name)
                if match:
                    with contextlib.suppress(FileNotFoundError):
                        size = entry.stat(follow_symlinks=False).st_size
                        found.append(Segment(int(match[1] or 0), Path(entry.path), size))
    except FileNotFoundError:
        return []
    return sorted(found, key=lambda segment: segment.start)


def segment_path(folder: Path, stream: str, start: int) -> Path:
    return folder / (f"{stream}.{start:015d}.log" if start else f"{stream}.log")


def times_path(segment: Path) -> Path:
    return segment.with_suffix(".times")


def read_stamps(segment: Segment) -> list[tuple[int, float]]:
    """(offset, seconds since the epoch) in order; a torn last record is left out."""
    try:
        raw = times_path(segment.path).read_bytes()
    except OSError:
        return []
    whole = len(raw) - len(raw) % _STAMP.size
    return [(offset, stamp / 1e6) for offset, stamp in _STAMP.iter_unpack(raw[:whole])]


def _start_of_last_lines(data: bytes, lines: int) -> int:
    """Where the last ``lines`` lines begin; 0 if they begin before this data."""
    if lines <= 0:
        return len(data)
    at = len(data) - 1 if data.endswith(b"\n") else len(data)
    for _ in range(lines):
        at = data.rfind(b"\n", 0, at)
        if at < 0:
            return 0
    return at + 1


def _append_to(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)


def _read_at(path: Path, offset: int, size: int) -> bytes:
    try:
        with path.open("rb", buffering=0) as file:
            file.seek(offset)
            return file.read(size) or b""
    except FileNotFoundError:  # rotated away in between
        return b""
