"""Start a real `jupyter lab` on a free port of this machine, and end it."""

from __future__ import annotations

import contextlib
import json
import os
import random
import secrets
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

START_SECONDS = 180.0
SLOW_MACHINE = 90.0  # seconds; every wait ends as soon as its condition holds


@dataclass
class Lab:
    """A running JupyterLab. `restart()` ends it and starts it again on the same port."""

    directory: Path
    extensions: dict[str, bool]
    environment: dict[str, str]
    token: str = field(default_factory=lambda: secrets.token_hex(16))
    port: int = 0
    process: subprocess.Popen[bytes] | None = None

    @property
    def root(self) -> Path:
        """The working directory that the file browser shows."""
        return self.directory / "work"

    @property
    def base_url(self) -> str:
        # A base URL of its own, because JupyterHub gives every user one.
        return f"http://127.0.0.1:{self.port}/user/ana/"

    @property
    def url(self) -> str:
        return f"{self.base_url}lab?token={self.token}&reset"

    @property
    def log(self) -> str:
        return (self.directory / "server.log").read_text(errors="replace")

    def start(self) -> None:
        runtime = self.directory / "runtime"
        with (self.directory / "server.log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "jupyterlab"],
                cwd=self.root,
                env={**os.environ, **self.environment, "JUPYTER_RUNTIME_DIR": str(runtime)},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"jupyter lab did not start:\n{self.log}")
            time.sleep(0.1)

    def stop(self, number: int = signal.SIGTERM) -> None:
        if self.process is not None:
            self.process.send_signal(number)
            try:
                self.process.wait(60)
            except subprocess.TimeoutExpired:
                # Now and then jupyter_server has stopped, but waits for ever for an anyio worker thread of its own.
                self.process.kill()
                self.process.wait()
            self.process = None

    def restart(self) -> None:
        self.stop()
        self.start()

    def call(self, path: str, body: object = None) -> Any:
        """One call to the server: POST with a body, GET without."""
        data = None if body is None else json.dumps(body).encode()
        headers = {"Authorization": f"token {self.token}"}
        request = urllib.request.Request(f"{self.base_url}{path}", data, headers)
        with urllib.request.urlopen(request, timeout=SLOW_MACHINE) as answer:
            return json.loads(answer.read() or b"null")

    def configure(self) -> None:
        config = {
            "ServerApp": {
                "ip": "127.0.0.1",
                "port": self.port,
                "port_retries": 0,
                "base_url": "/user/ana/",
                "allow_root": True,
                "open_browser": False,
                "root_dir": str(self.root),
                "jpserver_extensions": self.extensions,
            },
            "IdentityProvider": {"token": self.token},
            "LabApp": {
                "expose_app_in_browser": True,
                "user_settings_dir": str(self.directory / "settings"),
                "workspaces_dir": str(self.directory / "workspaces"),
            },
        }
        folder = self.directory / "config"
        folder.mkdir(exist_ok=True)
        (folder / "jupyter_server_config.json").write_text(json.dumps(config))

    def _answers(self) -> bool:
        request = urllib.request.Request(f"{self.base_url}api/status?token={self.token}")
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return False


@contextmanager
def running_lab(
    directory: Path, extensions: dict[str, bool] | None = None, environment: dict[str, str] | None = None
) -> Iterator[Lab]:
    """A JupyterLab in `directory`, without the news popup; ended afterwards."""
    quiet = directory / "settings" / "@jupyterlab" / "apputils-extension"
    quiet.mkdir(parents=True)
    (quiet / "notification.jupyterlab-settings").write_text('{"fetchNews": "false"}')
    (directory / "work").mkdir()
    own = {"TABLEVAULT_HOME": str(directory / "vault"), "JUPYTER_CONFIG_DIR": str(directory / "config")}
    lab = Lab(directory, extensions or {"tablevault_ext": True}, {**own, **(environment or {})}, port=free_port())
    try:
        lab.configure()
        lab.start()
        yield lab
    finally:
        lab.stop()


def free_port() -> int:
    """A free port that stays free while its server is down: the system gives those from 32768 on to whoever asks."""
    while True:
        port = random.randrange(20_000, 32_000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
