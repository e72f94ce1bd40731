"""Ranges of the two streams of a log as text, in the order in which they were written as far as that is known."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ..journal.log_files import Chunk, LogReader, read_stamps, segments
from ..model import Kind
from ..panel.entry import Entry
from ..panel.wire import Json
from ..paths import VaultPaths

STREAMS = ("stdout", "stderr")


@dataclass(frozen=True, slots=True)
class Span:
    """From an offset on, or back from one, or (neither) back from the end."""

    begin: int | None = None
    end: int | None = None


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a stream that was written at once. ``at`` is seconds since the epoch, 0 if not known."""

    at: float
    stream: str
    start: int
    data: bytes


def read_logs(paths: VaultPaths, entry: Entry, spans: Mapping[str, Span], limit: int) -> Json:
    """The contract's `Logs`; of streams without a span only the size is told.

    Args:
        limit: bytes of each stream.
    """
    folder = paths.logs(entry.process_id)
    readers = {stream: LogReader(folder, stream) for stream in STREAMS}
    sizes = {stream: reader.end for stream, reader in readers.items()}
    start, after = dict(sizes), dict(sizes)
    reset = False
    pieces: list[Piece] = []
    for stream, span in spans.items():
        reset |= span.begin is not None and span.begin > sizes[stream]
        last = sizes[stream] if entry.ended else None
        chunk = _whole_characters(_range(readers[stream], span, sizes[stream], limit), span, last)
        start[stream], after[stream] = chunk.offset, chunk.next_offset
        pieces += _pieces(readers[stream], chunk)
    ordered = all(piece.at for piece in pieces)
    if ordered:
        pieces.sort(key=lambda piece: piece.at)
    return {
        "available": None if folder.is_dir() else _why_none(entry),
        "segments": [_segment(piece) for piece in _joined(pieces)],
        "start": start,
        "next": after,
        "size": sizes,
        "ordered": ordered,
        "reset": reset,
    }


def _range(reader: LogReader, span: Span, size: int, limit: int) -> Chunk:
    if span.begin is not None:
        return reader.read(span.begin if span.begin <= size else 0, limit)
    end = size if span.end is None else min(span.end, size)
    begin = max(end - limit, 0)
    chunk = reader.read(begin, end - begin)
    if not chunk.data or chunk.next_offset >= end:
        return Chunk(min(chunk.offset, end), chunk.data[: max(end - chunk.offset, 0)])
    # Something in between is no longer kept: what stands before the end is wanted, not before the gap.
    kept = max(segment.start for segment in segments(reader.folder, reader.stream) if segment.start <= end)
    return reader.read(max(begin, kept), end - max(begin, kept))


def _whole_characters(chunk: Chunk, span: Span, last: int | None) -> Chunk:
    """Leave out the parts of UTF-8 characters that a range would cut; behind ``last`` nothing more can come."""
    data, offset = chunk.data, chunk.offset
    if span.begin is None and offset > 0:
        cut = next((at for at, byte in enumerate(data[:4]) if byte & 0xC0 != 0x80), 0)
        data, offset = data[cut:], offset + cut
    if offset + len(data) == last:
        return Chunk(offset, data)
    for back in range(1, min(4, len(data)) + 1):
        byte = data[-back]
        if byte & 0xC0 == 0x80:
            continue
        length = 4 if byte >= 0xF0 else 3 if byte >= 0xE0 else 2 if byte >= 0xC0 else 1
        if length > back and len(data) > back:
            data = data[:-back]
        break
    return Chunk(offset, data)


def _pieces(reader: LogReader, chunk: Chunk) -> Iterator[Piece]:
    """Cut where something was written later, at the next end of a line."""
    if not chunk.data:
        return
    held = [s for s in segments(reader.folder, reader.stream) if s.start < chunk.next_offset and s.end > chunk.offset]
    stamps = [stamp for segment in held for stamp in read_stamps(segment)]
    at = max((moment for offset, moment in stamps if offset <= chunk.offset), default=0.0)
    begin = 0
    for offset, moment in stamps:
        if not chunk.offset < offset < chunk.next_offset:
            continue
        cut = offset - chunk.offset
        if chunk.data[cut - 1 : cut] != b"\n":
            cut = chunk.data.find(b"\n", cut) + 1
        if cut > begin:
            yield Piece(at, reader.stream, chunk.offset + begin, chunk.data[begin:cut])
            begin = cut
        at = moment
    if begin < len(chunk.data):
        yield Piece(at, reader.stream, chunk.offset + begin, chunk.data[begin:])


def _joined(pieces: list[Piece]) -> Iterator[Piece]:
    """Neighbours of one stream as one."""
    waiting: Piece | None = None
    for piece in pieces:
        if waiting is not None and waiting.stream == piece.stream:
            waiting = Piece(waiting.at, waiting.stream, waiting.start, waiting.data + piece.data)
            continue
        if waiting is not None:
            yield waiting
        waiting = piece
    if waiting is not None:
        yield waiting


def _segment(piece: Piece) -> Json:
    text = piece.data.decode("utf-8", "replace")
    return {"stream": piece.stream, "start": piece.start, "end": piece.start + len(piece.data), "text": text}


def _why_none(entry: Entry) -> str:
    if entry.process.kind is Kind.NOTEBOOK:
        return "What a notebook prints stands with its cells; logs are kept for what `tablevault run` started."
    return "Logs are kept for what was started with `tablevault run`."
