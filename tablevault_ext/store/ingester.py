"""The ingester: one a vault, elected by a lock, takes in what journals and inboxes get, while anything lives.

This module imports duckdb only where the work is done: recording processes call `ensure_ingester`.
"""

from __future__ import annotations

import contextlib
import logging
import logging.handlers
import os
import signal
import site
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from ..paths import VaultPaths, open_vault
from .ingest_loop import Ingester, role_lock

__all__ = ["KEEPER", "LINGER", "Ingester", "ensure_ingester", "ingest_until_idle", "role_lock"]

log = logging.getLogger("tablevault_ext")

LINGER = 30.0
"""Seconds that the ingester's own process stays after the last living process."""

_START_GRACE = 3.0

_this_process_ingests = False

KEEPER = "tablevault_ext.keeper"
"""What is started: the loop above with the steps that ride on it. Named, not imported: it stands above this layer."""


def ensure_ingester(paths: VaultPaths) -> bool:
    """See to it that the vault has an ingester; True when one was started.

    To be called after the first line of a journal was written: an ingester that is just leaving looks once more
    after it gave its role back. Costs microseconds while there is one.
    """
    if _this_process_ingests:
        return False
    lock = FileLock(role_lock(paths), mode=0o600, is_singleton=False)
    try:
        lock.acquire(timeout=0)
    except (Timeout, OSError):
        return False  # there is one; or the vault cannot be written, and readers answer from the journals
    with lock:
        # Under the lock, so that of many processes that start at once only one starts an ingester.
        starting = paths.root / ".ingester.starting"
        with contextlib.suppress(FileNotFoundError):
            if 0 <= time.time() - starting.stat().st_mtime < _START_GRACE:
                return False
        starting.touch(mode=0o600)
    _start_detached(paths)
    return True


def _start_detached(paths: VaultPaths) -> None:
    """Start the keeper: a session of its own, no streams, nobody's child, outside every tree."""
    command = [sys.executable or "python3", "-P", "-m", KEEPER, str(paths.root)]
    options: dict[str, Any] = {}
    if os.name == "posix":
        # The shell ends at once, so the ingester belongs to init, not to the tree of a recorded process.
        command = ["/bin/sh", "-c", '"$@" &', "sh", *command]
        options["start_new_session"] = True
    else:
        flags = ("DETACHED_PROCESS", "CREATE_NEW_PROCESS_GROUP")
        options["creationflags"] = sum(getattr(subprocess, flag, 0) for flag in flags)
    child = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=paths.root,
        env=_environment(),
        **options,
    )
    if os.name == "posix":
        child.wait()


def _environment() -> dict[str, str]:
    """Ours without what would make the ingester a recorded child; a source checkout stays importable."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TABLEVAULT_")}
    package = str(Path(__file__).resolve().parents[2])
    if package not in (*site.getsitepackages(), site.getusersitepackages()):
        known = environment.get("PYTHONPATH")
        environment["PYTHONPATH"] = f"{known}{os.pathsep}{package}" if known else package
    return environment


def ingest_until_idle(root: str, add_steps: Callable[[Ingester], None] = lambda ingester: None) -> None:
    """Be the ingester of a vault until nothing lives any more; ``add_steps`` may add to its ``extra_steps``."""
    global _this_process_ingests
    _this_process_ingests = True
    paths = open_vault(root, create=False)
    _log_to(paths.root / "logs" / "ingester.log")
    ingester = Ingester(paths, linger=LINGER)
    add_steps(ingester)
    for name in ("SIGTERM", "SIGINT", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), lambda *_: ingester.leave())
    log.info("ingester %d begins", os.getpid())
    ingester.run()
    log.info("ingester %d ends", os.getpid())


def _log_to(path: Path) -> None:
    os.umask(0o077)  # whatever this process makes is its owner's alone, rotated logs included
    handler = logging.handlers.RotatingFileHandler(path, maxBytes=2**20, backupCount=1, delay=True)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    log.propagate = False
