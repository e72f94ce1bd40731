"""The new, complete lines of journals and inboxes, sorted into what DuckDB reads and what Python reads.

Bulk lines (cells, records, errors, descriptions) are copied as bytes into one staging file. The few others, from
which states are folded, are parsed here.
"""

from __future__ import annotations

import bisect
import gzip
import os
import re
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, BinaryIO

from ..journal.lines import decode_line, encode_line
from ..journal.reader import compressed
from ..model import now_us
from ..paths import VaultPaths
from .offsets import INBOX, PACKED, UNPACKING, Offset, Source
from .scratch import NoRoom, Scratch

LIMIT = 64 * 2**20
"""Bytes that one transaction takes in; more stay for the next. One line always gets in, whatever its size."""

_CHUNK = 2 * 2**20
_KEPT_OF_BAD_LINE = 2**20
_FINGERPRINT = 32
_OTHERS = re.compile(rb'\n\{"e":"(?!cell_|record_appended"|error_seen"|list_created"|described")')
_NUMBER = re.compile(rb'\{"e":"[^"]*","p":"[^"]*","n":(\d+)')


@dataclass(frozen=True, slots=True)
class Notable:
    """A line that Python reads. ``position`` is its number in the journal, or its end in the inbox."""

    process_id: str
    source: str
    position: int
    at: int
    event: dict[str, Any]
    text: str


@dataclass(frozen=True, slots=True)
class BadLine:
    """A line that is no event, where it begins, and why."""

    file: str
    position: int
    line: bytes
    reason: str


@dataclass(frozen=True, slots=True)
class Notice:
    """Something that people should know: kind is quarantined, replaced, deleted, unreadable, unfoldable."""

    kind: str
    process_id: str
    file: str
    message: str
    at: int = field(default_factory=now_us)


@dataclass(slots=True)
class Batch:
    """What one transaction takes in. ``offsets`` are those to be stored; ``more``: something stayed behind."""

    staging: Path
    scratch: Scratch
    offsets: dict[str, Offset] = field(default_factory=dict)
    others: list[Notable] = field(default_factory=list)
    bad: list[BadLine] = field(default_factory=list)
    notices: list[Notice] = field(default_factory=list)
    bulk_size: int = 0
    bytes_read: int = 0
    more: bool = False
    reread_inboxes: set[str] = field(default_factory=set)
    _starts: list[int] = field(default_factory=list)
    _origins: list[tuple[str, int]] = field(default_factory=list)

    def note_segment(self, file: str, position: int) -> None:
        """From here on the staging file holds bytes of ``file`` from ``position`` on."""
        self._starts.append(self.bulk_size)
        self._origins.append((file, position))

    def origin(self, staged_at: int) -> tuple[str, int]:
        """(file, position) of a byte of the staging file."""
        index = bisect.bisect_right(self._starts, staged_at) - 1
        file, position = self._origins[index]
        return file, position + staged_at - self._starts[index]


def collect(paths: VaultPaths, sources: Iterable[Source], offsets: dict[str, Offset], scratch: Scratch) -> Batch:
    """Read what is new in these sources, up to `LIMIT` bytes, into a batch whose staging file is in ``scratch``.

    Raises:
        NoRoom: the staging file cannot be written.
    """
    batch = Batch(scratch.file("bulk"), scratch)
    known = dict(offsets)
    try:
        with batch.staging.open("wb") as bulk:
            for source in sources:
                if batch.bytes_read >= LIMIT:
                    batch.more = True
                    break
                reader = _Reader(source, batch, bulk, known.get(source.key), known.get(source.sibling))
                offset = reader.read(paths)
                if offset is not None:
                    known[source.key] = batch.offsets[source.key] = offset
    except OSError as error:
        raise NoRoom(f"there is no room for what was read: {error.strerror or error}") from error
    return batch


class _Reader:
    """Reads one source from its offset on."""

    def __init__(
        self, source: Source, batch: Batch, bulk: BinaryIO, offset: Offset | None, sibling: Offset | None
    ) -> None:
        self.source = source
        self.batch = batch
        self.bulk = bulk
        self.before = offset
        self.position = 0
        self.known_n = sibling.last_n if sibling else 0
        self.last_n = offset.last_n if offset else 0
        # Lines up to this number are passed over: the other form of this journal had them.
        self.skip_until = self.known_n if source.packed or offset is None else 0

    def read(self, paths: VaultPaths) -> Offset | None:
        """Take in what is new; the offset to be stored, or None when nothing has to be.

        Raises:
            OSError: the staging file cannot be written; nothing that was staged may be used.
        """
        path = paths.root / self.source.file
        try:
            file: IO[bytes] = (
                gzip.open(compressed(path), "rb")  # type: ignore[assignment] # noqa: SIM115
                if self.source.packed
                else path.open("rb", buffering=0)
            )
        except FileNotFoundError:
            return None  # compressed or pruned meanwhile
        except OSError as error:
            self._cannot_be_read(error)
            return None
        with file:
            return self._read_packed(file) if self.source.packed else self._read_plain(file)

    def _read_packed(self, file: IO[bytes]) -> Offset:
        start = self.before.position if self.before else 0
        # What was taken in before an error counts; a broken .gz is read again only by a rebuild.
        finished = self._read_lines(file, start)
        return Offset(PACKED if finished else UNPACKING, self.position, self.last_n, "")

    def _read_plain(self, file: IO[bytes]) -> Offset | None:
        info = os.fstat(file.fileno())
        start = self._start(file, info)
        if start == info.st_size and self.before is not None and info.st_ino == self.before.inode:
            return None
        self._read_lines(file, start)
        mark = _bytes_before(file, self.position, min(self.position, _FINGERPRINT))
        return Offset(info.st_ino, self.position, self.last_n, mark.hex())

    def _start(self, file: IO[bytes], info: os.stat_result) -> int:
        """Where to read from: the offset, or the beginning when this is not the file that the offset is of."""
        before = self.before
        if before is None:
            return 0
        if before.inode == info.st_ino and info.st_size >= before.position:
            mark = bytes.fromhex(before.fingerprint)
            if _bytes_before(file, before.position, len(mark)) == mark:
                return before.position
        if self.source.kind == INBOX:
            self.batch.reread_inboxes.add(self.source.process_id)
        self.skip_until = max(before.last_n, self.known_n)
        message = f"{self.source.file} was replaced or truncated; what it holds now was read from its beginning"
        self._notice("replaced", message)
        return 0

    def _read_lines(self, file: IO[bytes], start: int) -> bool:
        """Take in complete lines from ``start`` on; whether there is nothing more to be had."""
        self.position = start
        rest = b""
        while True:
            try:
                if not rest:
                    file.seek(self.position)
                chunk = file.read(_CHUNK)
            except (OSError, EOFError, zlib.error) as error:
                self._cannot_be_read(error)
                return True
            if not chunk:
                return True
            data = rest + chunk if rest else chunk
            cut = data.rfind(b"\n") + 1
            if not cut:
                rest = data
                continue
            rest = data[cut:]
            self._take(data, cut, self.position)
            self.position += cut
            self.batch.bytes_read += cut
            if self.batch.bytes_read >= LIMIT:
                self.batch.more = True
                return False

    def _cannot_be_read(self, error: Exception) -> None:
        self._notice("unreadable", f"{self.source.key} cannot be read: {error}")

    def _take(self, data: bytes, end: int, position: int) -> None:
        """The lines that make up data[:end], which stand in the file at ``position``."""
        if self.source.kind == INBOX or self.skip_until:
            for start, stop in _line_bounds(data, end):
                self._take_line(data[start:stop], position + start)
        else:
            self._take_lines(data, end, position)
        self._note_number(data, end)

    def _take_line(self, line: bytes, position: int) -> None:
        if not line.strip():
            return
        if self.skip_until:
            number = _NUMBER.match(line)
            if number is not None and int(number[1]) <= self.skip_until:
                return
        if self.source.kind == INBOX or _OTHERS.match(b"\n" + line[:64]):
            self._take_other(line, position)
        else:
            self._copy(line, position)

    def _take_lines(self, data: bytes, end: int, position: int) -> None:
        done = 0
        starts = [0] if _OTHERS.match(b"\n" + data[:64]) else []
        starts.extend(match.start() + 1 for match in _OTHERS.finditer(data, 0, end))
        view = memoryview(data)
        for start in starts:
            self._copy(view[done:start], position + done)
            done = data.index(b"\n", start) + 1
            self._take_other(data[start:done], position + start)
        self._copy(view[done:end], position + done)

    def _copy(self, data: bytes | memoryview, position: int) -> None:
        if data:
            self.batch.note_segment(self.source.file, position)
            self.bulk.write(data)
            self.batch.bulk_size += len(data)

    def _take_other(self, line: bytes, position: int) -> None:
        event = decode_line(line)
        number: Any = position + len(line) if self.source.kind == INBOX else (event or {}).get("n")
        if event is None or not _is_number(number) or not _is_number(event.get("at")):
            bad = BadLine(self.source.file, position, line[:_KEPT_OF_BAD_LINE], "not an event")
            self.batch.bad.append(bad)
            return
        # A lone surrogate, escaped in JSON, would make DuckDB refuse the text.
        text = (encode_line(event) if b"\\u" in line else line).decode()
        self.batch.others.append(
            Notable(self.source.process_id, self.source.kind, number, event["at"], event, text.rstrip("\n"))
        )

    def _note_number(self, data: bytes, end: int) -> None:
        for _ in range(20):
            start = data.rfind(b"\n", 0, end - 1) + 1
            number = _NUMBER.match(data, start)
            if number is not None:
                self.last_n = max(self.last_n, int(number[1]))
                return
            if start == 0:
                return
            end = start

    def _notice(self, kind: str, message: str) -> None:
        self.batch.notices.append(Notice(kind, self.source.process_id, self.source.file, message))


def _bytes_before(file: IO[bytes], position: int, length: int) -> bytes:
    file.seek(position - length)
    return file.read(length)


def _line_bounds(data: bytes, end: int) -> Iterator[tuple[int, int]]:
    start = 0
    while start < end:
        stop = data.index(b"\n", start) + 1
        yield start, stop
        start = stop


def _is_number(value: Any) -> bool:
    """A whole number that the database can hold, as a time in microseconds too."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 10**18
