"""The demo's two actors: a kernel that runs the quickstart notebook, and a training script."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from typing import Any

from ..errors import VaultError
from ..paths import ENV_HOME, VaultPaths

TRAINING = "training"
NOTEBOOK = "quickstart"


def quickstart() -> Path:
    """The notebook: inside an installed package, or beside it in a checkout.

    Raises:
        VaultError: it is in neither place.
    """
    inside = Path(str(files("tablevault_ext.demo"))) / "quickstart.ipynb"
    beside = Path(__file__).resolve().parents[2] / "notebooks" / "quickstart.ipynb"
    for place in (inside, beside):
        if place.is_file():
            return place
    raise VaultError("quickstart.ipynb is missing from this installation; install tablevault-ext again")


def environment(paths: VaultPaths) -> dict[str, str]:
    """What children inherit: the demo's vault, and nothing of whoever runs the demo."""
    plain = {key: value for key, value in os.environ.items() if not key.startswith("TABLEVAULT_")}
    return plain | {ENV_HOME: str(paths.root), "PYDEVD_DISABLE_FILE_VALIDATION": "1"}


@contextmanager
def training_script(paths: VaultPaths) -> Iterator[subprocess.Popen[bytes]]:
    """Run the training under `tablevault run`; at the latest at the end of the block it is over."""
    command = [sys.executable, "-m", "tablevault_ext.cli", "run", "--name", TRAINING, "--"]
    command += ["-m", "tablevault_ext.demo.training", "--epochs", "100000"]
    child = subprocess.Popen(
        command,
        env=environment(paths),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,  # a Ctrl-C is the demo's: it ends its actors itself
    )
    try:
        yield child
    finally:
        if child.poll() is None:
            child.terminate()
            try:
                child.wait(10)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()


class NotebookRun(threading.Thread):
    """Runs the quickstart notebook in a kernel of this very Python, cell by cell, in a thread of its own."""

    def __init__(self, paths: VaultPaths) -> None:
        super().__init__(name="tablevault-demo-notebook", daemon=True)
        self._environment = environment(paths)
        self._client: Any = None
        self.error: BaseException | None = None
        self.cells_done = 0

    def run(self) -> None:
        try:
            self._execute()
        except BaseException as error:
            self.error = error

    def _execute(self) -> None:
        import nbformat
        from jupyter_client.kernelspec import KernelSpec
        from jupyter_client.manager import AsyncKernelManager
        from nbclient import NotebookClient

        notebook = nbformat.read(quickstart(), as_version=4)  # type: ignore[no-untyped-call]
        manager = AsyncKernelManager()
        # Not whichever kernel "python3" happens to mean on this machine: this package may be missing there.
        manager._kernel_spec = KernelSpec(argv=[sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"])
        self._client = NotebookClient(notebook, km=manager, timeout=120, on_cell_executed=self._count)
        quiet = subprocess.DEVNULL  # what the kernel itself has to say is not the story's
        self._client.execute(cleanup_kc=True, env=self._environment, stdout=quiet, stderr=quiet)

    def _count(self, **_: Any) -> None:
        self.cells_done += 1
