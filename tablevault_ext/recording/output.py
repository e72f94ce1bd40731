"""The end of what each cell printed, taken from ipykernel's streams as they are flushed."""

from __future__ import annotations

import sys
import threading
import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

from ..journal.writer import JournalWriter

TAIL = 8192
"""Characters kept of each cell's output."""
_CELLS = 16  # late output of older cells is let go


@dataclass(slots=True)
class _Tail:
    seq: int
    private: bool
    text: str = ""
    written: str = ""
    changed: float = 0.0


class OutputTails:
    """Collects output in ipykernel's own I/O thread, which costs the cell nothing.

    `journal_changes` is called by the session's watching thread, and once at the end.
    """

    def __init__(self, shell: Any, journal: JournalWriter) -> None:
        self._shell = shell
        self._journal = journal
        self._tails: OrderedDict[str, _Tail] = OrderedDict()  # by the id of the message that made the cell run
        self._lock = threading.Lock()
        self._streams: list[Any] = []

    def attach(self) -> None:
        for stream in (sys.stdout, sys.stderr):
            thread = getattr(stream, "pub_thread", None)
            if thread is not None and hasattr(stream, "register_hook"):
                self._streams.append(stream)
                # Hooks are thread-local: it has to be registered in the thread that flushes.
                thread.schedule(lambda stream=stream: stream.register_hook(self._hook))
        displayhook: Any = getattr(self._shell, "displayhook", None)
        if self._streams and hasattr(displayhook, "register_hook"):
            self._streams.append(displayhook)
            displayhook.register_hook(self._hook)

    def detach(self) -> None:
        for stream in self._streams:
            thread = getattr(stream, "pub_thread", None)
            if thread is not None:
                thread.schedule(lambda stream=stream: stream.unregister_hook(self._hook))
            else:
                stream.unregister_hook(self._hook)
        self._streams.clear()

    def cell_started(self, seq: int, *, private: bool) -> None:
        if not self._streams:
            return
        parent = getattr(self._streams[0], "parent_header", None) or {}
        message_id = parent.get("msg_id") or parent.get("header", {}).get("msg_id")
        if message_id is None:
            return
        with self._lock:
            self._tails[message_id] = _Tail(seq, private)
            while len(self._tails) > _CELLS:
                self._tails.popitem(last=False)

    def journal_changes(self, *, quiet_for: float = 0.25, at_least_every: float = 2.0) -> None:
        """Write the tails that changed and have been quiet for a moment, or have waited for long."""
        if not self._tails:
            return
        now = time.monotonic()
        with self._lock:
            due = [
                tail
                for tail in self._tails.values()
                if tail.text != tail.written and (now - tail.changed >= quiet_for or now % at_least_every < 0.25)
            ]
            words = [(tail.seq, tail.text) for tail in due]
            for tail in due:
                tail.written = tail.text
        for seq, text in words:
            self._journal.append("cell_output", seq=seq, output_tail=text)

    def _hook(self, message: dict[str, Any]) -> dict[str, Any]:
        content = message.get("content", {})
        text = content.get("text") or content.get("data", {}).get("text/plain") or ""
        message_id = (message.get("parent_header") or {}).get("msg_id")
        with self._lock:
            tail = self._tails.get(message_id) if message_id else None
            if tail is not None and not tail.private and text:
                tail.text = (tail.text + text)[-TAIL:]
                tail.changed = time.monotonic()
        return message
