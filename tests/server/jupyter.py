"""A real `jupyter server` with the extension, kernels started through its REST API, and clients of those kernels."""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import sys
import textwrap
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from jupyter_client.blocking.client import BlockingKernelClient

from tablevault_ext.paths import VaultPaths, open_vault
from tests.labextension.lab import SLOW_MACHINE, free_port
from tests.support import wait_until

Json = dict[str, Any]
_OTHERS = ("jupyterlab", "jupyter_lsp", "jupyter_server_terminals", "notebook_shim", "nbclassic")


@dataclass
class Server:
    """One server with a base URL of its own, as JupyterHub gives every user one."""

    folder: Path
    token: str = field(default_factory=lambda: secrets.token_hex(16))
    port: int = 0
    process: subprocess.Popen[bytes] | None = None
    clients: list[BlockingKernelClient] = field(default_factory=list)

    @property
    def root(self) -> Path:
        return self.folder / "work"

    @cached_property
    def vault(self) -> VaultPaths:
        return open_vault(self.folder / "vault")

    @property
    def runtime(self) -> Path:
        return self.folder / "runtime"

    @property
    def log(self) -> str:
        return (self.folder / "server.log").read_text(errors="replace")

    def start(self) -> None:
        self.root.mkdir(parents=True, exist_ok=True)
        if not self.port:
            self.port = free_port()
        config = {
            "ServerApp": {
                "ip": "127.0.0.1",
                "port": self.port,
                "port_retries": 0,
                "base_url": "/user/ana/",
                "allow_root": True,
                "open_browser": False,
                "root_dir": str(self.root),
                # What else is installed only takes time to start.
                "jpserver_extensions": dict.fromkeys(_OTHERS, False) | {"tablevault_ext": True},
            },
            "IdentityProvider": {"token": self.token},
        }
        (self.folder / "jupyter_server_config.json").write_text(json.dumps(config))
        environment = os.environ | {
            "JUPYTER_RUNTIME_DIR": str(self.runtime),
            "JUPYTER_CONFIG_DIR": str(self.folder),
            "TABLEVAULT_HOME": str(self.vault.root),
        }
        with (self.folder / "server.log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "jupyter_server"],
                cwd=self.root,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        wait_until(self._answers, "the server answers", SLOW_MACHINE)

    def stop(self, number: int = signal.SIGTERM) -> None:
        for client in self.clients:
            client.stop_channels()
        self.clients.clear()
        if self.process is not None:
            self.process.send_signal(number)
            try:
                self.process.wait(SLOW_MACHINE)
            except subprocess.TimeoutExpired:
                # Now and then jupyter_server has stopped, but waits for ever for an anyio worker thread of its own.
                self.process.kill()
                self.process.wait()
            self.process = None

    def call(self, method: str, path: str, body: Any = None, status: int | None = None) -> Json:
        """One call below the base URL with the token; fails unless it answers with ``status`` (or any success)."""
        found, data = self.answer(method, path, body)
        assert found == status if status else found < 300, (found, data)
        return data

    def answer(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/user/ana/{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"token {self.token}"},
        )
        try:
            with urllib.request.urlopen(request, timeout=SLOW_MACHINE) as reply:
                return reply.status, json.loads(reply.read() or b"null")
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read() or b"null")

    def get(self, path: str) -> Json:
        return self.call("GET", f"tablevault/api/{path}")

    def processes(self) -> dict[str, Json]:
        """What the list shows, by name."""
        return {process["name"]: process for process in self.get("processes")["processes"]}

    def wait_for(self, name: str, *statuses: str) -> Json:
        def reached() -> Json | None:
            process = self.processes().get(name)
            return process if process is not None and process["status"] in statuses else None

        found: Json = wait_until(reached, f"{name} is shown as {' or '.join(statuses)}", SLOW_MACHINE)
        return found

    def open_notebook(self, path: str) -> tuple[Json, BlockingKernelClient]:
        """A session as JupyterLab makes it, and a client of its kernel."""
        (self.root / path).write_text(json.dumps({"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}))
        wanted = {"path": path, "name": path, "type": "notebook", "kernel": {"name": "python3"}}
        session = self.call("POST", "api/sessions", wanted)
        client = BlockingKernelClient(connection_file=str(self.runtime / f"kernel-{session['kernel']['id']}.json"))
        client.load_connection_file()
        client.start_channels()
        self.clients.append(client)
        wait_until(lambda: _is_ready(client), "the kernel is ready", SLOW_MACHINE)
        return session, client

    def _answers(self) -> bool:
        if self.process is not None and self.process.poll() is not None:
            raise AssertionError(f"the server did not start:\n{self.log}")
        try:
            return self.answer("GET", "tablevault/api/status")[0] == 200
        except OSError:
            time.sleep(0.1)
            return False


def _is_ready(client: BlockingKernelClient) -> bool:
    try:
        client.wait_for_ready(timeout=60)
        return True
    except RuntimeError:  # its heart began to beat, but not yet evenly
        return False


def run(client: BlockingKernelClient, cell: str) -> Json:
    """Execute a cell, again if ipykernel still aborted what came after a stop; its reply's content."""

    def once() -> Json | None:
        reply = client.execute_interactive(cell, timeout=SLOW_MACHINE, allow_stdin=False, output_hook=lambda _: None)
        content: Json = reply["content"]
        return None if content["status"] == "aborted" else content

    content: Json = wait_until(once, "the kernel takes the cell", SLOW_MACHINE)
    return content


def run_all(client: BlockingKernelClient, *cells: str) -> list[str]:
    """Queue all cells at once, as Run All does; their message ids."""
    return [client.execute(textwrap.dedent(cell), allow_stdin=False) for cell in cells]
