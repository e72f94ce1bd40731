"""`/processes`: the list, one process, its children, its tree."""

from __future__ import annotations

from jupyter_server.auth.decorator import authorized
from tornado import web

from ...model import Kind, Status, iso, now_us
from ...panel.board import Board
from ...panel.entry import dump
from ...panel.host import HostReader
from ...panel.stored import children_of
from ...panel.trees import TreeReader
from ...panel.wanted import DAY, Wanted
from ...panel.wire import Json
from ...session import default_user
from ..fields import Fields
from .base import PROCESS, VaultHandler, refusing

_YEAR = 31_536_000


class ProcessesHandler(VaultHandler):
    @web.authenticated
    @authorized
    async def get(self) -> None:
        with refusing():
            wanted = _wanted(self.query())
        if self.extension.board is None:
            self.answer(await self.off_loop(self._nothing))
            return
        await self.place_notebooks()
        self.answer(await self.off_loop(list_text, self.board, wanted, self.extension.host, self._standing()))

    def _standing(self) -> Json:
        return {"server_started_at": self.extension.server_started_at}

    def _nothing(self) -> Json:
        """The vault cannot be used; the notice says why."""
        empty = {"processes": [], "total": 0, "partial": False, "removed": [], "revision": 0}
        told = {"server_time": iso(now_us()), "host": self.extension.host.read()}
        return {**empty, **told, **self._standing(), "notice": self.extension.present_notice}


def _wanted(fields: Fields) -> Wanted:
    wanted = Wanted(
        ended_within=fields.number("ended_within", 0, _YEAR, DAY, unit=" of seconds"),
        status=fields.choices("status", [status.value for status in Status]),
        kind=fields.choices("kind", [kind.value for kind in Kind]),
        text=fields.text("q", 1000, ""),
        user=default_user() if fields.flag("mine", False) else "",
        history=fields.integer("history", 0, 120, 30),
        limit=fields.integer("limit", 1, 10_000, 2000),
        since=fields.integer("since", 0, 2**53, None),
    )
    fields.done()
    return wanted


def list_text(board: Board, wanted: Wanted, host: HostReader, standing: Json) -> bytes:
    """The answer as text, made off the loop, too."""
    listing = board.listing(wanted)
    others = dump(
        {
            "total": listing.total,
            "partial": listing.partial,
            "removed": listing.removed,
            "server_time": iso(now_us()),
            "host": host.read(),
            "revision": listing.revision,
            "notice": listing.notice,
            **standing,
        }
    )
    return b'{"processes":[' + b",".join(listing.processes) + b"]," + others[1:]


class ProcessHandler(VaultHandler):
    @web.authenticated
    @authorized
    async def get(self, process_id: str) -> None:
        self.no_query()
        await self.place_notebooks()
        entry = await self.entry(process_id)
        self.noticed(process=self.board.json_of(entry))


class ChildrenHandler(VaultHandler):
    @web.authenticated
    @authorized
    async def get(self, process_id: str) -> None:
        self.no_query()
        entry = await self.entry(process_id)
        children, notice = await self.off_loop(children_of, self.board, entry.process_id)
        self.noticed(children=children, notice=notice)


class TreeHandler(VaultHandler):
    reader = TreeReader()

    @web.authenticated
    @authorized
    async def get(self, process_id: str) -> None:
        self.no_query()
        entry = await self.entry(process_id)
        self.noticed(root=await self.off_loop(self.reader.read, self.board, entry))


HANDLERS = [
    ("processes", ProcessesHandler),
    (PROCESS, ProcessHandler),
    (rf"{PROCESS}/children", ChildrenHandler),
    (rf"{PROCESS}/tree", TreeHandler),
]
