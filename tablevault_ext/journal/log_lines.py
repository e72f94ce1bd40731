"""Logs for people: lines of text with their times, system events among them, followed as they are written."""

from __future__ import annotations

import heapq
import re
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from .log_files import Chunk, LogReader

SYSTEM = "system"

_LONGEST = 16 << 10  # bytes of one line that are shown
# What could do harm in a terminal: control characters other than tab, and escape sequences other than colours.
_HARMFUL = re.compile(r"\x1b(?!\[[0-9;]*m)|[\x00-\x08\x0b-\x1a\x1c-\x1f\x7f-\x9f]")


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line. ``at`` is seconds since the epoch or None, ``stream`` is stdout, stderr or system."""

    at: float | None
    stream: str
    text: str

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def clean(data: bytes) -> str:
    """Text that is safe to show: bytes that are no UTF-8 and control characters are replaced, colours stay.

    >>> clean(b"loss \\x1b[31m0.5\\x1b[0m \\xff\\x00\\x1b]0;title\\x07")
    'loss \\x1b[31m0.5\\x1b[0m ��␛]0;title�'
    """
    text = data.decode("utf-8", "replace")
    return _HARMFUL.sub(lambda match: "␛" if match[0] == "\x1b" else "�", text)


def last_lines(folder: Path, lines: int, streams: Iterable[str] = ("stdout", "stderr")) -> list[LogLine]:
    """The last lines of each stream, together in the order of their times, at most ``lines`` in all."""
    every = [_lines_of(LogReader(folder, stream), lines) for stream in streams]
    return list(interleave(*every))[-lines:] if lines > 0 else []


def interleave(*sources: Iterable[LogLine]) -> Iterator[LogLine]:
    """Join lines of several streams by time; a line without a time stays behind the one before it.

    Control events are lines of the stream ``"system"``.

    >>> out = [LogLine(1.0, "stdout", "epoch 1"), LogLine(3.0, "stdout", "epoch 2")]
    >>> [line.text for line in interleave(out, [LogLine(2.0, SYSTEM, "paused by ana")])]
    ['epoch 1', 'paused by ana', 'epoch 2']
    """

    def timed(source: Iterable[LogLine]) -> Iterator[tuple[float, LogLine]]:
        latest = float("-inf")
        for line in source:
            latest = latest if line.at is None else max(latest, line.at)
            yield latest, line

    for _, line in heapq.merge(*(timed(source) for source in sources), key=lambda pair: pair[0]):
        yield line


def follow(
    reader: LogReader,
    offset: int,
    *,
    ended: Callable[[], bool],
    poll: float = 0.1,
    limit: int = 64 << 10,
) -> Iterator[Chunk]:
    """Give what is written from ``offset`` on, as it comes, until the writer has ended and all has been read.

    Args:
        ended: says whether more can come; asked only when everything has been read.
        poll: seconds between two looks.
        limit: bytes in one chunk at most.
    """
    while True:
        over = ended()  # asked before reading: what was written before the end is still given
        chunk = reader.read(offset, limit)
        if chunk.data:
            yield chunk
            offset = chunk.next_offset
        elif over:
            return
        else:
            time.sleep(poll)


def _lines_of(reader: LogReader, lines: int) -> list[LogLine]:
    chunk = reader.tail(lines)
    found = []
    offset = chunk.offset
    for line in chunk.data.split(b"\n"):
        if line or offset + len(line) < chunk.next_offset:
            shown = line.removesuffix(b"\r")
            text = clean(shown[:_LONGEST]) + ("…" if len(shown) > _LONGEST else "")
            found.append(LogLine(reader.time_of(offset), reader.stream, text))
        offset += len(line) + 1
    return found
