"""The desks of the launching room, each test with a vault of its own, and nothing left running behind it."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import suppress

import pytest

from tablevault_ext.control.now import marks_of
from tablevault_ext.control.tree import stop_now
from tablevault_ext.identity import Identity, Presence
from tablevault_ext.journal.writer import JournalWriter
from tablevault_ext.launch.command_desk import CommandDesk
from tablevault_ext.launch.locks import LockDesk
from tablevault_ext.launch.pool_desk import PoolDesk
from tablevault_ext.launch.shared import SharedDesk
from tablevault_ext.launch.shared_client import server_identity
from tablevault_ext.paths import VaultPaths

from ..support import wait_until

LAUNCHER = "20260101T000000-00000001"


class RecordingHost:
    """A launching process with a journal, as the façade makes one, but one for each test."""

    def __init__(self, paths: VaultPaths) -> None:
        self.paths = paths
        self.checkpoints = 0
        self.raises: BaseException | None = None
        self.haste = False
        self._journal = JournalWriter(paths.journal(LAUNCHER), LAUNCHER)

    def begin(self) -> None:
        """It is recorded already."""

    def parent(self) -> tuple[str, int | None]:
        return LAUNCHER, 3

    def user(self) -> str:
        return "ana"

    def journal(self) -> JournalWriter:
        return self._journal

    def checkpoint(self) -> None:
        self.checkpoints += 1
        if self.raises is not None:
            raise self.raises

    def in_haste(self) -> bool:
        return self.haste

    def end_tree(self, root: Identity, process_id: str, grace: float) -> None:
        stop_now(root, marks_of(self.paths, process_id), grace=grace)

    def close(self) -> None:
        self._journal.close()


@pytest.fixture
def host(vault: VaultPaths) -> Iterator[RecordingHost]:
    host = RecordingHost(vault)
    yield host
    host.close()


@pytest.fixture
def commands(host: RecordingHost) -> Iterator[CommandDesk]:
    desk = CommandDesk(host)
    yield desk
    desk.terminate_all_processes(timeout=0)


@pytest.fixture
def pools(host: RecordingHost) -> Iterator[PoolDesk]:
    desk = PoolDesk(host)
    yield desk
    host.raises, host.haste = None, True
    desk.end_pools()
    wait_until(lambda: not desk.worker_identities(), "the workers are gone")


@pytest.fixture(autouse=True)
def end_shared_server(vault: VaultPaths) -> Iterator[None]:
    yield
    server = server_identity(vault)
    if server is not None and server.presence() is Presence.ALIVE:
        with suppress(ProcessLookupError):
            os.kill(server.pid, signal.SIGTERM)
        wait_until(lambda: server.presence() is Presence.GONE, "the coordination server has ended")


@pytest.fixture
def shared(host: RecordingHost) -> SharedDesk:
    return SharedDesk(host)


@pytest.fixture
def locks(host: RecordingHost) -> LockDesk:
    return LockDesk(host)
