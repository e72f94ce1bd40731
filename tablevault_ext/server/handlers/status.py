"""`/status`, `/host`: is everything well, what may the caller do, how is the machine."""

from __future__ import annotations

from jupyter_server.auth.decorator import authorized
from tornado import web

from ... import __version__
from ...identity import boot_id, host
from ...session import default_user
from .base import CONTROL, VaultHandler


class StatusHandler(VaultHandler):
    @web.authenticated
    @authorized
    async def get(self) -> None:
        """Never opens the vault's database."""
        self.no_query()
        allowed = await self.may("execute", CONTROL)
        self.noticed(
            version=__version__,
            vault=str(self.extension.root),
            user_id=default_user(),
            host=host(),
            boot_id=boot_id(),
            server_started_at=self.extension.server_started_at,
            can_control=allowed,
            can_run=allowed,
        )


class HostHandler(VaultHandler):
    @web.authenticated
    @authorized
    async def get(self) -> None:
        self.no_query()
        self.answer(await self.off_loop(self.extension.host.read))


HANDLERS = [("status", StatusHandler), ("host", HostHandler)]
