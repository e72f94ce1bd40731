"""What the extension is while the server runs: the vault, its ingester, the list, the kernels."""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import functools
import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from traitlets import Unicode
from traitlets.config import LoggingConfigurable

from ..errors import VaultUnusable
from ..identity import Presence
from ..journal.servers import announce_server
from ..keeper import add_steps
from ..model import Process, iso, now_us
from ..panel.board import Board
from ..panel.host import HostReader
from ..panel.wire import Json, notice, notice_of
from ..paths import VaultPaths, default_root, open_vault
from ..store.ingester import Ingester, ensure_ingester
from .asking import Asker
from .kernels import Kernels, abort_run, awaits_ending
from .signals import ChangeSignals

T = TypeVar("T")
log = logging.getLogger("tablevault_ext")

SETTING = "tablevault"
_WATCHED_PULSE, _QUIET_PULSE = 1.0, 2.0
_REOPEN_EVERY = 5.0
_RESTART_EVERY = 15.0
_FOLLOWED = 15.0


def load(server_app: Any) -> None:
    """Start the extension in a Jupyter Server and route its handlers."""
    from .handlers import routes

    extension = TableVaultExtension(parent=server_app)
    server_app.web_app.settings[SETTING] = extension
    server_app.web_app.add_handlers(".*$", routes(server_app.web_app.settings["base_url"]))
    extension.start(server_app)
    server_app.log.info("tablevault_ext | the vault is %s", extension.root)


class TableVaultExtension(LoggingConfigurable):  # type: ignore[misc,unused-ignore]
    """One vault in one Jupyter Server."""

    vault = Unicode("", help="The vault's directory. Default: TABLEVAULT_HOME, or the user's data directory.").tag(
        config=True
    )

    def start(self, server_app: Any) -> None:
        """Open the vault and look after it until `stop`. A vault that cannot be used is told, and tried again."""
        self.server_app = server_app
        self.server_started_at = iso(now_us())
        self.root = Path(self.vault).expanduser() if self.vault else default_root()
        self.server_root = Path(server_app.root_dir).expanduser()
        self.host = HostReader()
        self.board: Board | None = None
        self.ingester: Ingester | None = None
        self.notice: Json | None = None
        self._announced: Path | None = None
        self._restart_at = self._recheck_at = 0.0
        self._followed: dict[str, asyncio.Task[None]] = {}
        self._hands_over = True
        self._stop = threading.Event()
        self._wake = threading.Event()
        self._loop = server_app.io_loop.asyncio_loop
        self._signals = ChangeSignals(server_app.event_logger, self._loop)
        self.kernels = Kernels(server_app.kernel_manager, server_app.session_manager, self._prepare_ending)
        self.pool = ThreadPoolExecutor(4, thread_name_prefix="tablevault")
        self.slow_pool = ThreadPoolExecutor(16, thread_name_prefix="tablevault-now")
        self.asker = Asker(self.slow_pool)
        self._thread = threading.Thread(target=self._run, name="tablevault-server", daemon=True)
        self._thread.start()
        atexit.register(self.stop)

    def stop(self, *, hand_over: bool = True) -> None:
        """Give the vault back; with ``hand_over``, whoever still runs gets an ingester of its own."""
        atexit.unregister(self.stop)
        self._hands_over = hand_over
        if self._stop.is_set():
            return
        self._stop.set()
        self._wake.set()
        self._thread.join(10)
        self._leave_vault()
        self.pool.shutdown(wait=False, cancel_futures=True)
        self.slow_pool.shutdown(wait=False, cancel_futures=True)

    async def off_loop(self, function: Callable[..., T], *arguments: Any, **named: Any) -> T:
        """Run what may block in a thread."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self.pool, functools.partial(function, *arguments, **named))

    @property
    def paths(self) -> VaultPaths:
        """The vault.

        Raises:
            VaultUnusable: it cannot be used at present.
        """
        return self.open_board.paths

    @property
    def open_board(self) -> Board:
        """The list.

        Raises:
            VaultUnusable: the vault cannot be used at present.
        """
        if self.board is None:
            raise VaultUnusable(self.notice["message"] if self.notice else f"the vault {self.root} is being opened")
        return self.board

    @property
    def revision(self) -> int:
        return self.board.revision if self.board is not None else 0

    @property
    def present_notice(self) -> Json | None:
        """What keeps answers from being complete now."""
        return self.board.notice if self.board is not None else self.notice

    # The thread that looks after it all

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                self._wake.clear()
                try:
                    self._turn()
                except Exception:
                    log.exception("looking after the vault %s failed; it is tried again", self.root)
                self._wake.wait(self._pause())
        finally:
            self._leave_vault()

    def _pause(self) -> float:
        if self.board is None:
            return _REOPEN_EVERY
        return _WATCHED_PULSE if self.board.is_watched else _QUIET_PULSE

    def _turn(self) -> None:
        if self.board is not None and not self.board.paths.journals.is_dir():
            self._leave_vault()
            self.notice = notice("missing", f"the vault {self.root} is gone; recording anything makes a new one")
            self._signals.emit(0, {"notice"}, None)
            return
        if self.board is None and not self._enter_vault():
            return
        board = self.open_board
        board.load()
        board.pulse()
        self._see_to_ingester(board)

    def _enter_vault(self) -> bool:
        try:
            # Only at first: a vault that was removed while we looked on is not made again by us.
            paths = open_vault(self.root, create=self.notice is None)
            self._announced = announce_server(paths)
        except (VaultUnusable, OSError) as error:
            if self.notice is None or self.notice["kind"] != "missing":
                self.notice = notice_of(error)
            return False
        self.notice = None
        self.board = Board(paths, on_change=self._signals.emit, on_entry=self._on_entry)
        return True

    def _see_to_ingester(self, board: Board) -> None:
        ingester = self.ingester
        if ingester is not None and ingester.running:
            if ingester.elected:
                board.set_notice(None if ingester.trouble is None else notice_of(ingester.trouble))
            elif board.notice is not None and time.monotonic() > self._recheck_at:
                self._recheck_at = time.monotonic() + _REOPEN_EVERY
                board.check()  # the ingester is another process, which does not tell us of its troubles
            return
        if ingester is not None and ingester.trouble is not None:
            board.set_notice(notice_of(ingester.trouble))
            if time.monotonic() < self._restart_at:
                return
        self._restart_at = time.monotonic() + _RESTART_EVERY
        self.ingester = Ingester(board.paths, on_change=board.changed)
        add_steps(self.ingester)
        self.ingester.start()

    def _leave_vault(self) -> None:
        board, self.board = self.board, None
        ingester, self.ingester = self.ingester, None
        if ingester is not None:
            ingester.stop()
        if self._announced is not None:
            self._announced.unlink(missing_ok=True)
            self._announced = None
        if self._hands_over and board is not None and board.has_living and board.paths.journals.is_dir():
            with contextlib.suppress(OSError):
                ensure_ingester(board.paths)

    # Kernels

    def _on_entry(self, process: Process) -> None:
        """In any thread: a process was read again."""
        if awaits_ending(process) and process.presence() is not Presence.GONE:
            with contextlib.suppress(RuntimeError):  # the loop is closed: the server ends its kernels itself
                self._loop.call_soon_threadsafe(self.kernels.end_soon, process)

    async def _prepare_ending(self, process: Process) -> None:
        if self.board is not None:
            await self.off_loop(abort_run, self.board.paths, process)

    def follow(self, process_id: str) -> None:
        """On the loop: look at a process often for a while, so that what was asked of it shows as soon as it is so."""
        if process_id not in self._followed:
            task = asyncio.get_running_loop().create_task(self._follow(process_id))
            self._followed[process_id] = task
            task.add_done_callback(lambda _: self._followed.pop(process_id, None))

    async def _follow(self, process_id: str) -> None:
        deadline, wait = time.monotonic() + _FOLLOWED, 0.02
        while (board := self.board) is not None and time.monotonic() < deadline:
            await self.off_loop(board.changed, [process_id])
            if not board.is_pending(process_id):
                return
            await asyncio.sleep(wait)
            wait = min(wait * 1.2, 0.25)
