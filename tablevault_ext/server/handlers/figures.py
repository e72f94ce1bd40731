"""What a process uses and makes: CPU and memory over time, record lists as series, files."""

from __future__ import annotations

from jupyter_server.auth.decorator import authorized
from tornado import web

from ..made_files import FilesReader
from ..metrics import read_metrics
from ..usage import read_usage
from .base import PROCESS, VaultHandler, refusing


class ResourcesHandler(VaultHandler):
    @web.authenticated
    @authorized
    async def get(self, process_id: str) -> None:
        with refusing():
            fields = self.query()
            seconds = fields.number("seconds", 1e-3, 31_536_000, 3600.0, unit=" of seconds")
            points = fields.integer("points", 10, 5000, 400)
            fields.done()
        entry = await self.entry(process_id)
        self.noticed(**await self.off_loop(read_usage, self.board.paths, entry, seconds=seconds, points=points))


class MetricsHandler(VaultHandler):
    @web.authenticated
    @authorized
    async def get(self, process_id: str) -> None:
        with refusing():
            fields = self.query()
            only = fields.text("list", 10_000, None)
            points = fields.integer("points", 10, 5000, 400)
            fields.done()
        entry = await self.entry(process_id)
        found = await self.off_loop(read_metrics, self.board.paths, entry.process_id, only=only, points=points)
        self.noticed(**found)


class FilesHandler(VaultHandler):
    reader = FilesReader()

    @web.authenticated
    @authorized
    async def get(self, process_id: str) -> None:
        with refusing():
            fields = self.query()
            limit = fields.integer("limit", 1, 1000, 200)
            fields.done()
        entry = await self.entry(process_id)
        root = self.extension.server_root
        self.noticed(**await self.off_loop(self.reader.read, self.board.paths, entry, root, limit))


HANDLERS = [
    (rf"{PROCESS}/resources", ResourcesHandler),
    (rf"{PROCESS}/metrics", MetricsHandler),
    (rf"{PROCESS}/files", FilesHandler),
]
