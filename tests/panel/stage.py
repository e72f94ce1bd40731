"""What plays before the panel: real notebooks and training runs in one JupyterLab's working directory and vault."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Page

from tests.labextension.lab import SLOW_MACHINE, Lab, running_lab
from tests.support import wait_until

__all__ = ["SLOW_MACHINE", "Stage", "set_stage"]

TRAINING = '''
"""Trains nothing, but as a training does: steps, a falling loss, a log, checkpoints on disk."""
import json, math, random, sys, time
from pathlib import Path
from tablevault_ext import Vault

name, epochs, seconds, fails = sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4])
vault, chance = Vault(), random.Random(name)
for epoch in vault.track(range(epochs), desc="epoch"):
    loss = 0.08 + 2.2 * math.exp(-epoch / 60) + 0.05 * chance.random()
    vault.append_record("training", {"epoch": epoch, "loss": loss, "accuracy": 1 - loss / 2.6})
    print(f"epoch {epoch:05d}  loss {loss:.4f}", flush=True)
    if epoch == 20:
        print("UserWarning: the learning rate is high", file=sys.stderr, flush=True)
    if epoch % 25 == 0:
        Path(f"{name}.ckpt").write_bytes(bytes(200_000))
    Path(f".{name}.beat").write_text(str(epoch))
    Path(f".{name}.beat").replace(f"{name}.beat")  # whole at every moment, for whoever reads it
    if epoch == fails:
        raise FloatingPointError(f"the loss is nan in epoch {epoch}")
    time.sleep(seconds)
'''


_CHOOSE = (
    "const notebook = jupyterapp.shell.currentWidget.content;"
    " notebook.activeCellIndex = notebook.widgets.findIndex(cell => cell.model.id === id)"
)


class Stage:
    """One JupyterLab and what runs beside it."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.runs: list[subprocess.Popen[bytes]] = []

    # Scripts

    def train(
        self, name: str, *, epochs: int = 100_000, seconds: float = 0.01, fails_at: int = -1
    ) -> subprocess.Popen[bytes]:
        """Start a training run under `tablevault run`; `seconds` between its checkpoints."""
        if not self.runs:  # not again below the feet of one that reads it
            (self.lab.root / "train.py").write_text(TRAINING)
        plain = {key: value for key, value in os.environ.items() if not key.startswith("TABLEVAULT_")}
        command = [sys.executable, "-m", "tablevault_ext.cli", "run", "--name", name, "train.py"]
        run = subprocess.Popen(
            [*command, name, str(epochs), str(seconds), str(fails_at)],
            cwd=self.lab.root,
            env=plain | self.lab.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self.runs.append(run)
        wait_until(lambda: self.beat(name) > 0, f"{name} trains", SLOW_MACHINE)
        return run

    def beat(self, name: str) -> int:
        """The epoch that a run, or the step that a notebook has come to; -1 before its first."""
        try:
            return int((self.lab.root / f"{name}.beat").read_text())
        except FileNotFoundError:
            return -1

    # Notebooks

    def notebook(self, page: Page, path: str, cells: Mapping[str, str]) -> None:
        """Open a notebook of cells (id → code) in JupyterLab; its kernel has started."""
        (self.lab.root / path).write_text(json.dumps(_document(cells)))
        page.evaluate("path => void jupyterapp.commands.execute('docmanager:open', { path })", path)
        page.wait_for_function(
            "path => { const { currentWidget } = jupyterapp.shell;"
            " const opened = [...jupyterapp.shell.widgets('main')].find(widget => widget.context?.path === path);"
            # A cell of another notebook that has just ended may take the focus.
            " if (opened && opened !== currentWidget) { jupyterapp.shell.activateById(opened.id); return false }"
            " return opened?.sessionContext?.session?.kernel?.status === 'idle' }",
            arg=path,
            timeout=SLOW_MACHINE * 1000,
        )

    def run_to_the_end(self, page: Page, cell: str) -> None:
        """Run one of them and wait for its reply."""
        page.evaluate(
            f"id => {{ {_CHOOSE}; return jupyterapp.commands.execute('notebook:run-cell').then(() => null) }}", cell
        )

    def run_cells(self, page: Page, *cells: str) -> None:
        """Run cells of the current notebook by their ids, as Shift+Enter does."""
        for cell in cells:
            page.evaluate(f"id => {{ {_CHOOSE}; void jupyterapp.commands.execute('notebook:run-cell') }}", cell)

    # What the server knows

    def process(self, name: str) -> dict[str, Any]:
        """A process as the server lists it."""
        processes = self.lab.call("tablevault/api/processes")["processes"]
        return next(process for process in processes if process["name"] == name)

    def kernels(self) -> list[dict[str, Any]]:
        kernels: list[dict[str, Any]] = self.lab.call("api/kernels")
        return kernels

    def clear(self) -> None:
        """End the training runs."""
        for run in self.runs:
            if run.poll() is None:
                run.terminate()
        for run in self.runs:
            try:
                run.wait(10)
            except subprocess.TimeoutExpired:  # a paused one does not hear
                run.kill()
                run.wait()


@contextmanager
def set_stage(directory: Path | None = None) -> Iterator[Stage]:
    """A JupyterLab with an empty vault; at the end everything that it started is over and the vault gone."""
    scratch = Path(tempfile.mkdtemp()) if directory is None else directory
    try:
        with running_lab(scratch) as lab:
            stage = Stage(lab)
            try:
                yield stage
            finally:
                stage.clear()
    finally:
        shutil.rmtree(scratch / "vault", ignore_errors=True)  # its keeper ends with it
        if directory is None:
            shutil.rmtree(scratch, ignore_errors=True)


def _document(cells: Mapping[str, str]) -> dict[str, Any]:
    empty = {"cell_type": "code", "metadata": {}, "outputs": [], "execution_count": None}
    return {
        "nbformat": 4,
        "nbformat_minor": 5,
        "metadata": {"kernelspec": {"name": "python3", "display_name": "Python 3"}},
        "cells": [{"id": cell_id, "source": source, **empty} for cell_id, source in cells.items()],
    }
