"""Waiting for a process to end, without looking again and again where the system allows."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import threading
from collections.abc import Callable
from typing import Any

from .reaper import watch


class Exit:
    """The end of one child process."""

    def __init__(self, child: subprocess.Popen[bytes]) -> None:
        self._child = child
        self._fd = _open_pidfd(child.pid)

    def wait(self, seconds: float) -> int | None:
        """Wait at most so long; its exit code, or None while it runs."""
        if self._fd is None:
            try:
                return self._child.wait(max(seconds, 0.0))
            except subprocess.TimeoutExpired:
                return None
        poll = select.poll()
        poll.register(self._fd, select.POLLIN)
        if not poll.poll(max(seconds, 0.0) * 1000):
            return self._child.returncode
        return self._child.wait()

    def tell(self, ended: Callable[[], Any]) -> None:
        """Call ``ended()`` from another thread when it has ended."""
        if self._fd is not None:
            watch(self._fd, ended)
            return

        def wait_here() -> None:
            self._child.wait()
            ended()

        threading.Thread(target=wait_here, name="tablevault-wait", daemon=True).start()

    def close(self) -> None:
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None


def _open_pidfd(pid: int) -> int | None:
    if not hasattr(os, "pidfd_open"):
        return None
    try:
        return os.pidfd_open(pid)
    except OSError:
        return None  # an old kernel, or a sandbox


def describe_exit(code: int | None) -> str:
    """Words for an exit code."""
    if code is None:
        return "an unknown exit code"
    if code >= 0:
        return f"exit code {code}"
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"
