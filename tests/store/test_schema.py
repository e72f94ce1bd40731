"""The schema is public, versioned, and never touched by a program that does not know it."""

from __future__ import annotations

import os
import stat

import duckdb
import pytest

from tablevault_ext.errors import DatabaseDamaged, VaultUnusable
from tablevault_ext.paths import VaultPaths
from tablevault_ext.store import schema
from tablevault_ext.store.passes import ingest_pass
from tablevault_ext.store.snapshot import run_sql

from .journals import Recorded, look

DOCUMENTED = {
    "processes": "process_id name run kind status user_id host pid create_time boot_id parent_id parent_cell "
    "started_at "
    "ended_at exit_code exit_signal error path argv cwd python kernel_id notebook description",
    "cells": "process_id seq cell_id execution_count code status started_at ended_at duration error_type error_message "
    "traceback output_tail",
    "requests": "request_id process_id action now requested_by reason requested_at seen_at effective_at outcome",
    "record_lists": "name columns created_by",
    "records": "list seq process_id cell_seq appended_at record",
    "descriptions": "item_name name text embedding",
}


@pytest.mark.parametrize("table", DOCUMENTED)
def test_documented_columns_are_there(vault: VaultPaths, table: str) -> None:
    """Users query the columns that DESIGN.md lists."""
    ingest_pass(vault)
    with duckdb.connect(str(vault.database), read_only=True) as connection:
        columns = [column[0] for column in connection.execute(f"SELECT * FROM {table}").description]
    assert set(DOCUMENTED[table].split()) <= set(columns)


@pytest.mark.parametrize(
    "name",
    [
        "errors",
        "slow_cells",
        "process_tree",
        "request_latency",
        "orphans",
        "running",
        "children",
        "samples",
        "tasks",
        "actors",
        "progress",
    ],
)
def test_views_answer_on_an_empty_vault(vault: VaultPaths, name: str) -> None:
    """A fresh vault has every canned view."""
    assert run_sql(vault, f"SELECT * FROM {name}").fetchall() == []


def test_the_file_is_private(vault: VaultPaths) -> None:
    """Nobody else reads what was recorded, whatever the umask."""
    before = os.umask(0)
    try:
        ingest_pass(vault)
    finally:
        os.umask(before)
    assert stat.S_IMODE(vault.database.stat().st_mode) == 0o600


def test_a_newer_vault_is_refused_and_untouched(vault: VaultPaths) -> None:
    """A program that knows only an older schema neither reads nor writes."""
    Recorded(vault, "p1").cell(0)
    ingest_pass(vault)
    with duckdb.connect(str(vault.database)) as connection:
        connection.execute("UPDATE vault_meta SET schema_version = 99")
    before = vault.database.read_bytes()
    for attempt in (lambda: ingest_pass(vault), lambda: run_sql(vault, "SELECT 1")):
        with pytest.raises(VaultUnusable, match="newer version.*schema 99.*Nothing was touched"):
            attempt()
    assert vault.database.read_bytes() == before


def test_an_older_vault_is_migrated_forward(vault: VaultPaths, monkeypatch: pytest.MonkeyPatch) -> None:
    """The steps from its version to ours are applied, and its rows stay."""
    Recorded(vault, "p1").cell(0, "old = 1")
    ingest_pass(vault)
    monkeypatch.setattr(schema, "_MIGRATIONS", ("ALTER TABLE cells ADD COLUMN mood VARCHAR DEFAULT 'fine'",))
    assert run_sql(vault, "SELECT code, mood FROM cells").fetchall() == [("old = 1", "fine")]
    assert look(vault, "SELECT schema_version FROM vault_meta") == [(2,)]


def test_a_failing_migration_leaves_the_vault_as_it_was(vault: VaultPaths, monkeypatch: pytest.MonkeyPatch) -> None:
    """All steps or none."""
    ingest_pass(vault)
    monkeypatch.setattr(schema, "_MIGRATIONS", ("ALTER TABLE cells ADD COLUMN mood VARCHAR", "SELECT nonsense"))
    with pytest.raises(duckdb.Error):
        ingest_pass(vault)
    assert look(vault, "SELECT schema_version FROM vault_meta") == [(1,)]
    assert look(vault, "SELECT count(*) FROM duckdb_columns() WHERE column_name = 'mood'") == [(0,)]


def test_a_lost_table_is_damage(vault: VaultPaths) -> None:
    """Somebody dropped a table: say so instead of ingesting half."""
    ingest_pass(vault)
    with duckdb.connect(str(vault.database)) as connection:
        connection.execute("DROP TABLE cells CASCADE")
    with pytest.raises(DatabaseDamaged, match="lost tables .cells.*tablevault rebuild"):
        ingest_pass(vault)
