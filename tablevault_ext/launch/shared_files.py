"""The files of what a vault's processes share; the directory is private like the vault."""

from __future__ import annotations

import json
import os
import secrets
from pathlib import Path
from typing import Any

from ..identity import Identity


class SharedFiles:
    """Paths, and the two small files that clients and server exchange."""

    def __init__(self, root: Path) -> None:
        self.folder = root / "shared"
        self.folder.mkdir(mode=0o700, exist_ok=True)

    @property
    def key(self) -> Path:
        return self.folder / "key"

    @property
    def address(self) -> Path:
        return self.folder / "server.json"

    @property
    def socket(self) -> Path:
        return self.folder / "socket"

    @property
    def state(self) -> Path:
        return self.folder / "state.pickle"

    @property
    def catalogue(self) -> Path:
        return self.folder / "catalogue.ndjson"

    @property
    def server_lock(self) -> Path:
        return self.folder / "server.lock"

    @property
    def start_lock(self) -> Path:
        return self.folder / "start.lock"

    @property
    def server_log(self) -> Path:
        return self.folder / "server.log"

    @property
    def locks(self) -> Path:
        return self.folder / "locks"

    def read_key(self) -> bytes:
        """The key of this vault's server, made by the first who asks."""
        try:
            return self.key.read_bytes()
        except FileNotFoundError:
            pass
        fresh = self.folder / f"key.{os.getpid()}.{secrets.token_hex(4)}"
        fd = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            os.write(fd, secrets.token_bytes(32))
        finally:
            os.close(fd)
        try:
            os.link(fresh, self.key)  # whole, or not at all; who comes second takes the first's
        except FileExistsError:
            pass
        finally:
            fresh.unlink()
        return self.key.read_bytes()

    def read_address(self) -> dict[str, Any] | None:
        """Where the server listens, and who it is; None if there never was one."""
        try:
            data: dict[str, Any] = json.loads(self.address.read_bytes())
        except (FileNotFoundError, ValueError):
            return None
        return data

    def write_address(self, data: dict[str, Any]) -> None:
        fresh = self.address.with_suffix(".new")
        fresh.write_text(json.dumps(data))
        fresh.replace(self.address)

    def is_served_by(self, who: Identity) -> bool:
        present = self.read_address()
        return present is not None and Identity.from_json(present["identity"]) == who
