"""The recorded life of this OS process: one object that joins recording and control.

A room imports no other room; this is where they meet. There is one session a process. A forked child gets its
own at its first checkpoint or record.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import getpass
import logging
import multiprocessing
import multiprocessing.util
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

from .control.checkpoint import Checkpoints
from .control.own_children import OwnChildren, Together
from .errors import ExecutionStopped, WorkerStopped
from .journal.writer import JournalWriter
from .model import Kind, Status
from .paths import VaultPaths
from .recording.background_errors import BackgroundErrors
from .recording.notebook import NotebookRecorder
from .recording.on_import import when_imported
from .recording.origin import Origin, find_origin, running_shell
from .recording.process import RecordedProcess
from .recording.progress import Progress, track
from .recording.script import ScriptRecorder
from .recording.tqdm_bars import TqdmBars
from .watcher import Watcher

if TYPE_CHECKING:
    from .actor_host import ActorHost

T = TypeVar("T")
log = logging.getLogger("tablevault_ext")

_session: Session | None = None


def current_session() -> Session | None:
    """The session of this process, if it is recorded."""
    return _session


def start_session(
    paths: VaultPaths,
    *,
    name: str | None = None,
    user_id: str = "",
    parent: tuple[str, int | None] | None = None,
    description: str = "",
    origin: Origin | None = None,
) -> Session:
    """Begin to record this process. To be called once; see `Vault` for the rules about arguments."""
    global _session
    found = origin or find_origin()
    if origin is None and multiprocessing.parent_process() is not None:
        # A spawned worker runs its parent's main module again: it is a worker, whatever name that gives.
        found = Origin(Kind.WORKER, f"{name or found.name}.worker", found.path)
        name = None
    process = RecordedProcess(
        paths, found, name=name, user_id=user_id or default_user(), parent=parent, description=description
    )
    _session = Session(process)
    _session.begin()
    return _session


@functools.cache
def default_user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return str(os.getuid()) if hasattr(os, "getuid") else ""


class Session:
    """What this process records, and how it is controlled."""

    def __init__(self, process: RecordedProcess) -> None:
        self.process = process
        self.shell: Any = running_shell() if process.origin.kind is Kind.NOTEBOOK else None
        self.notebook: NotebookRecorder | None = None
        self.script: ScriptRecorder | None = None
        self.checkpoints: Checkpoints | None = None
        self.at_end: list[Callable[[], Any]] = []
        self._record_lists: set[str] = set()
        self._watcher: Watcher | None = None
        self._children: OwnChildren | None = None
        self._bars = TqdmBars(self._journal)
        self._own_progress: Progress | None = None
        self.actors: ActorHost | None = None
        if process.block is not None:
            self.checkpoints = Checkpoints(
                process.paths,
                process.process_id,
                process.name,
                process.journal,
                process.block,
                is_boss=self._is_boss,
                stop_error=_stop_error(),
            )
            self.checkpoints.children = self._children = OwnChildren(process.paths, process.process_id)

    # Beginning

    def begin(self) -> None:
        if self.shell is not None:
            self._begin_notebook()
        elif self.process.origin.kind is Kind.WORKER:
            _at_worker_end(self._end_worker)
        else:
            self._begin_script()
        self.background_errors = BackgroundErrors(self.process.journal, self.current_seq)
        self.background_errors.attach()
        self._bars.attach()
        when_imported("tablevault_ext.actors", lambda module: self._meet_actors())
        _watch_forks()

    def _begin_notebook(self) -> None:
        checkpoints = self.checkpoints
        self.notebook = NotebookRecorder(
            self.shell,
            self.process.journal,
            before_cell=self._before_cell if checkpoints else _nothing,
            after_cell=self._after_cell if checkpoints else _nothing,
        )
        self.notebook.attach()
        atexit.register(self._end_notebook)
        self._heed_shutdown()
        self._watcher = Watcher(self.process.name, self.shell, self.notebook, checkpoints)
        self._watcher.start()

    def _before_cell(self) -> None:
        if self.checkpoints is not None and self.notebook is not None:
            cell = self.notebook.current_cell()
            # The watching thread adds the line when somebody asks, unless the cell holds the interpreter's lock.
            self.checkpoints.block.enter_cell(cell.execution_count if cell else None)
            self.checkpoints.gate()

    def _after_cell(self) -> None:
        if self.checkpoints is not None and self.notebook is not None:
            around = self.notebook.current_cell()
            self.checkpoints.block.enter_cell(around.execution_count if around else None)
            self.checkpoints.gate()

    def _begin_script(self) -> None:
        self.script = ScriptRecorder(self.process, self._was_stopped)
        self.script.before_end.append(self._run_last_steps)
        self.script.attach()
        main = threading.current_thread() is threading.main_thread()
        if main and self.checkpoints is not None and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
            signal.signal(signal.SIGTERM, self._on_sigterm)

    def attach_notebook(self) -> None:
        """Record cells (again)."""
        if self.notebook is not None:
            self.notebook.attach()

    def detach_notebook(self) -> None:
        """Record no more cells; the process keeps its row."""
        if self.notebook is not None:
            self.notebook.detach()

    def forget_helpers(self) -> None:
        """The children that this process had until now were not the user's."""
        if self._children is not None:
            self._children.forget_helpers()

    # What others ask

    def current_seq(self) -> int | None:
        """The cell that runs here."""
        if self.notebook is not None:
            return self.notebook.current_seq()
        return 0 if self.script is not None else None

    def _is_boss(self) -> bool:
        if self.notebook is not None:
            return self.notebook.runs_here()
        return threading.current_thread() is threading.main_thread()

    def _was_stopped(self) -> bool:
        return self.checkpoints is not None and self.checkpoints.stopping

    # Records

    def create_list(self, name: str, columns: list[str]) -> None:
        self.registered().process.journal.append("list_created", list=name, columns=columns)
        self._record_lists.add(name)

    def append_record(self, name: str, record: Any) -> None:
        journal = self.registered().process.journal
        if name not in self._record_lists:
            columns = list(record) if isinstance(record, dict) else []
            journal.append("list_created", list=name, columns=columns)
            self._record_lists.add(name)
        journal.append("record_appended", list=name, cell_seq=self.current_seq(), record=record)

    # Actors

    def _meet_actors(self) -> None:
        """The actors were imported in this process: let the vault see them, and reach them."""
        from .actor_host import ActorHost

        self.actors = ActorHost(self._journal, self.process.paths.actors(self.process.process_id))
        self.actors.connect()
        if self._watcher is not None:
            self._watcher.actors = self.actors
        if self.checkpoints is None:
            return
        self.checkpoints.on_actor_stop = functools.partial(self.actors.carry_out, self.checkpoints)
        if self._children is not None:
            self.checkpoints.children = Together(self._children, self.actors)
        if self._watcher is None:  # a script: its actors' `receive` is a checkpoint that somebody has to watch for
            self._watcher = Watcher(self.process.name, None, None, self.checkpoints)
            self._watcher.actors = self.actors
            self._watcher.start()

    # Progress

    def track(self, iterable: Iterable[T], total: float | None, desc: str) -> Iterator[T]:
        """See `Vault.track`."""
        return track(iterable, total, Progress(self._journal, desc), self._automatic_checkpoint, self._bell)

    def progress(self, done: float, total: float | None, desc: str) -> None:
        """See `Vault.progress`."""
        if self._own_progress is None:
            self._own_progress = Progress(self._journal, desc)
        finished = total is not None and done >= total
        self._own_progress.update(done, total, desc=desc, force=finished)

    def _journal(self) -> JournalWriter:
        return self.registered().process.journal

    def _automatic_checkpoint(self) -> None:
        if self.checkpoints is not None and not self.checkpoints.held:
            self.checkpoints.checkpoint()

    def _bell(self) -> Any:
        return self.checkpoints.block.memory if self.checkpoints is not None else b"\0"

    def registered(self) -> Session:
        """This session, made this very process's own if it was inherited by a fork."""
        if os.getpid() != self.process.pid:
            self._register_fork()
        return self

    def _heed_shutdown(self) -> None:
        """Let a paused kernel be shut down at once: its main thread waits in our checkpoint."""
        kernel = getattr(self.shell, "kernel", None)
        if kernel is None or self.checkpoints is None:
            return
        checkpoints, original = self.checkpoints, kernel.do_shutdown

        @functools.wraps(original)
        def do_shutdown(*args: Any, **kwargs: Any) -> Any:
            if checkpoints.desk.paused:
                checkpoints.leave_pause()
            return original(*args, **kwargs)

        kernel.do_shutdown = do_shutdown

    # Endings

    def _on_sigterm(self, number: int, frame: Any) -> None:
        """The first SIGTERM is a request to stop, in the main thread, so that training can save; the second kills."""
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        if self.checkpoints is not None:
            self.checkpoints.begin_stop()
            self.checkpoints.stop.run_callbacks()
        raise ExecutionStopped(self.process.name, reason="SIGTERM")

    def _run_last_steps(self) -> None:
        if self.actors is not None:
            self.actors.close()
        for step in self.at_end:
            step()
        # A stop ends what outlives it. After a bare SIGTERM, whoever sent it sees to the rest.
        if self._children is not None and self.checkpoints is not None and self.checkpoints.desk.stops:
            self.checkpoints.stop.note(self._children.end(self.checkpoints.stop.grace))

    def _end_notebook(self) -> None:
        if os.getpid() != self.process.pid:
            return
        if self._watcher is not None:
            self._watcher.end()
        if self.notebook is not None:
            self.notebook.outputs.journal_changes(quiet_for=0.0)
        with contextlib.suppress(Exception):
            self._run_last_steps()
        stopped = self.checkpoints is not None and bool(self.checkpoints.desk.stops)
        self.process.end(Status.STOPPED if stopped else Status.FINISHED)

    def _end_worker(self) -> None:
        error = sys.exc_info()[1]  # multiprocessing calls its finalizers while the error is on its way
        if error is None or isinstance(error, SystemExit):
            self.process.end(Status.STOPPED if self._was_stopped() else Status.FINISHED)
        elif isinstance(error, ExecutionStopped | WorkerStopped):
            self.process.end(Status.STOPPED, error=str(error))
        else:
            self.process.end(Status.FAILED, error=f"{type(error).__name__}: {error}")

    # Forks

    def after_fork_in_child(self) -> None:
        """The record is the parent's: let go of it; a record of one's own begins when there is something to say."""
        self.process.let_go_after_fork()
        if self.checkpoints is not None:
            self.checkpoints.intercept(self._checkpoint_of_fork)

    def _checkpoint_of_fork(self) -> None:
        self._register_fork()
        if self.checkpoints is not None:
            self.checkpoints.gate()

    def _register_fork(self) -> None:
        parent = self.process
        origin = Origin(Kind.WORKER, f"{parent.name.removesuffix('.worker')}.worker", parent.origin.path)
        seq = self.current_seq()
        self.notebook = self.script = self.shell = self.actors = None
        self._record_lists = set()
        self.at_end = []
        self.process = RecordedProcess(parent.paths, origin, parent=(parent.process_id, seq))
        self.background_errors = BackgroundErrors(self.process.journal, self.current_seq)
        block = self.process.block
        if self.checkpoints is not None and block is not None:
            self.checkpoints.start_over(
                parent.paths,
                self.process.process_id,
                self.process.name,
                self.process.journal,
                block,
                is_boss=self._is_boss,
                stop_error=_stop_error(),
            )
            self.checkpoints.children = self._children = OwnChildren(parent.paths, self.process.process_id)
        _at_worker_end(self._end_worker)


def _stop_error() -> type[BaseException]:
    """What a stop raises: in a pool's worker an Exception, since a BaseException there hangs `Pool.map` for ever."""
    frame: Any = sys._getframe()
    while frame is not None:
        if frame.f_globals.get("__name__") in ("multiprocessing.pool", "concurrent.futures.process"):
            return WorkerStopped
        frame = frame.f_back
    return ExecutionStopped


def _at_worker_end(end: Callable[[], None]) -> None:
    """Call ``end`` when a worker ends: atexit functions do not run in multiprocessing's children."""
    if multiprocessing.parent_process() is not None:
        multiprocessing.util.Finalize(None, end, exitpriority=-100)
    else:
        atexit.register(end)


@functools.cache
def _watch_forks() -> None:
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=_after_fork_in_child)


def _after_fork_in_child() -> None:
    if _session is not None:
        _session.after_fork_in_child()


def _nothing() -> None:
    """No checkpoint: this process has no control block."""
