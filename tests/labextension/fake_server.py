"""A stand-in for the server extension: the contract of openapi.yaml over a made-up vault, for looking at the panel."""

from __future__ import annotations

import asyncio
import json
import math
import os
import random
import time
from pathlib import Path
from typing import Any

from jupyter_server.base.handlers import APIHandler
from jupyter_server.utils import url_path_join
from tornado import web

from .fake_vault import ENDED, TRACEBACK, Json, cell, iso, many, process, request, telling

SCHEMA = Path(__file__).parents[2] / "tablevault_ext" / "server" / "events" / "changed.yaml"
CHANGED = "https://schema.tablevault.dev/changed/v1"
CHECKPOINT_SECONDS = 0.15
COPIED = ("now", "keep_kernel", "grace", "escalate", "reason")


class FakeVault:
    def __init__(self, app: Any) -> None:
        self.app = app
        self.revision = 1
        self.started_at = iso(0)
        self.calls = 0
        self.reset()

    def reset(self) -> None:
        everything = [*telling(), *many(int(os.environ.get("FAKE_PROCESSES", "0")))]
        if os.environ.get("FAKE_EMPTY"):
            everything = []
        self.processes: dict[str, Json] = {p["process_id"]: p for p in everything}
        self.requests: dict[str, Json] = {}
        for item in everything:
            if item["request"]:
                self.requests[item["request"]["request_id"]] = item["request"]
        self.log: dict[str, dict[str, bytes]] = {}

    def changed(self, parts: list[str], *ids: str) -> None:
        self.revision += 1
        data: Json = {"revision": self.revision, "parts": parts}
        if ids:
            data["process_ids"] = list(ids)
        self.app.event_logger.emit(schema_id=CHANGED, data=data)

    def host(self) -> Json:
        return {
            "host": "workstation",
            "at": iso(0),
            "cpu": 41.0,
            "cores": 8,
            "memory_total": 32 * 2**30,
            "memory_available": 14 * 2**30,
            "swap_total": 0,
            "swap_used": 0,
            "load": 3.2,
        }

    def ask(self, item: Json, body: Json) -> Json:
        made = request(item["process_id"], body["action"], 0, **{k: body[k] for k in COPIED if k in body})
        old = item["request"]
        if old and old["outcome"] is None:
            old["outcome"] = "withdrawn" if made["action"] == "resume" else "superseded"
        self.requests[made["request_id"]] = made
        item["request"] = made
        going = {"pause": "pausing", "stop": "stopping"}.get(made["action"])
        if going:
            item["status"] = going
        self.changed(["processes", "requests"], item["process_id"])
        if item["name"] != "etl" or made["now"] or made["action"] == "resume":
            asyncio.get_running_loop().call_later(CHECKPOINT_SECONDS, self.effect, item, made)
        return made

    def effect(self, item: Json, made: Json) -> None:
        if made["outcome"] is not None:
            return
        done = {"pause": "paused", "resume": "running", "stop": "running" if made["keep_kernel"] else "stopped"}
        made.update(seen_at=iso(0), effective_at=iso(0), outcome="effective", latency=0.1)
        made["detail"] = {"place": "cell 7"}
        item["status"] = done[made["action"]]
        if item["status"] in ENDED:
            item.update(ended_at=iso(0), resources=None, current_cell=None)
        if made["action"] == "resume":
            item["request"] = None
        self.changed(["processes", "requests"], item["process_id"])

    def logs(self, item: Json) -> dict[str, bytes]:
        if item["process_id"] not in self.log:
            out = "".join(f"epoch {n // 100} step {n:05} loss {math.exp(-n / 900):.4f}\n" for n in range(2400))
            err = "UserWarning: the scheduler was stepped before the optimizer\n" * 2
            self.log[item["process_id"]] = {"stdout": out.encode(), "stderr": err.encode()}
        return self.log[item["process_id"]]

    async def live(self) -> None:
        step = 2400
        while True:
            await asyncio.sleep(1)
            for item in list(self.processes.values())[:40]:
                if item["resources"] and item["status"] == "running":
                    item["resources"]["cpu"] = max(0.0, item["resources"]["cpu"] * random.uniform(0.9, 1.1))
                    item["resources"]["history"]["cpu"] = [
                        *item["resources"]["history"]["cpu"][1:],
                        item["resources"]["cpu"],
                    ]
                    item["last_checkpoint_at"] = item["last_checkpoint_at"] and iso(0.1)
                if item["progress"] and item["status"] == "running":
                    item["progress"]["done"] = round(min(item["progress"]["total"], item["progress"]["done"] + 0.1), 1)
            for log in self.log.values():
                step += 1
                log["stdout"] += f"epoch {step // 100} step {step:05} loss {math.exp(-step / 900):.4f}\n".encode()
            self.changed(["resources"])


class Handler(APIHandler):
    @property
    def vault(self) -> FakeVault:
        vault: FakeVault = self.settings["fake_vault"]
        return vault

    def item(self, process_id: str) -> Json:
        try:
            return self.vault.processes[process_id]
        except KeyError:
            raise web.HTTPError(404, f"No process {process_id} in this vault.", reason="not_found") from None

    def answer(self, data: Json, status: int = 200) -> None:
        self.set_status(status)
        self.finish(json.dumps(data))

    def noticed(self, **data: Any) -> None:
        self.answer({**data, "revision": self.vault.revision, "notice": None})


class StatusHandler(Handler):
    @web.authenticated
    async def get(self) -> None:
        self.noticed(
            version="0",
            vault="/home/ana/vault",
            user_id="ana",
            host="workstation",
            boot_id=None,
            server_started_at=self.vault.started_at,
            can_control=True,
            can_run=True,
        )


class ListHandler(Handler):
    @web.authenticated
    async def get(self) -> None:
        self.vault.calls += 1
        items = list(self.vault.processes.values())
        self.noticed(
            processes=items,
            total=len(items),
            partial=False,
            removed=[],
            server_time=iso(0),
            server_started_at=self.vault.started_at,
            host=self.vault.host(),
        )


class PartHandler(Handler):
    @web.authenticated
    async def get(self, process_id: str, part: str) -> None:
        item = self.item(process_id)
        getattr(self, "get_" + part.replace("-", "_").replace("/", "_"))(item)

    def get_cells(self, item: Json) -> None:
        cells = [
            cell(0, "import pandas as pd"),
            cell(1, "orders = pd.read_parquet('orders.parquet')"),
            cell(2, "# look\norders.describe()", output_tail="        total\ncount  1000\nmean     41"),
            cell(3, "config['lr']", "error", error_type="KeyError", error_message="'lr'", cell_id="failing"),
            cell(4, "", private=True),
            cell(5, "merged = orders.merge(customers, on='id')", "running"),
        ]
        self.noticed(cells=cells[::-1], total=len(cells), more=False)

    def get_errors(self, item: Json) -> None:
        error = {
            "seq": 3,
            "cell_id": "failing",
            "execution_count": 4,
            "source": "cell",
            "error_type": "KeyError",
            "error_message": "'lr'",
            "traceback": TRACEBACK,
            "at": iso(240),
        }
        self.noticed(errors=[error] if item["errors"] else [], total=item["errors"])

    def get_requests(self, item: Json) -> None:
        own = [r for r in self.vault.requests.values() if r["process_id"] == item["process_id"]]
        self.noticed(requests=own[::-1], total=len(own))

    def get_tree(self, item: Json) -> None:
        def node(p: Json) -> Json:
            below = [node(c) for c in self.vault.processes.values() if c["parent_id"] == p["process_id"]]
            figures = p["resources"] or {"cpu": None, "rss": None, "threads": None}
            return {
                **{key: p[key] for key in ("pid", "name", "kind", "process_id", "status", "started_at")},
                **{key: figures[key] for key in ("cpu", "rss", "threads")},
                "cmdline": " ".join(p["argv"] or []),
                "children": below,
            }

        root = node(item)
        plain = {"kind": None, "process_id": None, "cmdline": "git gc", "cpu": 3.0, "rss": 12e6, "threads": 1}
        root["children"].append(
            {**plain, "pid": 4711, "name": "git", "status": "sleeping", "started_at": iso(9), "children": []}
        )
        self.noticed(root=root)

    def get_resources(self, item: Json) -> None:
        t = [time.time() - 3600 + 9 * n for n in range(400)]
        cpu = [200 + 40 * math.sin(n / 9) for n in range(400)]
        self.noticed(t=t, cpu=cpu, rss=[2e9 + n * 3e6 for n in range(400)], threads=[8] * 400)

    def get_metrics(self, item: Json) -> None:
        n = range(200)
        series = [
            {"name": "loss", "values": [math.exp(-i / 60) + 0.05 * math.sin(i * 1.7) for i in n]},
            {"name": "accuracy", "values": [1 - math.exp(-i / 80) for i in n]},
        ]
        log = {"name": "training_logs", "columns": ["epoch", "loss", "accuracy"], "rows": 200, "updated_at": iso(1)}
        self.noticed(
            lists=[{**log, "x": {"name": "epoch", "values": list(n)}, "series": series, "last": {"epoch": 199}}]
        )

    def get_progress(self, item: Json) -> None:
        self.noticed(bars=[item["progress"]] if item["progress"] else [])

    def get_files(self, item: Json) -> None:
        made = [("model.ckpt", 4e8, 1, True), ("video.mp4", 2e7, 90, False)]
        files = [
            {"path": f"/home/ana/{n}", "server_path": n, "size": int(s), "modified_at": iso(a), "growing": g}
            for n, s, a, g in made
        ]
        self.noticed(files=files, watched=["/home/ana"], complete=True)

    def get_logs(self, item: Json) -> None:
        logs = self.vault.logs(item)
        limit = int(self.get_argument("limit", "65536"))
        segments, start, end = [], {}, {}
        for stream, data in logs.items():
            to = int(self.get_argument(f"{stream}_to", str(len(data))))
            begin = int(self.get_argument(f"{stream}_from", str(max(0, to - limit))))
            start[stream], end[stream] = begin, to
            if begin < to:
                segments.append({"stream": stream, "start": begin, "end": to, "text": data[begin:to].decode()})
        size = {stream: len(data) for stream, data in logs.items()}
        shape = {"available": None, "ordered": False, "reset": False}
        self.answer({**shape, "segments": segments, "start": start, "next": end, "size": size})

    def get_logs_search(self, item: Json) -> None:
        wanted = self.get_argument("q").lower()
        found = [
            {"stream": stream, "offset": 0, "line": line}
            for stream, data in self.vault.logs(item).items()
            for line in data.decode().splitlines()
            if wanted in line.lower()
        ]
        self.answer({"matches": found[::-1][:200], "complete": len(found) <= 200})

    def get_impact(self, item: Json) -> None:
        action = self.get_argument("action")
        by_kind = {kind: n for kind, n in item["children"].items() if n}
        memory = {"needed": 2**30, "available": 14 * 2**30, "fits": True} if action == "resume" else None
        shape = {"processes": [], "kernel": item["kind"] == "notebook", "warnings": []}
        self.answer(
            {**shape, "action": action, "total": 1 + sum(by_kind.values()), "by_kind": by_kind, "memory": memory}
        )

    def get_post_mortem(self, item: Json) -> None:
        self.answer(
            {
                "status": item["status"],
                "summary": "Killed by SIGKILL while running cell 6; the machine was out of memory.",
                "ended_at": item["ended_at"],
                "exit_code": None,
                "exit_signal": "SIGKILL",
                "certain": False,
                "evidence": [{"source": "kernel log", "text": "Out of memory: Killed process 4711 (python)"}],
                "last_cell": cell(5, "merged = orders.merge(customers)", "lost"),
                "last_checkpoint_at": iso(950),
                "error": None,
                "memory": {"last": int(29e9), "peak": int(31e9), "limit": 32 * 2**30},
                "requests": [],
                "left_behind": [{"pid": 4712, "name": "ffmpeg", "rss": int(1e8)}],
                "log": None,
            }
        )

    @web.authenticated
    async def post(self, process_id: str, part: str) -> None:
        item = self.item(process_id)
        body = self.get_json_body() or {}
        if part == "requests":
            if item["status"] in ENDED:
                raise web.HTTPError(409, f"{item['name']} has ended.", reason="wrong_state")
            self.answer(self.vault.ask(item, body), 201)
        else:
            made = process(body.get("name", item["name"]), item["kind"], run=item["run"] + 1, started=0)
            made["process_id"] += f"-{made['run']}"
            made["argv"] = body.get("argv", item["argv"])
            self.vault.processes[made["process_id"]] = made
            self.vault.changed(["processes"], made["process_id"])
            self.answer({"process": made}, 201)


class RequestHandler(Handler):
    @web.authenticated
    async def get(self, request_id: str) -> None:
        self.answer(self.vault.requests[request_id])

    @web.authenticated
    async def delete(self, request_id: str) -> None:
        made = self.vault.requests[request_id]
        item = self.vault.processes[made["process_id"]]
        made["outcome"] = "withdrawn"
        item.update(status="running", request=None)
        self.vault.changed(["processes", "requests"], item["process_id"])
        self.answer(made)


class FakeHandler(Handler):
    """For tests: how often the list was asked for, sudden changes, and everything as it was at first."""

    @web.authenticated
    async def get(self) -> None:
        self.answer({"calls": self.vault.calls})

    @web.authenticated
    async def post(self) -> None:
        body = self.get_json_body() or {}
        if not body:
            self.vault.reset()
            self.vault.changed(["processes"])
        else:
            self.item(body["process_id"]).update(body["change"])
            self.vault.changed(["processes", "requests"], body["process_id"])
        self.answer({})

    def check_xsrf_cookie(self) -> None:
        return


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    return [{"module": __name__}]


def _load_jupyter_server_extension(app: Any) -> None:
    app.event_logger.register_event_schema(SCHEMA)
    vault = FakeVault(app)
    app.web_app.settings["fake_vault"] = vault
    app.io_loop.call_later(1, lambda: setattr(vault, "task", asyncio.ensure_future(vault.live())))
    base = url_path_join(app.web_app.settings["base_url"], "tablevault/api")
    parts = "cells|errors|requests|tree|resources|metrics|progress|files|logs/search|logs|impact|post-mortem|run-again"
    routes = [
        ("status", StatusHandler),
        ("processes", ListHandler),
        (rf"processes/([^/]+)/({parts})", PartHandler),
        (r"requests/([^/]+)", RequestHandler),
        ("fake", FakeHandler),
    ]
    app.web_app.add_handlers(".*$", [(url_path_join(base, route), handler) for route, handler in routes])
