"""Lines of a log that contain a text."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path

from ..journal.log_files import LogReader
from ..panel.wire import Json

_BLOCK = 1 << 20
_LONGEST = 1 << 20  # bytes of a line; a longer one is searched in parts
_SHOWN = 2000  # characters of a line
_PATIENCE = 5.0  # seconds


def search_logs(folder: Path, text: str, streams: Sequence[str], limit: int) -> Json:
    """The latest ``limit`` lines that contain the text, whatever the case; ``complete`` if there are no others."""
    deadline = time.monotonic() + _PATIENCE
    wanted = text.casefold()
    found: list[tuple[float, int, Json]] = []
    complete = True
    for stream in streams:
        reader = LogReader(folder, stream)
        latest: deque[tuple[int, str]] = deque(maxlen=limit + 1)
        for offset, line in _lines(reader):
            if wanted in line.casefold():
                latest.append((offset, line))
            if time.monotonic() > deadline:
                complete = False
                break
        for offset, line in latest:
            match = {"stream": stream, "offset": offset, "line": line[:_SHOWN]}
            found.append((reader.time_of(offset) or 0.0, offset, match))
    found.sort(key=lambda each: each[:2], reverse=True)
    return {"matches": [match for _, _, match in found[:limit]], "complete": complete and len(found) <= limit}


def _lines(reader: LogReader) -> Iterator[tuple[int, str]]:
    """Every line with the offset of its first byte."""
    offset, rest = 0, b""
    while True:
        chunk = reader.read(offset, _BLOCK)
        if chunk.skipped and rest:
            yield offset - len(rest), rest.decode("utf-8", "replace")
            rest = b""
        if not chunk.data:
            break
        begin = chunk.offset - len(rest)
        *lines, rest = (rest + chunk.data).split(b"\n")
        for line in lines:
            yield begin, line.decode("utf-8", "replace")
            begin += len(line) + 1
        offset = chunk.next_offset
        if len(rest) > _LONGEST:
            yield begin, rest.decode("utf-8", "replace")
            rest = b""
    if rest:
        yield offset - len(rest), rest.decode("utf-8", "replace")
