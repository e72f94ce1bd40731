"""Ingest: from journals and inboxes to tables, exactly once.

The new complete lines are staged first. Then rows and offsets are committed in one transaction: whoever dies
whenever, a line is either in with its offset, or neither.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import duckdb
from duckdb import DuckDBPyConnection

from ..journal.reader import CONTROL_EVENTS
from ..model import now_us
from ..paths import VaultPaths
from .bulk import apply_bulk, stage
from .offsets import GONE, INBOX, Offset, Source, has_news, list_sources, load_offsets, store_offsets
from .presence import Look, Unended, look
from .processes import derive_activity, derive_lost_cells, refold
from .rows import MICROSECONDS, among, insert_rows
from .scratch import Scratch, open_scratch
from .staging import Batch, Notable, Notice, collect

log = logging.getLogger("tablevault_ext")

_CONTROL = tuple(name.decode() for name in CONTROL_EVENTS)


@dataclass(slots=True)
class Ingested:
    """What a pass did: whose rows changed, how much was read, what people should know, who has not ended."""

    process_ids: set[str] = field(default_factory=set)
    bytes_read: int = 0
    notices: list[Notice] = field(default_factory=list)
    more: bool = False
    unended: list[Unended] = field(default_factory=list)

    def add(self, other: Ingested) -> None:
        """Count another transaction in."""
        self.process_ids |= other.process_ids
        self.bytes_read += other.bytes_read
        self.notices += other.notices

    def __bool__(self) -> bool:
        return bool(self.process_ids or self.bytes_read or self.notices)


def ingest(connection: DuckDBPyConnection, paths: VaultPaths, sources: Iterable[Source] | None = None) -> Ingested:
    """Take in everything new, in as many transactions as its size needs.

    Args:
        connection: any connection whose default catalog has the schema, in-memory ones included.
        sources: only these files; None looks at all, and notices deleted ones.

    Raises:
        duckdb.Error: the transaction was rolled back; nothing was taken in twice or lost.
    """
    total = Ingested()
    wanted = None if sources is None else list(sources)
    while True:
        done = ingest_batch(connection, paths, wanted)
        total.add(done)
        if not done.more:
            return total


def ingest_batch(connection: DuckDBPyConnection, paths: VaultPaths, sources: Iterable[Source] | None) -> Ingested:
    """One transaction of `ingest`; ``more`` says whether another is needed."""
    looked = look(connection)  # before reading: whoever is gone now has written everything
    wanted = None if sources is None else list(sources)
    with open_scratch() as scratch:
        return _ingest_batch(connection, paths, wanted, looked, scratch)


def _ingest_batch(
    connection: DuckDBPyConnection, paths: VaultPaths, sources: list[Source] | None, looked: Look, scratch: Scratch
) -> Ingested:
    if sources is None:
        offsets = load_offsets(connection)
        listed = list(list_sources(paths))
        fresh = [source for source, entry in listed if has_news(source, entry, offsets)]
        batch = collect(paths, fresh, offsets, scratch)
        _note_deleted(batch, offsets, {source.file for source, _ in listed})
    else:
        offsets = load_offsets(connection, {key for source in sources for key in (source.key, source.sibling)})
        batch = collect(paths, sources, offsets, scratch)
    stage(connection, batch)
    return _commit(connection, batch, looked)


def _commit(connection: DuckDBPyConnection, batch: Batch, looked: Look) -> Ingested:
    connection.execute("BEGIN")
    try:
        done = _apply(connection, batch, looked)
        connection.execute("COMMIT")
    except BaseException:
        _roll_back(connection)
        raise
    for notice in done.notices:
        log.warning("%s", notice.message)
    return done


def _apply(connection: DuckDBPyConnection, batch: Batch, looked: Look) -> Ingested:
    store_offsets(connection, batch.offsets)
    to_fold = _store_others(connection, batch) | looked.changed
    touched = apply_bulk(connection) if batch.bulk_size else set()
    to_fold |= _without_row(connection, touched)
    folded = refold(connection, to_fold, looked)
    changed = to_fold | touched | {other.process_id for other in batch.others}
    derive_lost_cells(connection, to_fold | touched)
    derive_activity(connection, changed)
    notices = _fresh(connection, batch.notices + folded.notices) + _quarantine(connection, batch)
    _store_notices(connection, notices)
    return Ingested(changed, batch.bytes_read, notices, batch.more or bool(folded.undecided))


def _store_others(connection: DuckDBPyConnection, batch: Batch) -> set[str]:
    """Store control events and the raw kinds; the ids of the processes to be folded anew."""
    control, details = [], []
    known = _known_inbox_lines(connection, batch.reread_inboxes)
    for other in batch.others:
        kind = other.event["e"]
        if other.source == INBOX:
            if (other.process_id, other.text) not in known:
                control.append(_event_row(other, kind))
        elif kind.startswith(_CONTROL):
            control.append(_event_row(other, kind))
        else:
            identifier = other.event.get("id")
            identifier = None if identifier is None else str(identifier)
            details.append((other.process_id, other.position, other.at, kind, identifier, other.text))
    insert_rows(connection, "events", _EVENT_COLUMNS, control)
    insert_rows(connection, "details", _DETAIL_COLUMNS, details)
    return {row[0] for row in control}


_EVENT_COLUMNS = {
    "process_id": "VARCHAR",
    "source": "VARCHAR",
    "position": "BIGINT",
    "happened_at": MICROSECONDS,
    "type": "VARCHAR",
    "data": "VARCHAR",
}
_DETAIL_COLUMNS = {
    "process_id": "VARCHAR",
    "n": "BIGINT",
    "happened_at": MICROSECONDS,
    "type": "VARCHAR",
    "id": "VARCHAR",
    "data": "VARCHAR",
}


def _event_row(other: Notable, kind: str) -> tuple[str, str, int, int, str, str]:
    return (other.process_id, other.source, other.position, other.at, kind, other.text)


def _known_inbox_lines(connection: DuckDBPyConnection, process_ids: set[str]) -> set[tuple[str, str]]:
    """Inbox lines carry no number: after an inbox was replaced, those known already are told by their text."""
    if not process_ids:
        return set()
    return set(
        connection.execute(
            f"SELECT process_id, data FROM events WHERE source = 'inbox' AND process_id IN {among(process_ids)}"  # noqa: S608
        ).fetchall()
    )


def _without_row(connection: DuckDBPyConnection, process_ids: set[str]) -> set[str]:
    """Processes of which there are cells or records, but whose first lines were lost with a damaged journal."""
    if not process_ids:
        return set()
    known = connection.execute(f"SELECT process_id FROM processes WHERE process_id IN {among(process_ids)}")  # noqa: S608
    return process_ids - {process_id for (process_id,) in known.fetchall()}


def _note_deleted(batch: Batch, offsets: dict[str, Offset], present: set[str]) -> None:
    for key, offset in offsets.items():
        file = key.removesuffix(".gz")
        if file in present or offset.inode == GONE:
            continue
        batch.offsets[key] = Offset(GONE, offset.position, offset.last_n, offset.fingerprint)
        message = f"{file} was deleted; what had been read of it is kept"
        batch.notices.append(Notice("deleted", _process_of(file), file, message))


def _quarantine(connection: DuckDBPyConnection, batch: Batch) -> list[Notice]:
    if not batch.bad:
        return []
    noticed_at = now_us()
    rows = [(b.file, b.position, b.line.hex(), b.reason, noticed_at) for b in batch.bad]
    columns = {
        "file": "VARCHAR",
        "position": "BIGINT",
        "hex": "VARCHAR",
        "reason": "VARCHAR",
        "noticed_at": MICROSECONDS,
    }
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE bad "
        "(file VARCHAR, position BIGINT, hex VARCHAR, reason VARCHAR, noticed_at TIMESTAMP)"
    )
    insert_rows(connection, "bad", columns, rows)
    connection.execute("INSERT INTO quarantine SELECT file, position, unhex(hex), reason, noticed_at FROM bad")
    lines: dict[str, int] = {}
    for bad in batch.bad:
        lines[bad.file] = lines.get(bad.file, 0) + 1
    return [
        Notice(
            "quarantined",
            _process_of(file),
            file,
            f"{count} damaged line{'s' if count > 1 else ''} of {file} could not be read and "
            f"{'are' if count > 1 else 'is'} kept in the table quarantine; everything else was taken in",
        )
        for file, count in lines.items()
    ]


def _fresh(connection: DuckDBPyConnection, notices: list[Notice]) -> list[Notice]:
    """Without those that were given before: an unreadable file is met again in every pass."""
    if not notices:
        return []
    known = set(connection.execute("SELECT DISTINCT kind, file, message FROM notices").fetchall())
    return [n for n in notices if n.kind in ("replaced", "deleted") or (n.kind, n.file, n.message) not in known]


def _store_notices(connection: DuckDBPyConnection, notices: list[Notice]) -> None:
    columns = {
        "happened_at": MICROSECONDS,
        "kind": "VARCHAR",
        "process_id": "VARCHAR",
        "file": "VARCHAR",
        "message": "VARCHAR",
    }
    insert_rows(connection, "notices", columns, [(n.at, n.kind, n.process_id, n.file, n.message) for n in notices])


def _process_of(file: str) -> str:
    return Path(file).name.partition(".")[0]


def _roll_back(connection: DuckDBPyConnection) -> None:
    try:
        connection.execute("ROLLBACK")
    except duckdb.Error:
        log.debug("the transaction had been given up already", exc_info=True)
