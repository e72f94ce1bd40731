"""The coordination server of a vault: one small process that holds what the vault's processes share.

Elected by a lock that it keeps while it lives. It belongs to nobody's process tree, so that no pause or stop
reaches it. When nothing was asked for a while it writes what it holds into a file and ends; the next one takes
that up, so ids live until they are deleted. Only a crash loses anything, and then it is known what.
"""

from __future__ import annotations

import contextlib
import logging
import os
import pickle
import signal
import sys
import tempfile
import threading
import time
from multiprocessing import managers
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from ..identity import Identity
from ..journal.lines import decode_line, encode_line
from ..journal.reader import read_lines
from .shared_files import SharedFiles
from .shelf import Shelf, Thing

log = logging.getLogger("tablevault_ext")

LINGER = 30.0
ENV_LINGER = "TABLEVAULT_SHARED_LINGER"
_HANDOVER = 3.0  # seconds that the one before may take to write its state and go
_LONGEST_SOCKET = 100  # bytes; the system's limit is 104 to 108

_calling = threading.local()


class SharedServer(managers.Server):
    """multiprocessing's manager server, with one object in it, that knows who calls and when."""

    def __init__(self, address: str, key: bytes, shelf: Shelf) -> None:
        super().__init__({}, address, key, "pickle")
        self.id_to_obj["shelf"] = (shelf, set(Shelf.CALLS), {})
        self.stop_event = threading.Event()
        self.asked = time.monotonic()
        self._gate = threading.Condition()
        self._busy = 0
        self._closed = False

    def serve_client(self, conn: Connection[Any, Any]) -> None:
        _calling.connection = conn
        super().serve_client(_Heard(conn, self))  # type: ignore[arg-type]

    def enter(self) -> None:
        """A call begins; none does any more once the state is being written."""
        with self._gate:
            if self._closed:
                raise EOFError
            self._busy += 1
            self.asked = time.monotonic()

    def leave(self) -> None:
        with self._gate:
            self._busy -= 1
            self._gate.notify_all()

    def close_if_idle(self, linger: float) -> bool:
        with self._gate:
            if self._busy or time.monotonic() - self.asked < linger:
                return False
            self._closed = True
            return True

    def close(self) -> None:
        """Take no more calls, and wait for those that are being answered."""
        with self._gate:
            self._closed = True
            self._gate.wait_for(lambda: not self._busy, timeout=2.0)


class _Heard:
    """A connection that tells the server when a call comes and when it was answered."""

    def __init__(self, connection: Connection[Any, Any], server: SharedServer) -> None:
        self._connection = connection
        self._server = server
        self.close = connection.close

    def recv(self) -> Any:
        request = self._connection.recv()
        self._server.enter()
        return request

    def send(self, message: Any) -> None:
        try:
            self._connection.send(message)
        finally:
            self._server.leave()


def _caller_is_gone() -> bool:
    # A client that waits for our answer sends nothing: something to read is the end of its connection.
    return bool(wait([_calling.connection], 0))


def serve(root: Path) -> None:
    """Serve one vault until nothing has been asked for a while. Returns at once if another server does."""
    files = SharedFiles(root)
    lock = FileLock(files.server_lock, mode=0o600, is_singleton=False)
    try:
        lock.acquire(timeout=_HANDOVER, poll_interval=0.01)
    except Timeout:
        return
    before = files.read_address()
    catalogue = _Catalogue(files.catalogue)
    shelf = Shelf(catalogue.note, _caller_is_gone)
    _restore(files, shelf, catalogue, int(before["identity"]["pid"]) if before else 0)
    address, folder = _socket_path(files, before)
    server = SharedServer(address, files.read_key(), shelf)
    me = Identity.mine()
    files.write_address({"address": address, "folder": folder, "identity": me.to_json()})
    linger = float(os.environ.get(ENV_LINGER, LINGER))
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda number, frame: stop.set())
    threading.Thread(target=server.accepter, daemon=True).start()
    while not stop.wait(min(1.0, linger / 4)):
        if server.close_if_idle(linger) or not files.is_served_by(me):
            break
    server.close()
    if files.is_served_by(me):
        _save(files, shelf)
    _remove_socket(address, folder)
    os._exit(0)  # the threads of clients wait in their connections for ever


class _Catalogue:
    """Which things there are, on disk: a line each time one is made or deleted."""

    def __init__(self, path: Path) -> None:
        self.living: dict[str, str] = {}
        self.lost: dict[str, str] = {}
        for _, line in read_lines(path):
            entry = decode_line(line) or {"e": ""}
            if entry["e"] == "created":
                self.living[entry["id"]] = entry["kind"]
                self.lost.pop(entry["id"], None)
            elif entry["e"] == "lost":
                self.lost[entry["id"]] = entry["kind"]
            elif entry["e"] == "deleted":
                self.living.pop(entry["id"], None)
                self.lost.pop(entry["id"], None)
        self._path = path

    def begin(self, living: dict[str, str], lost: dict[str, str]) -> None:
        """Start the file anew, without what is over."""
        fresh = self._path.with_suffix(".new")
        lines = [{"e": "created", "id": key, "kind": kind} for key, kind in living.items()]
        lines += [{"e": "lost", "id": key, "kind": kind} for key, kind in lost.items()]
        fresh.write_bytes(b"".join(encode_line(line) for line in lines))
        fresh.replace(self._path)
        self._file = self._path.open("ab", buffering=0)

    def note(self, event: str, thing: Thing) -> None:
        self._file.write(encode_line({"e": event, "id": thing.thing_id, "kind": thing.kind}))


def _restore(files: SharedFiles, shelf: Shelf, catalogue: _Catalogue, pid_before: int) -> None:
    """Take up what the last server left; what it did not leave is lost."""
    shelf.lost = dict(catalogue.lost)
    shelf.lost_with = pid_before
    if files.state.exists():
        saved = pickle.loads(files.state.read_bytes())  # noqa: S301 - ours, in a directory that is private
        shelf.things, shelf.lost, shelf.lost_with = saved["things"], saved["lost"], saved["lost_with"]
        # From here on it changes in memory: a crash must not bring back what was consumed.
        files.state.unlink()
    else:
        shelf.lost |= catalogue.living
    if shelf.lost and pid_before:
        log.warning("lost with the coordination server %s: %s", pid_before, ", ".join(shelf.lost))
    catalogue.begin({thing.thing_id: thing.kind for thing in shelf.things.values()}, shelf.lost)


def _save(files: SharedFiles, shelf: Shelf) -> None:
    fresh = files.state.with_suffix(".new")
    data = {"things": shelf.things, "lost": shelf.lost, "lost_with": shelf.lost_with}
    fd = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(fd, "wb") as file:
        pickle.dump(data, file)
    fresh.replace(files.state)


def _socket_path(files: SharedFiles, before: dict[str, Any] | None) -> tuple[str, str]:
    """Where to listen, and the private directory made for it, where the vault's own path is too long."""
    if before is not None:
        _remove_socket(before["address"], before["folder"])
    path = str(files.socket)
    if len(os.fsencode(path)) <= _LONGEST_SOCKET:
        files.socket.unlink(missing_ok=True)
        return path, ""
    folder = tempfile.mkdtemp(prefix="tablevault-")
    return f"{folder}/s", folder


def _remove_socket(address: str, folder: str) -> None:
    with contextlib.suppress(OSError):
        Path(address).unlink()
        if folder:
            Path(folder).rmdir()


def main() -> None:
    """Leave the family of whoever started this, then serve."""
    if os.fork():
        os._exit(0)
    os.setsid()
    if os.fork():
        os._exit(0)
    os.umask(0o077)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    serve(Path(sys.argv[1]))


if __name__ == "__main__":
    main()
