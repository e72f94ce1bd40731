"""The demo, step by step."""

from __future__ import annotations

import contextlib
import logging
import subprocess
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from ..client import VaultClient
from ..errors import BadArgument, VaultError
from ..model import Request
from ..paths import default_root, open_vault
from .report import report
from .screen import Screen
from .stage import TRAINING, NotebookRun, training_script

_PATIENCE = 60.0  # seconds for any one step
_LOOK_AGAIN = 0.5  # seconds


def tell(path: str | None, *, fast: bool) -> int:
    """Play it; the vault stays."""
    paths = open_vault(_place(path))
    vault = VaultClient(paths.root)
    screen = Screen(vault)
    screen.say(f"The demo has a vault of its own: {paths.root}")
    # That readers of one file sometimes wait for each other is no part of the story.
    logging.getLogger("tablevault_ext").setLevel(logging.ERROR)
    try:
        with training_script(paths) as training, screen.live():
            _act(vault, screen, training, NotebookRun(paths), pause=1.0 if fast else 2.5)
    finally:
        _end_all(vault)
    report(vault, screen)
    return 0


def _end_all(vault: VaultClient) -> None:
    """Whatever happened: nothing that the demo started stays running."""
    for process in vault.list_processes():
        with contextlib.suppress(VaultError):
            vault.stop_execution(process, now=True, grace=2, reason="the demo is over")


def _act(
    vault: VaultClient, screen: Screen, training: subprocess.Popen[bytes], notebook: NotebookRun, *, pause: float
) -> None:
    screen.headline("A training script starts under `tablevault run`, and a kernel runs quickstart.ipynb")
    notebook.start()
    _until(lambda: _records(vault) >= 5, "the training's first records", training, notebook)
    _until(lambda: notebook.cells_done >= 3 or not notebook.is_alive(), "the notebook's first cells", None, notebook)
    screen.processes()

    screen.headline(f"tablevault pause {TRAINING}")
    screen.say(_answered(vault.pause_execution(TRAINING, reason="to show it", wait=_PATIENCE)))
    before = _records(vault)
    screen.processes()
    time.sleep(pause)
    after = _records(vault)
    stood = "it stands still" if after == before else "IT DID NOT STAND STILL"
    screen.say(f"records of its loss: {before}; {pause:g} s later: {after} — {stood}")
    if after != before:
        raise VaultError("the paused training went on recording; that is a defect, please report it")

    screen.headline(f"tablevault resume {TRAINING}")
    screen.say(_answered(vault.resume_execution(TRAINING, wait=_PATIENCE)))
    _until(lambda: _records(vault) >= after + 5, "new records after the pause", training, notebook)
    screen.say(f"records of its loss: {_records(vault)} — it goes on where it was")

    screen.headline(f"tablevault stop {TRAINING}")
    screen.say(_answered(vault.stop_execution(TRAINING, reason="seen enough", wait=_PATIENCE)))
    code = training.wait(_PATIENCE)
    screen.say(f"`finally` ran, and the script left with exit code {code}; `tablevault logs {TRAINING}` ends with:")
    for line in vault.read_log(TRAINING, lines=1, streams=("stdout",)):
        if line.stream == "stdout":
            screen.say(f"  {line.text}")

    screen.headline("The notebook runs on to its end; one of its cells fails on purpose")
    notebook.join(_PATIENCE)
    if notebook.is_alive() or notebook.error is not None:
        raise VaultError(f"the notebook did not come to its end: {notebook.error or 'it still runs'}")
    screen.processes()


def _records(vault: VaultClient) -> int:
    # Its name stands in the text: to bind a parameter, DuckDB imports pandas where that is installed.
    found = vault.sql(
        f"SELECT count(*) FROM records JOIN processes USING (process_id) WHERE list = 'loss' AND name = '{TRAINING}'"  # noqa: S608
    ).fetchone()
    return int(found[0]) if found else 0


def _answered(request: Request) -> str:
    if request.pending or request.outcome != "effective":
        raise VaultError(f"the demo cannot go on: {request}")
    return f"  {request}"


def _until(
    condition: Callable[[], Any],
    what: str,
    training: subprocess.Popen[bytes] | None,
    notebook: NotebookRun,
) -> None:
    deadline = time.monotonic() + _PATIENCE
    while not condition():
        if notebook.error is not None:
            raise VaultError(f"the notebook failed: {notebook.error}")
        if training is not None and training.poll() is not None:
            raise VaultError(f"the training ended by itself with exit code {training.returncode}")
        if time.monotonic() > deadline:
            raise VaultError(f"{what} did not come within {_PATIENCE:g} s")
        time.sleep(_LOOK_AGAIN)


def _place(path: str | None) -> Path:
    if path is None:
        home = default_root()
        return home.with_name(f"{home.name}-demo") / f"{datetime.now():%Y%m%d-%H%M%S-%f}"
    place = Path(path).expanduser()
    if place.is_dir() and any(place.iterdir()):
        raise BadArgument(f"{place} is not empty; the demo wants a vault of its own. Nothing was started")
    return place
