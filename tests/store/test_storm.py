"""Whoever dies whenever: what was acknowledged is in the database, once."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

from tablevault_ext.paths import VaultPaths
from tablevault_ext.store.passes import ingest_pass

from .journals import look
from .storm import KILLS

WRITERS = 64


def test_a_storm_of_kills(vault: VaultPaths, tmp_path: Path) -> None:
    """64 processes record at once, half are killed with -9, ingesters are killed at every step."""
    seed = random.randrange(2**32)
    storm = subprocess.run(
        [sys.executable, "-m", "tests.store.storm", str(vault.root), str(WRITERS), "6", str(seed)],
        capture_output=True,
        text=True,
        timeout=170,
    )
    assert storm.returncode == 0, storm.stderr
    assert int(storm.stdout) >= KILLS, f"too few ingesters were killed in their work (seed {seed})"
    ingest_pass(vault)
    acknowledged = {f"w{n}": (tmp_path / f"w{n}.count").stat().st_size for n in range(WRITERS)}
    rows = look(
        vault,
        "SELECT process_id, count(*), count(DISTINCT record), count(DISTINCT seq), max(seq), max(record::INTEGER), "
        "bool_and(record::INTEGER = seq) FROM records GROUP BY process_id",
    )
    stored = {process_id: counts for process_id, *counts in rows}
    for process_id, count in acknowledged.items():
        number, *others, in_order = stored[process_id]
        # The last append may be in the journal though its writer was killed before it could count it.
        assert count <= number <= count + 1, f"{process_id}: {count} acknowledged, {number} stored (seed {seed})"
        assert others == [number, number, number - 1, number - 1] and in_order
    assert look(vault, "SELECT process_id, seq FROM cells GROUP BY ALL HAVING count(*) > 1") == []
    # On a busy machine some of the doomed have finished before their turn came.
    states = dict(look(vault, "SELECT status, count(*) FROM processes GROUP BY status"))
    assert states.keys() == {"finished", "lost"} and sum(states.values()) == WRITERS
