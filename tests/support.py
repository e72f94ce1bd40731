"""Real kernels and real scripts for the tests, and waiting for conditions instead of for seconds."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import KernelManager

from tablevault_ext.errors import UnknownProcess
from tablevault_ext.journal.lines import decode_line
from tablevault_ext.journal.names import resolve
from tablevault_ext.journal.process_state import read_process
from tablevault_ext.journal.reader import read_lines
from tablevault_ext.model import Process
from tablevault_ext.paths import VaultPaths

DEADLINE = 60.0


def wait_until(condition: Callable[[], Any], what: str = "the condition", timeout: float = DEADLINE) -> Any:
    """Return the condition's first true value; fail, naming it, when the deadline passes."""
    end = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < end, f"{what} did not come true within {timeout} s"
        time.sleep(0.01)


def process_named(paths: VaultPaths, name: str) -> Process | None:
    """The process as it stands now, or None while nobody has that name."""
    try:
        return read_process(paths, resolve(paths, name))
    except UnknownProcess:
        return None


def wait_for_status(paths: VaultPaths, name: str, *statuses: str) -> Process:
    def reached() -> Process | None:
        process = process_named(paths, name)
        return process if process is not None and process.status in statuses else None

    return wait_until(reached, f"{name} is {' or '.join(statuses)}")


def events(paths: VaultPaths, process: Process | str, kind: str = "") -> list[dict[str, Any]]:
    """The journal of a process, as far as it is written; only events of one type when given."""
    process_id = process if isinstance(process, str) else process.process_id
    lines = (decode_line(line) for _, line in read_lines(paths.journal(process_id)))
    return [event for event in lines if event is not None and event["e"].startswith(kind)]


def start_script(folder: Path, code: str, *arguments: str, name: str = "script.py", **options: Any) -> Any:
    """Start a real Python script; its output is piped and text."""
    path = folder / name
    path.write_text(textwrap.dedent(code))
    return subprocess.Popen(
        [sys.executable, str(path), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=folder,
        **options,
    )


def run_script(folder: Path, code: str, *arguments: str, name: str = "script.py") -> subprocess.CompletedProcess[str]:
    """Run a real script to its end."""
    child = start_script(folder, code, *arguments, name=name)
    out, err = child.communicate(timeout=60)
    return subprocess.CompletedProcess(child.args, child.returncode, out, err)


@contextmanager
def running_script(folder: Path, code: str, *arguments: str, **options: Any) -> Iterator[Any]:
    """The same, ended at the latest when the block is left."""
    child = start_script(folder, code, *arguments, **options)
    try:
        yield child
    finally:
        if child.poll() is None:
            child.kill()
        child.communicate()


@dataclass
class Reply:
    """What a cell gave back: the reply's status and the texts that came over IOPub."""

    status: str
    ename: str | None
    texts: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        return "\n".join(self.texts)


class Kernel:
    """One real ipykernel."""

    def __init__(self, cwd: Path, env: dict[str, str] | None = None) -> None:
        self.manager = KernelManager(kernel_name="python3")
        self.manager.start_kernel(cwd=str(cwd), env=dict(os.environ) | (env or {}), stdout=subprocess.DEVNULL)
        self.client: BlockingKernelClient = self.manager.client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=60)

    @property
    def pid(self) -> int:
        return self.manager.provisioner.pid

    def run(self, code: str, timeout: float = DEADLINE, **options: Any) -> Reply:
        """Execute a cell and wait for its reply.

        After an error ipykernel aborts what arrives while it still empties its queue, also cells that were sent when
        the error's reply was there already. Such a cell did not run: it is sent again.
        """
        return wait_until(lambda: self._run_once(code, timeout, **options), "the kernel takes the cell")

    def _run_once(self, code: str, timeout: float, **options: Any) -> Reply | None:
        texts: list[str] = []

        def collect(message: dict[str, Any]) -> None:
            texts.extend(_texts(message))

        reply = self.client.execute_interactive(
            textwrap.dedent(code), timeout=timeout, output_hook=collect, allow_stdin=False, **options
        )
        content = reply["content"]
        return None if content["status"] == "aborted" else Reply(content["status"], content.get("ename"), texts)

    def send(self, code: str) -> str:
        """Queue a cell; its message id."""
        return self.client.execute(textwrap.dedent(code), allow_stdin=False)

    def reply_to(self, message_id: str, timeout: float = DEADLINE) -> dict[str, Any]:
        """The reply's content for a queued cell."""
        end = time.monotonic() + timeout
        while True:
            message = self.client.get_shell_msg(timeout=max(0.01, end - time.monotonic()))
            if message["parent_header"].get("msg_id") == message_id:
                return message["content"]

    def texts_until_idle(self, message_id: str, timeout: float = DEADLINE) -> list[str]:
        """Everything that came over IOPub for a message, until the kernel was done with it."""
        end, texts = time.monotonic() + timeout, []
        while True:
            message = self.client.get_iopub_msg(timeout=max(0.01, end - time.monotonic()))
            if message["parent_header"].get("msg_id") != message_id:
                continue
            if message["msg_type"] == "status" and message["content"]["execution_state"] == "idle":
                return texts
            texts.extend(_texts(message))

    def close(self) -> None:
        self.client.stop_channels()
        if self.manager.has_kernel:
            self.manager.shutdown_kernel(now=True)
        self.manager.cleanup_resources()


def _texts(message: dict[str, Any]) -> list[str]:
    content = message["content"]
    if message["msg_type"] == "stream":
        return [content["text"]]
    if message["msg_type"] == "error":
        return ["\n".join(content["traceback"])]
    if message["msg_type"] in ("execute_result", "display_data"):
        return [content["data"].get("text/plain", "")]
    return []
