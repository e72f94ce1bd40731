"""Record every cell of an IPython session through its own events."""

from __future__ import annotations

import ast
import functools
import logging
import os
import re
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ..errors import ExecutionStopped
from ..journal.writer import JournalWriter
from ..model import CellStatus, now_us
from .output import OutputTails
from .process import ENV_PARENT_CELL
from .tracebacks import describe_error

log = logging.getLogger("tablevault_ext")

PRIVATE_MAGIC = "%%vault_private"


@dataclass(slots=True)
class OpenCell:
    """A cell that runs now."""

    seq: int
    info: Any
    started_at: int
    clock: float
    private: bool
    execution_count: int | None
    refusal: BaseException | None = None
    shown: dict[str, str] = field(default_factory=dict)  # the first traceback that IPython showed inside it


class NotebookRecorder:
    """Journals the cells of one IPython shell.

    Args:
        before_cell, after_cell: the automatic checkpoints; what they raise refuses, or aborts, the cell.

    Cells are keyed by their `info` object and stacked by thread: with subshells two cells really run at once.
    """

    def __init__(
        self,
        shell: Any,
        journal: JournalWriter,
        *,
        before_cell: Callable[[], None] = lambda: None,
        after_cell: Callable[[], None] = lambda: None,
    ) -> None:
        self.shell = shell
        self.outputs = OutputTails(shell, journal)
        self._journal = journal
        self._before_cell = before_cell
        self._after_cell = after_cell
        self._lock = threading.Lock()
        self._next_seq = 0
        self._open: dict[int, list[OpenCell]] = {}
        self._last_activity = time.monotonic()
        self._loading_since = now_us()
        self._pre = _guarded(self._pre_run_cell)
        self._post = _guarded(self._post_run_cell)
        self._gatekeeper = _Gatekeeper(self)
        self._our_showtraceback: Any = None
        self.attached = False

    # Attaching

    def attach(self) -> None:
        """Register with the shell; a second call changes nothing."""
        if self.attached:
            return
        self.attached = True
        self._loading_since = now_us()
        self.shell.events.register("pre_run_cell", self._pre)
        self.shell.events.register("post_run_cell", self._post)
        self.shell.ast_transformers.append(self._gatekeeper)
        self._watch_tracebacks()
        self.outputs.attach()

    def detach(self) -> None:
        """Leave the shell as it was found."""
        if not self.attached:
            return
        self.attached = False
        self.shell.events.unregister("pre_run_cell", self._pre)
        self.shell.events.unregister("post_run_cell", self._post)
        if self._gatekeeper in self.shell.ast_transformers:
            self.shell.ast_transformers.remove(self._gatekeeper)
        if self.shell.__dict__.get("_showtraceback") is self._our_showtraceback:
            del self.shell._showtraceback
        self.outputs.detach()

    def _watch_tracebacks(self) -> None:
        """See the errors that never reach a cell's result: `%run`, display, nested cells.

        The class attribute is looked up on every call: IPython's tests, and others, replace it there.
        """
        shell = self.shell

        @functools.wraps(type(shell)._showtraceback)
        def _showtraceback(etype: Any, evalue: Any, stb: Any, *args: Any, **kwargs: Any) -> Any:
            try:
                self._note_shown(evalue)
            except Exception:
                log.exception("an error that IPython showed could not be recorded")
            return type(shell)._showtraceback(shell, etype, evalue, stb, *args, **kwargs)

        self._our_showtraceback = _showtraceback
        shell._showtraceback = _showtraceback

    # What others ask

    @property
    def idle(self) -> bool:
        """No cell runs."""
        return not self._open

    def idle_for(self) -> float:
        """Seconds since the last cell ended; 0.0 while one runs."""
        return 0.0 if self._open else time.monotonic() - self._last_activity

    def runs_here(self) -> bool:
        """Whether the calling thread is one that runs a cell (or the main thread, between cells)."""
        return threading.get_ident() in self._open or (
            not self._open and threading.current_thread() is threading.main_thread()
        )

    def current_cell(self) -> OpenCell | None:
        """The cell that the calling thread runs, else any that runs, else None."""
        stack = self._open.get(threading.get_ident())
        if stack:
            return stack[-1]
        return next((cells[-1] for cells in list(self._open.values()) if cells), None)

    def current_seq(self) -> int | None:
        cell = self.current_cell()
        return cell.seq if cell is not None else None

    def line(self) -> int | None:
        """Where the running cell is, for those who wait."""
        return next((_users_line(thread_id) for thread_id in list(self._open)), None)

    # The events

    def _pre_run_cell(self, info: Any) -> None:
        cell = self._start(info, now_us())
        try:
            self._before_cell()
        except BaseException as refusal:
            cell.refusal = refusal

    def _start(self, info: Any, at: int) -> OpenCell:
        code = info.raw_cell or ""
        private = code.lstrip().startswith(PRIVATE_MAGIC)
        count = self.shell.execution_count
        if getattr(info, "store_history", False):
            count -= 1  # in *pre* the shell counts the next cell already
        with self._lock:
            seq = self._next_seq
            self._next_seq += 1
        cell = OpenCell(seq, info, at, time.perf_counter(), private, count)
        self._open.setdefault(threading.get_ident(), []).append(cell)
        os.environ[ENV_PARENT_CELL] = str(seq)
        fields: dict[str, Any] = {"seq": seq, "code": PRIVATE_MAGIC if private else code, "execution_count": count}
        cell_id = getattr(info, "cell_id", None)
        if cell_id is not None:
            fields["cell_id"] = cell_id
        if private:
            fields["private"] = True
        self._journal.append_at(at, "cell_started", fields)
        self.outputs.cell_started(seq, private=private)
        return cell

    def _post_run_cell(self, result: Any) -> None:
        stack = self._open.get(threading.get_ident(), [])
        if result is None:
            # IPython itself failed over this cell (an error whose __str__ raises): there is no result to look at.
            for cell in reversed(stack):
                self._finish(cell, CellStatus.ERROR, None, cell.shown)
            self._open.pop(threading.get_ident(), None)
            return
        info = result.info
        if not any(_same(cell.info, info) for cell in stack):
            if not (info.raw_cell or "").strip():
                return
            # The cell that loaded us: it began before we listened.
            self._start(info, self._loading_since)
            stack = self._open[threading.get_ident()]
        while stack:
            cell = stack.pop()
            if _same(cell.info, info):
                break
            self._finish(cell, CellStatus.ABORTED, None, None)  # a nested cell that never came back
        if not stack:
            self._open.pop(threading.get_ident(), None)
        # Recorded first, as it was; then the checkpoint after it, which may take its time.
        error = result.error_before_exec or result.error_in_exec
        if cell.info is not info and cell.shown:
            error = None  # IPython failed over the user's error: theirs, which was shown, is the one to keep
        if cell.refusal is not None or isinstance(error, ExecutionStopped):
            status = CellStatus.ABORTED
        else:
            status = CellStatus.ERROR if error is not None or cell.shown else CellStatus.OK
        cell.execution_count = result.execution_count or cell.execution_count
        self._finish(cell, status, cell.refusal or error, cell.shown)
        self._last_activity = time.monotonic()
        if not stack:
            self._checkpoint_after(result)

    def _finish(
        self, cell: OpenCell, status: CellStatus, error: BaseException | None, shown: dict[str, str] | None
    ) -> None:
        fields: dict[str, Any] = {
            "seq": cell.seq,
            "status": status.value,
            "duration": round(time.perf_counter() - cell.clock, 6),
            "execution_count": cell.execution_count,
        }
        if isinstance(error, ExecutionStopped):
            fields |= {"error_type": "ExecutionStopped", "error_message": str(error), "traceback": f"⏹ {error}"}
        elif error is not None:
            fields |= describe_error(error, private=cell.private)
        elif shown and not cell.private:
            fields |= shown
        self._journal.append("cell_finished", **fields)

    def _checkpoint_after(self, result: Any) -> None:
        """The automatic checkpoint after a cell. A stop makes this cell fail, which aborts the queue."""
        try:
            self._after_cell()
        except BaseException as stop:
            if result.error_in_exec is None and result.error_before_exec is None:
                self.shell.showtraceback((type(stop), stop, None))
                result.error_in_exec = stop

    def _note_shown(self, error: Any) -> None:
        stack = self._open.get(threading.get_ident())
        # The first counts: what IPython shows after it may be its own failure over the first.
        if (
            stack
            and not stack[-1].shown
            and isinstance(error, BaseException)
            and not isinstance(error, ExecutionStopped | _Refused)
        ):
            stack[-1].shown = describe_error(error)

    def refusal_here(self) -> BaseException | None:
        stack = self._open.get(threading.get_ident())
        return stack[-1].refusal if stack else None


class _Gatekeeper(ast.NodeTransformer):
    """Refuses a cell before it runs: an AST transformer may, by raising an InputRejected, sync cell or not."""

    def __init__(self, recorder: NotebookRecorder) -> None:
        self._recorder = recorder

    def visit(self, node: ast.AST) -> Any:
        refusal = self._recorder.refusal_here()
        if refusal is not None:
            raise _refused_class(type(refusal).__name__)(refusal)
        return node


class _Refused(Exception):
    """Marks the refusal of a cell, whichever class IPython needs it to be."""


@functools.cache
def _refused_class(name: str) -> type[_Refused]:
    """The class of a refusal, under its cause's name: the kernel's reply then says the same as the vault."""
    from IPython.core.error import InputRejected

    class Refused(_Refused, InputRejected):
        """The cell was not run; shown as one line."""

        def _render_traceback_(self) -> list[str]:
            cause = self.args[0]
            if _is_interrupt(cause):
                return ["KeyboardInterrupt: the pause was ended by Ctrl-C; this cell was not run"]
            return [f"⏹ {cause}; this cell was not run"]

        def __str__(self) -> str:
            return str(self.args[0])

    return type(name, (Refused,), {})


def _same(before: Any, after: Any) -> bool:
    """Whether two infos are of one cell: IPython makes a new one when it fails over an error's __str__."""
    return before is after or (before.raw_cell is after.raw_cell and bool(before.raw_cell))


def _is_interrupt(error: BaseException) -> bool:
    return isinstance(error, KeyboardInterrupt)


def _guarded(callback: Callable[[Any], None]) -> Callable[[Any], None]:
    """Wrap a callback so that nothing it raises reaches IPython.

    IPython would print the callback's arguments, and with them call the user's `__repr__`; if that raises too,
    the reply is never sent and the front end hangs.
    """

    failed_before = False

    def guarded(argument: Any) -> None:
        nonlocal failed_before
        try:
            callback(argument)
        except Exception:
            # Said once, aloud; a notebook is not the place for the same traceback after every cell.
            level = logging.DEBUG if failed_before else logging.ERROR
            failed_before = True
            log.log(level, "cells cannot be recorded", exc_info=True)

    return guarded


_CELL_FILE = re.compile(r"^<ipython-input|[/\\]ipykernel_\d+[/\\]")


def _users_line(thread_id: int) -> int | None:
    """The line at which a thread stands in the outermost frame of the user's cell."""
    frame = sys._current_frames().get(thread_id)
    line = None
    while frame is not None:
        if _CELL_FILE.search(frame.f_code.co_filename):
            line = frame.f_lineno
        frame = frame.f_back
    return line
