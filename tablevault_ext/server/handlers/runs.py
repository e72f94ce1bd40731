"""Ended runs: what became of one, and running it again."""

from __future__ import annotations

from jupyter_server.auth.decorator import authorized
from tornado import web

from ..autopsy import post_mortem_of
from ..rerun import run_again
from .base import CONTROL, PROCESS, VaultHandler, permitted, refusing


class PostMortemHandler(VaultHandler):
    @web.authenticated
    @authorized
    async def get(self, process_id: str) -> None:
        self.no_query()
        entry = await self.entry(process_id)
        self.answer(await self.off_loop(post_mortem_of, self.board, entry))


class RunAgainHandler(VaultHandler):
    @web.authenticated
    @permitted("execute", CONTROL)
    async def post(self, process_id: str) -> None:
        with refusing():
            fields = self.body()
            argv = fields.texts("argv", 10_000, 131_072)
            cwd = fields.text("cwd", 4096, None)
            name = fields.text("name", 10_000, None, least=1)
            fields.done()
        entry = await self.entry(process_id)
        new_id = await self.off_loop(run_again, self.board.paths, entry.process, argv=argv, cwd=cwd, name=name)
        process = self.board.json_of(await self.entry(new_id))
        self.answer({"process": process}, 201)


HANDLERS = [(rf"{PROCESS}/post-mortem", PostMortemHandler), (rf"{PROCESS}/run-again", RunAgainHandler)]
