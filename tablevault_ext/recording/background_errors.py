"""Errors that no cell and no excepthook sees: of threads, and of asyncio tasks that nobody awaited."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any

from ..errors import ExecutionStopped
from ..journal.writer import JournalWriter
from .tracebacks import describe_error


class BackgroundErrors:
    """Journals them as `error_seen`, and lets them be shown as before."""

    def __init__(self, journal: JournalWriter, current_seq: Callable[[], int | None]) -> None:
        self._journal = journal
        self._current_seq = current_seq
        self._handler = _TaskErrors(self._note)
        self._previous: Any = None

    def attach(self) -> None:
        if self._previous is not None:
            return
        self._previous = threading.excepthook
        threading.excepthook = self._thread_hook
        # asyncio reports lost errors through its logger, whichever loop and whichever exception handler.
        logging.getLogger("asyncio").addHandler(self._handler)

    def detach(self) -> None:
        if self._previous is None:
            return
        if threading.excepthook == self._thread_hook:
            threading.excepthook = self._previous
        self._previous = None
        logging.getLogger("asyncio").removeHandler(self._handler)

    def _thread_hook(self, args: Any) -> None:
        if isinstance(args.exc_value, ExecutionStopped):
            return  # a thread that met a stop ends quietly
        if args.exc_value is not None and not isinstance(args.exc_value, SystemExit):
            name = args.thread.name if args.thread is not None else ""
            self._note(args.exc_value, f"thread {name}".strip())
        if self._previous is not None:
            self._previous(args)

    def _note(self, error: BaseException, source: str) -> None:
        try:
            self._journal.append("error_seen", seq=self._current_seq(), source=source, **describe_error(error))
        except Exception:
            logging.getLogger("tablevault_ext").exception("a background error could not be recorded")


class _TaskErrors(logging.Handler):
    def __init__(self, note: Callable[[BaseException, str], None]) -> None:
        super().__init__(logging.ERROR)
        self._note = note

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        if error is not None:
            self._note(error, "task")
