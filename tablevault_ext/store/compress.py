"""Compress the journals of ended processes, once they are in the database and nobody has touched them for a while."""

from __future__ import annotations

import contextlib
import gzip
import os
import re
import shutil
import time
from dataclasses import replace
from pathlib import Path

from ..journal.reader import compressed
from ..paths import VaultPaths
from .database import open_for_ingest
from .offsets import PACKED, Offset, list_sources, load_offsets, store_offsets
from .presence import ENDED
from .rows import among
from .schema import ensure_schema

IDLE = 600.0
"""Seconds without a change after which the journal of an ended process is compressed."""

_FIRST_LINE = re.compile(rb'\{"e":"[^"]*","p":"[^"]*","n":1,')


def compress_ended(paths: VaultPaths, idle: float = IDLE) -> list[str]:
    """Compress what may be compressed; the files, below the vault, of which only the .gz is left.

    Each .gz is complete before it gets its name, and the journal goes only then: whoever dies in between leaves
    both, which readers take for one.
    """
    candidates = _candidates(paths, idle)
    if not candidates:
        return []
    done: dict[str, Offset] = {}
    with open_for_ingest(paths) as connection:
        ensure_schema(connection)
        offsets = load_offsets(connection, candidates)
        over = {
            process_id
            for (process_id,) in connection.execute(
                f"SELECT process_id FROM processes WHERE status IN ({ENDED})"  # noqa: S608
            ).fetchall()
        }
        for file, (process_id, path) in candidates.items():
            offset = offsets.get(file)
            if process_id in over and offset is not None and _pack(path, offset):
                done[file] = offset
        if done:
            connection.execute("BEGIN")
            connection.execute(f"DELETE FROM offsets WHERE file IN {among(done)}")  # noqa: S608
            store_offsets(connection, {f"{file}.gz": replace(o, inode=PACKED) for file, o in done.items()})
            connection.execute("COMMIT")
    return list(done)


def _candidates(paths: VaultPaths, idle: float) -> dict[str, tuple[str, Path]]:
    found = {}
    for source, entry in list_sources(paths):
        if source.packed or not source.file.startswith("journals/"):
            continue
        with contextlib.suppress(FileNotFoundError):
            if time.time() - entry.stat().st_mtime >= idle:
                found[source.file] = (source.process_id, Path(entry.path))
    return found


def _pack(path: Path, offset: Offset) -> bool:
    target = compressed(path)
    fresh = target.with_name(target.name + ".new")
    with contextlib.suppress(FileNotFoundError), path.open("rb") as journal:
        info = os.fstat(journal.fileno())
        if info.st_ino != offset.inode or info.st_size != offset.position:
            return False
        if target.exists() and not _FIRST_LINE.match(journal.read(200)):
            return False  # it goes on where a compressed one ends: both are needed
        journal.seek(0)
        fd = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(fd, "wb") as file:
            with gzip.GzipFile("", "wb", 6, file, mtime=0) as packed:
                shutil.copyfileobj(journal, packed, 2**20)
            file.flush()
            os.fsync(fd)
        fresh.rename(target)
        path.unlink()
        return True
    return False
