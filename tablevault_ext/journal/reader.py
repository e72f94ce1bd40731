"""Reading journals and inboxes: complete lines only, from an offset, compressed or not."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..paths import VaultPaths, checked_id
from .lines import decode_line

CONTROL_EVENTS = (
    b"process_",
    b"request_",
    b"inbox_",
    b"notebook_moved",
    b"uncontrolled",
)
"""How the types of the events that decide a process's state begin; `e` is the first key of every line."""
CONTROL_PREFIXES = tuple(b'{"e":"' + name for name in CONTROL_EVENTS)


def read_lines(path: Path, offset: int = 0) -> Iterator[tuple[int, bytes]]:
    """Yield (end offset, line) of each complete line from ``offset`` on; nothing for a missing file.

    A last line without its newline is torn or still being written: it is left for later.
    """
    try:
        with path.open("rb") as file:
            file.seek(offset)
            for line in file:
                if not line.endswith(b"\n"):
                    return
                offset += len(line)
                yield offset, line
    except FileNotFoundError:
        return


def read_inbox(path: Path, offset: int = 0) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield (end offset, event) of an inbox; lines that are no events are passed over."""
    for end, line in read_lines(path, offset):
        event = decode_line(line)
        if event is not None:
            yield end, event


def read_control_events(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the events that decide a process's state, without parsing the cells and records between them."""
    packed = compressed(path)
    if packed.exists() and not path.exists():
        with gzip.open(packed, "rb") as file:
            yield from _control(iter(file))
    else:
        yield from _control(line for _, line in read_lines(path))


def _control(lines: Iterator[bytes]) -> Iterator[dict[str, Any]]:
    for line in lines:
        if line.startswith(CONTROL_PREFIXES):
            event = decode_line(line)
            if event is not None:
                yield event


def compressed(path: Path) -> Path:
    """Where the journal of an ended process goes."""
    return path.with_name(path.name + ".gz")


def journal_owner(path: Path) -> tuple[str, bool] | None:
    """(process_id, is it another's journal about it) of a journal file, or None for another file.

    Others are its wrapper (`tablevault run`) and the keeper, who samples it from outside.
    """
    name = path.name.removesuffix(".gz")
    if not name.endswith(".ndjson"):
        return None
    process_id, _, writer = name.removesuffix(".ndjson").partition(".")
    if writer not in ("", "wrapper", "keeper"):
        return None
    try:
        return checked_id(process_id), bool(writer)
    except ValueError:
        return None


def list_process_ids(paths: VaultPaths) -> list[str]:
    """Every process that has a journal, oldest first."""
    owners = (journal_owner(path) for path in paths.journals.iterdir())
    return sorted({owner[0] for owner in owners if owner})
