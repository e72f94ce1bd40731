"""Which Jupyter Servers look after this vault: each leaves a file with its identity while it runs."""

from __future__ import annotations

import json
import os
from pathlib import Path

import psutil

from ..identity import Identity, Presence
from ..model import Process
from ..paths import VaultPaths


def announce_server(paths: VaultPaths) -> Path:
    """Say that the calling Jupyter Server looks after this vault; remove the file when it ends."""
    me = Identity.mine()
    path = paths.live / f"server-{me.pid}.json"
    fresh = path.with_suffix(".new")
    fd = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(fd, "w") as file:
        json.dump(me.to_json(), file)
    fresh.rename(path)
    return path


def living_servers(paths: VaultPaths) -> list[Identity]:
    """The servers that look after this vault now."""
    servers = []
    for path in paths.live.glob("server-*.json"):
        try:
            identity = Identity.from_json(json.loads(path.read_text()))
        except (OSError, ValueError, KeyError, TypeError):
            continue
        if identity.presence() is Presence.ALIVE:
            servers.append(identity)
    return servers


def serving_kernel(paths: VaultPaths, process: Process) -> Identity | None:
    """The server that started this kernel, if it looks after this vault."""
    if process.kernel_id is None or process.identity is None:
        return None
    servers = {server.pid: server for server in living_servers(paths)}
    try:
        above = psutil.Process(process.identity.pid).parents()
    except psutil.Error:
        return None
    return next((servers[parent.pid] for parent in above if parent.pid in servers), None)
