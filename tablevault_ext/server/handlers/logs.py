"""What a process printed: ranges of its stdout and stderr, and searching in them."""

from __future__ import annotations

from jupyter_server.auth.decorator import authorized
from tornado import web

from ..log_ranges import STREAMS, Span, read_logs
from ..log_search import search_logs
from .base import PROCESS, Refusal, VaultHandler, refusing

_FAR = 2**53


class LogsHandler(VaultHandler):
    @web.authenticated
    @authorized
    async def get(self, process_id: str) -> None:
        with refusing():
            fields = self.query()
            stream = fields.choice("stream", ("all", *STREAMS), "all")
            begins = {name: fields.integer(f"{name}_from", 0, _FAR, None) for name in STREAMS}
            ends = {name: fields.integer(f"{name}_to", 0, _FAR, None) for name in STREAMS}
            limit = fields.integer("limit", 1, 4 << 20, 64 << 10)
            fields.done()
        for name in STREAMS:
            if begins[name] is not None and ends[name] is not None:
                raise Refusal(400, "invalid", f"{name}_from and {name}_to exclude each other; give one of them")
        spans = {name: Span(begins[name], ends[name]) for name in STREAMS if stream in ("all", name)}
        entry = await self.entry(process_id)
        self.answer(await self.off_loop(read_logs, self.board.paths, entry, spans, limit))


class LogSearchHandler(VaultHandler):
    @web.authenticated
    @authorized
    async def get(self, process_id: str) -> None:
        with refusing():
            fields = self.query()
            text = fields.text("q", 1000, least=1)
            stream = fields.choice("stream", ("all", *STREAMS), "all")
            limit = fields.integer("limit", 1, 1000, 200)
            fields.done()
        entry = await self.entry(process_id)
        streams = STREAMS if stream == "all" else (stream,)
        folder = self.board.paths.logs(entry.process_id)
        self.answer(await self.off_loop(search_logs, folder, text, streams, limit))


HANDLERS = [(rf"{PROCESS}/logs", LogsHandler), (rf"{PROCESS}/logs/search", LogSearchHandler)]
