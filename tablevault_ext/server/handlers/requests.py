"""Requests: made, read, withdrawn; and what one would reach."""

from __future__ import annotations

from jupyter_server.auth.decorator import authorized
from tornado import web

from ...control.requests import withdraw
from ...model import Action
from ...panel.impact import impact_of
from ...panel.wire import request_json
from ..asking import Asker, Wish, find_request, read_requests
from .base import CONTROL, PROCESS, VaultHandler, permitted, refusing

_ACTIONS = [action.value for action in Action]


class RequestsHandler(VaultHandler):
    @web.authenticated
    @authorized
    async def get(self, process_id: str) -> None:
        with refusing():
            fields = self.query()
            limit = fields.integer("limit", 1, 1000, 100)
            fields.done()
        entry = await self.entry(process_id)
        requests = await self.off_loop(read_requests, self.board.paths, entry)
        self.noticed(requests=requests[:limit], total=len(requests))

    @web.authenticated
    @permitted("execute", CONTROL)
    async def post(self, process_id: str) -> None:
        with refusing():
            fields = self.body()
            wish = Wish(
                action=Action(fields.choice("action", _ACTIONS)),
                now=fields.flag("now", False),
                keep_kernel=fields.flag("keep_kernel", False),
                grace=fields.number("grace", 0, 86_400, 30.0, unit=" of seconds"),
                escalate=fields.flag("escalate", False),
                reason=fields.text("reason", 10_000, ""),
                by=self.asker,
            )
            fields.done()
        entry = await self.entry(process_id)
        asker: Asker = self.extension.asker
        request, joined = await self.off_loop(asker.ask, self.board.paths, entry.process_id, wish)
        self.extension.follow(entry.process_id)
        self.answer(request_json(request), 200 if joined else 201)


class RequestHandler(VaultHandler):
    @web.authenticated
    @authorized
    async def get(self, request_id: str) -> None:
        self.no_query()
        request, entry = await self.off_loop(find_request, self.board, request_id)
        self.answer(request_json(request, entry.facts.places.get(request_id)))

    @web.authenticated
    @permitted("execute", CONTROL)
    async def delete(self, request_id: str) -> None:
        self.no_query()
        request, entry = await self.off_loop(find_request, self.board, request_id)
        await self.off_loop(withdraw, self.board.paths, request, by=self.asker)
        self.extension.follow(entry.process_id)
        request, entry = await self.off_loop(find_request, self.board, request_id)
        self.answer(request_json(request, entry.facts.places.get(request_id)))


class ImpactHandler(VaultHandler):
    @web.authenticated
    @authorized
    async def get(self, process_id: str) -> None:
        with refusing():
            fields = self.query()
            action = Action(fields.choice("action", _ACTIONS))
            now, keep_kernel = fields.flag("now", False), fields.flag("keep_kernel", False)
            fields.done()
        entry = await self.entry(process_id)
        self.answer(await self.off_loop(impact_of, self.board, entry, action, now=now, keep_kernel=keep_kernel))


HANDLERS = [
    (rf"{PROCESS}/requests", RequestsHandler),
    (rf"{PROCESS}/impact", ImpactHandler),
    (r"requests/(?P<request_id>[^/]+)", RequestHandler),
]
