"""What a process did: its cells, errors, progress bars and actors."""

from __future__ import annotations

from jupyter_server.auth.decorator import authorized
from tornado import web

from ...panel.wire import bar_json
from ..actors import actors_of
from ..cells import read_cell, read_cells, read_errors
from .base import PROCESS, Refusal, VaultHandler, refusing


class CellsHandler(VaultHandler):
    @web.authenticated
    @authorized
    async def get(self, process_id: str) -> None:
        with refusing():
            fields = self.query()
            before = fields.integer("before", 0, 2**31, None)
            limit = fields.integer("limit", 1, 1000, 100)
            text = fields.text("q", 1000, "")
            fields.done()
        entry = await self.entry(process_id)
        found = await self.off_loop(
            read_cells, self.board.paths, entry.process_id, before=before, limit=limit, text=text
        )
        self.noticed(**found)


class CellHandler(VaultHandler):
    @web.authenticated
    @authorized
    async def get(self, process_id: str, seq: str) -> None:
        self.no_query()
        entry = await self.entry(process_id)
        cell = await self.off_loop(read_cell, self.board.paths, entry.process_id, int(seq))
        if cell is None:
            raise Refusal(404, "not_found", f"{entry.process.address} has no cell {seq}")
        self.answer(cell)


class ErrorsHandler(VaultHandler):
    @web.authenticated
    @authorized
    async def get(self, process_id: str) -> None:
        with refusing():
            fields = self.query()
            limit = fields.integer("limit", 1, 1000, 50)
            fields.done()
        entry = await self.entry(process_id)
        self.noticed(**await self.off_loop(read_errors, self.board.paths, entry.process_id, limit=limit))


class ProgressHandler(VaultHandler):
    @web.authenticated
    @authorized
    async def get(self, process_id: str) -> None:
        self.no_query()
        entry = await self.entry(process_id)
        self.noticed(bars=[bar_json(bar, entry.process.status) for bar in entry.facts.bars.values()])


class ActorsHandler(VaultHandler):
    @web.authenticated
    @authorized
    async def get(self, process_id: str) -> None:
        self.no_query()
        entry = await self.entry(process_id)
        self.noticed(**await self.off_loop(actors_of, self.board.paths, entry))


HANDLERS = [
    (rf"{PROCESS}/cells", CellsHandler),
    (rf"{PROCESS}/cells/(?P<seq>\d{{1,9}})", CellHandler),
    (rf"{PROCESS}/errors", ErrorsHandler),
    (rf"{PROCESS}/progress", ProgressHandler),
    (rf"{PROCESS}/actors", ActorsHandler),
]
