"""One ingest pass over a vault: open the file, take in what is new, close it again."""

from __future__ import annotations

from collections.abc import Iterable

from duckdb import DuckDBPyConnection

from ..paths import VaultPaths
from .database import PATIENCE, open_for_ingest
from .ingest import Ingested, ingest_batch
from .offsets import Source, has_news, list_sources, load_offsets
from .presence import find_unended, look
from .schema import current_version, ensure_schema, stored_version


def ingest_pass(
    paths: VaultPaths,
    sources: Iterable[Source] | None = None,
    *,
    patience: float = PATIENCE,
    lock_timeout: float = 10.0,
) -> Ingested:
    """Take in everything new (only from ``sources`` when given); the file is let go between transactions.

    Raises:
        DatabaseHeld: another program holds the file, after ``patience`` seconds still.
        LockBusy: another program of ours has been writing for ``lock_timeout`` seconds.
        DatabaseDamaged, VaultUnusable: the file cannot be used.
    """
    total = Ingested()
    wanted = None if sources is None else list(sources)
    while True:
        with open_for_ingest(paths, patience=patience, lock_timeout=lock_timeout) as connection:
            ensure_schema(connection)
            done = ingest_batch(connection, paths, wanted)
            total.unended = find_unended(connection)
        total.add(done)
        if not done.more:
            return total


def is_behind(connection: DuckDBPyConnection, paths: VaultPaths) -> bool:
    """Whether the journals, or the process table of this machine, say more than the database.

    Raises:
        VaultUnusable, DatabaseDamaged: as `schema.stored_version`.
    """
    if stored_version(connection, thorough=False) < current_version():
        return True
    offsets = load_offsets(connection)
    if any(has_news(source, entry, offsets) for source, entry in list_sources(paths)):
        return True
    return bool(look(connection).changed)
