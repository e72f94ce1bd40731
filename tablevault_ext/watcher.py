"""The thread that obeys while user code does not run: for an idle kernel, and for actors that wait for messages."""

from __future__ import annotations

import contextlib
import logging
import threading
from typing import TYPE_CHECKING, Any

from .control.checkpoint import HELD, Checkpoints
from .recording.notebook import NotebookRecorder

if TYPE_CHECKING:
    from .actor_host import ActorHost

log = logging.getLogger("tablevault_ext")

_INTERVAL = 0.2  # seconds: an idle kernel obeys within half a second
_LOST_RINGS_EVERY = 5  # looks: once a second
_QUEUE_IDLE = 1.0  # seconds without a cell after which a stopped run is over


class Watcher:
    """Looks five times a second; a look that finds nothing costs microseconds.

    Args:
        shell: the IPython shell of ``notebook``; both None in a script, where only ``actors`` are looked after.
        checkpoints: None where the process has no control block; outputs are recorded all the same.
    """

    def __init__(
        self, name: str, shell: Any, notebook: NotebookRecorder | None, checkpoints: Checkpoints | None
    ) -> None:
        self.actors: ActorHost | None = None
        self._name = name
        self._shell = shell
        self._notebook = notebook
        self._checkpoints = checkpoints
        self._over = threading.Event()
        self._looks = 0

    def start(self) -> None:
        threading.Thread(target=self._watch, name="tablevault-watch", daemon=True).start()

    def end(self) -> None:
        """Look no more."""
        self._over.set()

    def _watch(self) -> None:
        while not self._over.wait(_INTERVAL):
            try:
                self._look()
            except Exception:
                log.exception("the watching thread of %s met an error", self._name)

    def _look(self) -> None:
        if self.actors is not None:
            self.actors.write_snapshot()
        if self._notebook is None:
            self._look_after_actors()
        else:
            self._notebook.outputs.journal_changes()
            if self._checkpoints is not None:
                self._look_after_kernel(self._notebook, self._checkpoints)

    def _look_after_kernel(self, notebook: NotebookRecorder, checkpoints: Checkpoints) -> None:
        """An idle kernel stands at a checkpoint; a busy one leaves word where it is."""
        self._looks += 1
        if self._looks % _LOST_RINGS_EVERY == 0:
            checkpoints.look_for_lost_rings()
        if not checkpoints.rung:
            return
        if not notebook.idle:
            checkpoints.block.set_place(notebook.line())
            return
        if checkpoints.held:
            checkpoints.block.set_place(note=HELD)
            return
        checkpoints.obey_idle(lambda: notebook.idle)
        if not checkpoints.stopping or not notebook.idle:
            return
        if checkpoints.stop.keeps_kernel:
            if notebook.idle_for() >= _QUEUE_IDLE:
                checkpoints.release_stop()
        else:
            checkpoints.release_kernel()
            self._leave_terminal()

    def _look_after_actors(self) -> None:
        """In a script: a request takes effect when every actor stands at its `receive`."""
        actors, checkpoints = self.actors, self._checkpoints
        if actors is None or checkpoints is None or not checkpoints.rung or not actors.alive():
            return
        checkpoints.read_inbox()
        if checkpoints.desk.wants_pause:
            actors.suspend()
        checkpoints.obey_idle(actors.all_at_receive)
        if checkpoints.stopping:
            actors.stop(checkpoints.stop.error)

    def _leave_terminal(self) -> None:
        """Terminal IPython has no server: it leaves its own prompt."""
        application = getattr(self._shell, "pt_app", None)
        if application is None:
            return
        self._shell.confirm_exit = False
        self._shell.ask_exit()
        loop = getattr(application.app, "loop", None)
        if loop is not None and application.app.is_running:
            with contextlib.suppress(Exception):  # the prompt ended by itself meanwhile
                loop.call_soon_threadsafe(lambda: application.app.exit(exception=EOFError))
