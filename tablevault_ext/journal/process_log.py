"""What one process printed, with the requests made of it between the lines: its log as people read it.

Scripts and commands under `tablevault run` have log files; a notebook has the end of what each cell printed.
"""

from __future__ import annotations

import gzip
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from ..model import Process, Request
from ..paths import VaultPaths
from .lines import decode_line
from .log_files import LogReader
from .log_lines import SYSTEM, LogLine, clean, interleave, last_lines
from .process_state import ProcessReader, read_process
from .reader import compressed, read_lines

STREAMS = ("stdout", "stderr")
_LONGEST = 16 << 10  # bytes of an unfinished line that are held back while following


def read_log(paths: VaultPaths, process_id: str, lines: int, streams: Iterable[str] = STREAMS) -> list[LogLine]:
    """The last ``lines`` lines that a process printed, and the control events among them."""
    wanted = tuple(streams)
    printed = last_lines(paths.logs(process_id), lines, wanted) if paths.logs(process_id).is_dir() else []
    if not printed and "stdout" in wanted:
        printed = [line for _, line in _CellOutputs(paths, process_id).new_lines()][-lines:] if lines > 0 else []
    events = control_lines(read_process(paths, process_id))
    return list(interleave(printed, _since_first(events, [printed])))


def follow_log(
    paths: VaultPaths, process_id: str, lines: int = 10, streams: Iterable[str] = STREAMS, *, poll: float = 0.1
) -> Iterator[LogLine]:
    """Yield the last lines, then new ones as they come, until the process is over and all has been read."""
    wanted = tuple(streams)
    reader = ProcessReader(paths, process_id)
    tails = [_StreamTail(LogReader(paths.logs(process_id), stream), lines) for stream in wanted]
    cells = _CellOutputs(paths, process_id) if "stdout" in wanted else None
    told: set[LogLine] = set()
    first = True
    while True:
        process = reader.read()
        fresh = [tail.new_lines(over=process.status.ended) for tail in tails]
        if cells is not None:
            printed = [line for _, line in cells.new_lines()]
            fresh.append(printed[max(0, len(printed) - lines) :] if first else printed)
        events = [event for event in control_lines(process) if event not in told]
        told.update(events)
        found = list(interleave(*fresh, _since_first(events, fresh) if first else events))
        yield from found
        if process.status.ended and not found and not first:
            return
        if not found:
            time.sleep(poll)
        first = False


def _since_first(events: list[LogLine], printed: Iterable[list[LogLine]]) -> list[LogLine]:
    """Leave out the events before the first line shown: they belong to what is not shown."""
    times = [line.at for lines in printed for line in lines if line.at is not None]
    return [event for event in events if not times or event.at is None or event.at >= min(times)]


def control_lines(process: Process) -> list[LogLine]:
    """The requests made of a process and what became of them, in the order of their times."""
    found = []
    for request in process.requests.values():
        found.append(_event(request.requested_at, _asked(request)))
        if request.effective_at is not None:
            found.append(_event(request.effective_at, f"{request.action} took effect"))
        elif request.outcome is not None:
            found.append(_event(request.seen_at or request.requested_at, f"{request.action}: {request.outcome}"))
    if process.ended_at is not None:
        found.append(_event(process.ended_at, f"{process.address} {process.status}"))
    return sorted(found, key=lambda line: line.at or 0.0)


def _asked(request: Request) -> str:
    text = request.action.value + (" now" if request.now else "") + f" asked by {request.requested_by or 'somebody'}"
    return f"{text}: {request.reason}" if request.reason else text


def _event(us: int, text: str) -> LogLine:
    return LogLine(us / 1e6, SYSTEM, text)


class _StreamTail:
    """New lines of one log file; a line without its end is held back until it is complete, or the process is over."""

    def __init__(self, reader: LogReader, lines: int) -> None:
        self._reader = reader
        self._offset = reader.tail(lines).offset
        self._rest = b""

    def new_lines(self, *, over: bool) -> list[LogLine]:
        chunk = self._reader.read(self._offset)
        self._offset = chunk.next_offset
        *whole, self._rest = (self._rest + chunk.data).split(b"\n")
        if self._rest and (len(self._rest) > _LONGEST or (over and not chunk.data)):
            whole, self._rest = [*whole, self._rest], b""
        at = self._reader.time_of(chunk.offset) if chunk.data else None
        return [LogLine(at, self._reader.stream, clean(line.removesuffix(b"\r"))) for line in whole]


class _CellOutputs:
    """What the cells of a notebook printed, from its journal, growing."""

    def __init__(self, paths: VaultPaths, process_id: str) -> None:
        self._path = paths.journal(process_id)
        self._offset = 0
        self._known: dict[int, str] = {}

    def new_lines(self) -> Iterator[tuple[int, LogLine]]:
        """Yield (cell seq, line)."""
        for line in self._journal_lines():
            if not line.startswith(b'{"e":"cell_output"'):
                continue
            event = decode_line(line)
            if event is None:
                continue
            seq, text, before = event["seq"], event["output_tail"], self._known.get(event["seq"], "")
            self._known[seq] = text
            added = text.removeprefix(before)  # an output longer than its tail begins anew: all of it is shown
            for each in added.splitlines():
                yield seq, LogLine(event["at"] / 1e6, "stdout", clean(each.encode("utf-8", "replace")))

    def _journal_lines(self) -> Iterator[bytes]:
        if not self._path.exists():
            packed = compressed(self._path)
            if self._offset == 0 and packed.exists():
                self._offset = 1
                yield from _unpacked(packed)
            return
        for offset, line in read_lines(self._path, self._offset):
            self._offset = offset
            yield line


def _unpacked(path: Path) -> Iterator[bytes]:
    with gzip.open(path, "rb") as file:
        yield from file
