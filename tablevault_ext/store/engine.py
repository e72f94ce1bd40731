"""In-memory databases to which vault.duckdb is attached for a moment; making one costs 10 ms, so one is kept."""

from __future__ import annotations

import ctypes
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
from duckdb import DuckDBPyConnection

from ..paths import VaultPaths
from .rows import quote

_in_process = threading.RLock()
_idle: dict[bool, tuple[Path, DuckDBPyConnection]] = {}


@contextmanager
def alone_in_process() -> Iterator[None]:
    """Let one thread of this process at a time use the vault's file."""
    with _in_process:
        yield


def open_memory(paths: VaultPaths, *, for_ingest: bool = False) -> DuckDBPyConnection:
    """A private in-memory database: no downloads of extensions, no spilling into the user's directory.

    For ingest it has one thread: many small statements cost half the CPU time then, and take no longer.
    """
    config: dict[str, str | bool | int | float | list[str]] = {
        "autoinstall_known_extensions": "false",
        "autoload_known_extensions": "false",
    }
    if for_ingest:
        config["threads"] = "1"
    connection = duckdb.connect(":memory:", config=config)
    connection.execute(f"SET temp_directory = {quote(str(paths.root / '.spill'))}")
    # A misspelt table must not be looked up among the Python variables of whoever calls.
    connection.execute("SET python_enable_replacements = false")
    # Much at once goes into the file directly instead of through its log: half the work.
    connection.execute("SET checkpoint_threshold = '1MB'")
    return connection


def borrow_memory(paths: VaultPaths, *, for_ingest: bool) -> DuckDBPyConnection:
    """The kept one, or another where that is in use; to be given back or closed. Only `alone_in_process`."""
    root, engine = _idle.pop(for_ingest, (None, None))
    if engine is not None:
        if root == paths.root:
            return engine
        engine.close()
    return open_memory(paths, for_ingest=for_ingest)


def give_back(paths: VaultPaths, engine: DuckDBPyConnection, *, for_ingest: bool) -> None:
    """Keep it for the next time. Nothing may be attached to it any more."""
    if for_ingest in _idle:
        engine.close()
    else:
        _idle[for_ingest] = (paths.root, engine)


def _after_fork() -> None:
    """A forked child has neither the thread that held the lock nor the threads of the databases."""
    global _in_process
    _in_process = threading.RLock()
    for _, engine in _idle.values():
        # Never to be freed: that would wait for threads that are not there.
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(engine))
    _idle.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
