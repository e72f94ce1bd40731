"""Record a script: its source at the start, its uncaught error, how it ended."""

from __future__ import annotations

import atexit
import logging
import opcode
import os
import sys
import threading
import time
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any

from ..errors import ExecutionStopped
from ..model import STOPPED_EXIT_CODE, CellStatus, Status
from .process import RecordedProcess
from .tracebacks import describe_error

log = logging.getLogger("tablevault_ext")


class ScriptRecorder:
    """Journals one script as one cell, and the ending of its process.

    Python tells an excepthook of errors but not of SystemExit, and atexit not the exit code; hence the wrapped
    `sys.exit`, and the look at the main frame. The whole truth needs `tablevault run`.
    """

    def __init__(self, process: RecordedProcess, was_stopped: Callable[[], bool] = lambda: False) -> None:
        self._process = process
        self._was_stopped = was_stopped
        self._clock = time.perf_counter()
        self._error: BaseException | None = None
        self._exit_code: int | None = None
        self._exit_text: str | None = None
        self._main = _main_frame()
        self._saw_exit = False
        self.before_end: list[Callable[[], Any]] = []
        process.journal.append("cell_started", seq=0, code=process.origin.code, execution_count=None)

    def attach(self) -> None:
        self._previous_hook = sys.excepthook
        sys.excepthook = self._excepthook
        self._previous_exit: Callable[[Any], Any] = sys.exit
        sys.exit = self._exit  # type: ignore[assignment]
        # Registered first, run last: the user's own atexit functions are part of the script.
        atexit.register(self._at_exit)

    def _excepthook(self, kind: type[BaseException], error: BaseException, tb: TracebackType | None) -> None:
        self._error = error.with_traceback(tb)
        if isinstance(error, ExecutionStopped):
            print(f"⏹ {error}", file=sys.stderr)
            # Python turns this into a quiet exit with that code, atexit included.
            raise SystemExit(STOPPED_EXIT_CODE)
        self._previous_hook(kind, error, tb)

    def _exit(self, status: Any = None, /) -> None:
        self._exit_code, self._exit_text = _exit_code(status)
        self._previous_exit(status)

    def note_exit(self, status: Any) -> None:
        """The script left by SystemExit, as whoever ran it saw (`tablevault run`)."""
        self._saw_exit = True
        self._exit_code, self._exit_text = _exit_code(status)

    def _at_exit(self) -> None:
        if os.getpid() != self._process.pid:
            return  # a forked child runs its parent's atexit functions, too
        for step in self.before_end:
            try:
                step()
            except Exception:
                log.exception("a last step of %s failed", self._process.name)
        status, code, error = self._ending()
        self._finish_cell(status)
        self._process.end(status, exit_code=code, error=error)

    def _ending(self) -> tuple[Status, int | None, str | None]:
        if isinstance(self._error, ExecutionStopped):
            return Status.STOPPED, STOPPED_EXIT_CODE, str(self._error)
        if isinstance(self._error, KeyboardInterrupt):
            return Status.FAILED, None, "KeyboardInterrupt"
        if self._error is not None:
            words = describe_error(self._error)
            return Status.FAILED, 1, f"{words['error_type']}: {words['error_message']}".removesuffix(": ")
        if not self._saw_exit and _ran_to_its_end(self._main):
            return Status.FINISHED, 0, None
        if self._exit_code is None:
            return Status.FINISHED, None, "it raised SystemExit itself; its exit code is seen only by `tablevault run`"
        if self._exit_code == STOPPED_EXIT_CODE and self._was_stopped():
            return Status.STOPPED, self._exit_code, None
        return (Status.FAILED if self._exit_code else Status.FINISHED), self._exit_code, self._exit_text

    def _finish_cell(self, status: Status) -> None:
        outcome = {Status.FAILED: CellStatus.ERROR, Status.STOPPED: CellStatus.ABORTED}.get(status, CellStatus.OK)
        words = describe_error(self._error) if self._error is not None else {}
        duration = round(time.perf_counter() - self._clock, 6)
        self._process.journal.append("cell_finished", seq=0, status=outcome.value, duration=duration, **words)


def _exit_code(status: Any) -> tuple[int, str | None]:
    """What Python makes of sys.exit's argument."""
    if status is None:
        return 0, None
    if isinstance(status, int):
        return int(status) & 0xFF, None
    return 1, str(status)


def _main_frame() -> FrameType | None:
    """The frame of the main module, if the main thread is in it now."""
    if threading.current_thread() is not threading.main_thread():
        return None
    main = sys.modules.get("__main__")
    frame: FrameType | None = sys._getframe()
    while frame is not None:
        if frame.f_code.co_name == "<module>" and main is not None and frame.f_globals is vars(main):
            return frame
        frame = frame.f_back
    return None


def _ran_to_its_end(frame: FrameType | None) -> bool:
    """Whether a finished frame left by returning: its last instruction then is a return."""
    if frame is None or frame.f_lasti < 0:
        return frame is None
    name = opcode.opname[frame.f_code.co_code[frame.f_lasti]]
    return name.startswith("RETURN_")
