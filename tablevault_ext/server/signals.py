"""Change signals: ids and counters on Jupyter Server's own event stream, emitted from its loop."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import Any

log = logging.getLogger("tablevault_ext")

SCHEMA = Path(__file__).parent / "events" / "changed.yaml"
SCHEMA_ID = "https://schema.tablevault.dev/changed/v1"


class ChangeSignals:
    """Emits from any thread; what comes while an emit is due goes along with it."""

    def __init__(self, event_logger: Any, loop: asyncio.AbstractEventLoop) -> None:
        self._logger = event_logger
        self._loop = loop
        self._waiting: tuple[int, set[str], set[str] | None] | None = None
        event_logger.register_event_schema(SCHEMA)

    def emit(self, revision: int, parts: set[str], process_ids: set[str] | None) -> None:
        """Say that these parts of these processes (None: of many) changed."""
        try:
            self._loop.call_soon_threadsafe(self._collect, revision, set(parts), process_ids and set(process_ids))
        except RuntimeError:
            log.debug("the server is closing; a change signal was not sent")

    def _collect(self, revision: int, parts: set[str], process_ids: set[str] | None) -> None:
        if self._waiting is None:
            self._waiting = (revision, parts, process_ids)
            self._loop.call_soon(self._send)
            return
        before, others, ids = self._waiting
        both = None if ids is None or process_ids is None else ids | process_ids
        self._waiting = (max(before, revision), others | parts, both)

    def _send(self) -> None:
        if self._waiting is None:
            return
        (revision, parts, process_ids), self._waiting = self._waiting, None
        data: dict[str, Any] = {"revision": revision, "parts": sorted(parts)}
        if process_ids is not None and len(process_ids) <= 50:
            data["process_ids"] = sorted(process_ids)
        self._logger.emit(schema_id=SCHEMA_ID, data=data)
