"""How far each journal and inbox has been read, and which have something new."""

from __future__ import annotations

import os
import struct
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from duckdb import DuckDBPyConnection

from ..journal.reader import journal_owner
from ..paths import VaultPaths, checked_id
from .rows import among, insert_rows

PACKED, GONE, UNPACKING = 0, -1, -2
"""Stand in for an inode: read from a .gz, not there any more, read from a .gz in part."""

_COLUMNS = {
    "file": "VARCHAR",
    "inode": "BIGINT",
    "position": "BIGINT",
    "last_n": "BIGINT",
    "fingerprint": "VARCHAR",
}
OWN, WRAPPER, INBOX = "own", "wrapper", "inbox"


@dataclass(frozen=True, slots=True)
class Source:
    """A file that events come from. ``file`` is its path below the vault, uncompressed; ``packed``: read its .gz.

    There may be both: a journal that went on after it was compressed, or whose compressing was cut short.
    """

    file: str
    process_id: str
    kind: str
    packed: bool = False

    @property
    def key(self) -> str:
        """Its path below the vault: what its offset is stored under."""
        return f"{self.file}.gz" if self.packed else self.file

    @property
    def sibling(self) -> str:
        """The key of its other form."""
        return self.file if self.packed else f"{self.file}.gz"


@dataclass(slots=True)
class Offset:
    """Where reading goes on. ``fingerprint`` is the hex of the bytes just before ``position``."""

    inode: int = 0
    position: int = 0
    last_n: int = 0
    fingerprint: str = ""


def list_sources(paths: VaultPaths) -> Iterator[tuple[Source, os.DirEntry[str]]]:
    """Every journal, wrapper's journal and inbox of a vault; a compressed journal before its continuation."""
    with os.scandir(paths.journals) as entries:
        for entry in sorted(entries, key=lambda e: (e.name.removesuffix(".gz"), not e.name.endswith(".gz"))):
            source = journal_source(entry.name)
            if source is not None:
                yield source, entry
    with os.scandir(paths.inboxes) as entries:
        for entry in sorted(entries, key=lambda e: e.name):
            source = inbox_source(entry.name)
            if source is not None:
                yield source, entry


def journal_source(name: str) -> Source | None:
    """The source behind a file name below journals/, or None for another file."""
    owner = journal_owner(Path(name))
    if owner is None:
        return None
    process_id, wrapper = owner
    plain = name.removesuffix(".gz")
    return Source(f"journals/{plain}", process_id, WRAPPER if wrapper else OWN, plain != name)


def inbox_source(name: str) -> Source | None:
    """The source behind a file name below inbox/, or None for another file."""
    if not name.endswith(".ndjson"):
        return None
    try:
        return Source(f"inbox/{name}", checked_id(name.removesuffix(".ndjson")), INBOX)
    except ValueError:
        return None


def load_offsets(connection: DuckDBPyConnection, files: Collection[str] | None = None) -> dict[str, Offset]:
    """The stored offsets, of some files or of all."""
    query = "SELECT file, inode, position, last_n, fingerprint FROM offsets"
    if files is None:
        rows = connection.execute(query).fetchall()
    else:
        rows = connection.execute(f"{query} WHERE file IN {among(files)}").fetchall()
    return {file: Offset(*rest) for file, *rest in rows}


def store_offsets(connection: DuckDBPyConnection, offsets: dict[str, Offset]) -> None:
    """Replace the stored offsets of these files; within the transaction that stores their rows."""
    if not offsets:
        return
    connection.execute(f"DELETE FROM offsets WHERE file IN {among(offsets)}")  # noqa: S608
    rows = [(file, o.inode, o.position, o.last_n, o.fingerprint) for file, o in offsets.items()]
    insert_rows(connection, "offsets", _COLUMNS, rows)


def has_news(source: Source, entry: os.DirEntry[str], offsets: dict[str, Offset]) -> bool:
    """Whether a file may hold lines beyond its offset: a stat call, no reading (but 4 bytes of a new .gz)."""
    offset = offsets.get(source.key)
    try:
        if source.packed:
            if offset is not None:
                return offset.inode == UNPACKING
            # Compressed, but whoever did it died before it could say so: all in it is known.
            before = offsets.get(source.sibling)
            return before is None or before.position % 2**32 < _unpacked_size(entry.path)
        info = entry.stat()
    except (FileNotFoundError, struct.error):
        return source.packed and entry.is_file()
    if offset is None:
        return info.st_size > 0
    if info.st_ino == offset.inode:
        return info.st_size != offset.position
    return info.st_size > 0


def _unpacked_size(path: str) -> int:
    """The size modulo 2**32 that gzip keeps in its last four bytes."""
    with open(path, "rb") as file:  # noqa: PTH123
        file.seek(max(file.seek(0, os.SEEK_END) - 4, 0))
        return int(struct.unpack("<I", file.read(4))[0])
