"""A disk without room: a clear word, answers all the same, and nothing lost once there is room again."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tablevault_ext.paths import VaultPaths
from tablevault_ext.store.snapshot import run_sql

from .journals import Recorded, look

CODE = """
import resource, signal, sys
from tablevault_ext.errors import VaultUnusable
from tablevault_ext.paths import open_vault
from tablevault_ext.store.passes import ingest_pass
from tablevault_ext.store.snapshot import run_sql_with_notices

paths = open_vault()
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]), resource.RLIM_INFINITY))
for attempt in range(2):
    try:
        ingest_pass(paths)
        print("ingested")
    except VaultUnusable as error:
        print("refused:", error)
    if sys.argv[2] == "ask":
        relation, notices = run_sql_with_notices(paths, "SELECT count(*) FROM cells")
        print(relation.fetchall(), *notices)
"""


def limited(limit: int, ask: bool) -> str:
    """What a process sees that may not let files grow beyond a limit: the nearest to a full disk without one."""
    command = [sys.executable, "-c", CODE, str(limit), "ask" if ask else ""]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.skipif(sys.platform == "win32", reason="no RLIMIT_FSIZE to make writes fail with")
@pytest.mark.parametrize("limit", [100, 20_000, 700_000])
def test_no_room(vault: VaultPaths, limit: int) -> None:
    """Whether staging, the log or the file itself cannot grow: rolled back or committed, never half."""
    process = Recorded(vault, "p1")
    process.cell(0)
    run_sql(vault, "SELECT 1")
    for seq in range(1, 40):
        process.cell(seq, "x" * 100)
    told = limited(limit, ask=limit > 20_000)
    assert "refused: " in told or "ingested" in told
    if limit == 100:
        assert "File too large" in told and "refused" in told
    if limit > 20_000:
        assert "[(40,)]" in told, "a query answers from memory"
    assert run_sql(vault, "SELECT count(*), count(DISTINCT seq) FROM cells").fetchall() == [(40, 40)]
    assert look(vault, "SELECT count(*) FROM cells") == [(40,)]
