"""Journals as processes write them, and looks into the database as users take them."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb

from tablevault_ext.identity import Identity
from tablevault_ext.journal.inbox import append_to_inbox, locked_inbox
from tablevault_ext.journal.names import claim_name
from tablevault_ext.journal.writer import JournalWriter
from tablevault_ext.model import Action, Request, mono_us, new_request_id, now_us
from tablevault_ext.paths import VaultPaths

ME = Identity.mine()
NOBODY = replace(ME, start=1)
"""An identity that is certainly gone: our pid, another start."""

ELSEWHERE = replace(ME, pid_ns="pid:[1]")
"""An identity in another PID namespace: nothing can be said of it from here."""


class Recorded(JournalWriter):
    """A process that is recorded: its journal, and how its lines are spelled."""

    def __init__(
        self, paths: VaultPaths, process_id: str, name: str = "train", *, identity: Identity = ME, **fields: Any
    ) -> None:
        super().__init__(paths.journal(process_id), process_id)
        self.paths = paths
        claim = claim_name(paths, name, process_id, NOBODY)
        fields = {"kind": "notebook", "status": "running"} | fields
        self.append("process_started", identity=identity.to_json(), name=name, run=claim.run, **fields)

    def begin(self, seq: int, code: str = "pass", **fields: Any) -> None:
        self.append("cell_started", seq=seq, code=code, **fields)

    def finish(self, seq: int, status: str = "ok", **fields: Any) -> None:
        self.append("cell_finished", seq=seq, status=status, duration=0.25, **fields)

    def cell(self, seq: int, code: str = "pass") -> None:
        self.begin(seq, code)
        self.finish(seq)

    def record(self, name: str, record: Any, seq: int = 0) -> None:
        self.append("record_appended", list=name, cell_seq=seq, record=record)

    def end(self, status: str = "finished", **fields: Any) -> None:
        self.append("process_ended", status=status, boot=ME.boot_id, mono=mono_us(), **fields)

    def ask(self, action: str, **fields: Any) -> Request:
        """A request to it, in its inbox."""
        request = Request(
            new_request_id(),
            self.process_id,
            Action(action),
            requested_at=now_us(),
            mono=mono_us(),
            boot_id=ME.boot_id,
            **fields,
        )
        with locked_inbox(self.paths, self.process_id):
            append_to_inbox(self.paths, self.process_id, request.line())
        return request


def look(paths: VaultPaths, query: str) -> list[tuple[Any, ...]]:
    """What a plain duckdb client sees; nothing while the file is not there or held."""
    try:
        connection = duckdb.connect(str(paths.database), read_only=True)
    except (duckdb.IOException, duckdb.BinderException, duckdb.ConnectionException):
        return []
    try:
        return connection.execute(query).fetchall()
    except duckdb.CatalogException:
        return []
    finally:
        connection.close()


@contextmanager
def held_by_another_program(paths: VaultPaths, *, read_only: bool = False) -> Iterator[int]:
    """A duckdb client of somebody else keeps the file open; its pid."""
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "client.py"
        script.write_text(
            "import duckdb, sys, time\n"
            "while True:\n"  # an ingester may have it open this moment
            "    try:\n"
            f"        c = duckdb.connect({str(paths.database)!r}, read_only={read_only})\n"
            "        break\n"
            "    except duckdb.IOException as error:\n"
            "        if 'Could not set lock' not in str(error): raise\n"
            "        time.sleep(0.005)\n"
            "print('open', flush=True)\n"
            "sys.stdin.read()\n"
        )
        with subprocess.Popen(
            [sys.executable, str(script)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as client:
            assert client.stdin is not None and client.stdout is not None
            assert client.stdout.readline() == "open\n"
            try:
                yield client.pid
            finally:
                client.stdin.close()
                client.wait()
