"""Calling the coordination server of a vault, and starting it when there is none."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
import time
from multiprocessing import AuthenticationError
from multiprocessing.connection import Client, Connection
from pathlib import Path
from typing import Any

from ..identity import Identity
from ..journal.locks import hold
from ..paths import VaultPaths
from .errors import SharedStateLost
from .recorder import ENV_PARENT, ENV_PARENT_CELL, ENV_RUN
from .shared_files import SharedFiles

log = logging.getLogger("tablevault_ext")

_START_SECONDS = 20.0
_ATTEMPTS = 4
_connections = threading.local()


def call(paths: VaultPaths, method: str, *args: Any) -> Any:
    """Make one call and return its answer; errors of the shelf are raised here.

    A call that finds its server gone is made again with the next one. That is safe: a server that ended in order
    had stopped to take calls before it wrote its state, and one that crashed has lost what the call would change.

    Raises:
        SharedStateLost: no server could be started or reached.
    """
    for attempt in range(_ATTEMPTS):
        try:
            connection = _connection(paths, again=attempt > 0)
            connection.send(("shelf", method, args, {}))
            kind, answer = connection.recv()
        except (EOFError, ConnectionError):
            _drop(paths)
            continue
        except BaseException:
            _drop(paths)  # interrupted between question and answer: the next answer would belong to this question
            raise
        if kind == "#RETURN":
            return answer
        if kind == "#ERROR":
            raise answer
        raise SharedStateLost(f"the coordination server of this vault failed: {answer}")
    raise SharedStateLost(
        f"the coordination server of {paths.root} ends again and again; see {SharedFiles(paths.root).server_log}"
    )


def server_identity(paths: VaultPaths) -> Identity | None:
    """Who serves this vault now, or served it last."""
    data = SharedFiles(paths.root).read_address()
    return Identity.from_json(data["identity"]) if data else None


def _connection(paths: VaultPaths, *, again: bool) -> Connection[Any, Any]:
    key = str(paths.root)
    connection: Connection[Any, Any] | None = getattr(_connections, "by_root", {}).get(key)
    if connection is None:
        connection = _connect(paths)
        vars(_connections).setdefault("by_root", {})[key] = connection
        if again:
            _tell_losses(connection)
    return connection


def _drop(paths: VaultPaths) -> None:
    connection = getattr(_connections, "by_root", {}).pop(str(paths.root), None)
    if connection is not None:
        connection.close()


def _connect(paths: VaultPaths) -> Connection[Any, Any]:
    files = SharedFiles(paths.root)
    connection = _dial(files)
    if connection is not None:
        return connection
    with hold(files.start_lock, timeout=_START_SECONDS * 2):  # one starts it, the others wait for that
        end = time.monotonic() + _START_SECONDS
        connection = _dial(files)
        started = 0.0
        while connection is None:
            if time.monotonic() - started > _START_SECONDS / 4:
                started = time.monotonic()
                _start(paths, files)
            if time.monotonic() > end:
                raise SharedStateLost(
                    f"the coordination server of {paths.root} could not be started; see {files.server_log}"
                )
            time.sleep(0.005)
            connection = _dial(files)
    return connection


def _dial(files: SharedFiles) -> Connection[Any, Any] | None:
    data = files.read_address()
    if data is None:
        return None
    try:
        connection = Client(data["address"], "AF_UNIX", authkey=files.read_key())
    except (OSError, EOFError, AuthenticationError):
        return None
    try:
        connection.send((None, "accept_connection", (threading.current_thread().name,), {}))
        kind, _ = connection.recv()
    except (OSError, EOFError):
        connection.close()
        return None
    return connection if kind == "#RETURN" else None


def _tell_losses(connection: Connection[Any, Any]) -> None:
    connection.send(("shelf", "hello", (), {}))
    kind, words = connection.recv()
    if kind != "#RETURN" or not words["lost"]:
        return
    by_kind: dict[str, list[str]] = {}
    for thing_id, what in words["lost"].items():
        by_kind.setdefault(what, []).append(thing_id)
    lost = "; ".join(f"{kind}s {', '.join(ids[:10])}" for kind, ids in sorted(by_kind.items()))
    log.warning(
        "the coordination server (pid %s) died, another one has taken its place; lost with it: %s. "
        "Create them again. Locks are files and were not affected",
        words["lost_with"],
        lost,
    )


def _start(paths: VaultPaths, files: SharedFiles) -> None:
    """Start the server outside everybody's family: it forks twice, and carries no mark of ours."""
    files.read_key()
    environment = {key: value for key, value in os.environ.items() if key not in (ENV_PARENT, ENV_PARENT_CELL, ENV_RUN)}
    package = str(Path(__file__).resolve().parents[2])
    code = f"import sys; sys.path.append({package!r}); from tablevault_ext.launch.shared_server import main; main()"
    fd = os.open(files.server_log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        subprocess.run(
            [sys.executable, "-P", "-c", code, str(paths.root)],
            env=environment,
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=fd,
            stderr=fd,
            start_new_session=True,
            check=False,
            timeout=_START_SECONDS,
        )
    finally:
        os.close(fd)


def _forget_after_fork() -> None:
    global _connections
    _connections = threading.local()  # the sockets are the parent's conversation


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_after_fork)
