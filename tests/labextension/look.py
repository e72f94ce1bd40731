"""Draw the README's picture of the panel from a real run.

python -m tests.labextension.look labextension/screenshot.png
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Page, expect, sync_playwright

from .chromium import FLAGS, chromium
from .lab import Lab, running_lab
from .panel import PanelPage

TRAIN = """
import math, random, time
from tablevault_ext import Vault

vault = Vault()
for epoch in vault.track(range(2000), desc="epoch"):
    loss = math.exp(-epoch / 150) + random.uniform(0, 0.04)
    vault.append_record("training", {"epoch": epoch, "loss": loss, "accuracy": 1 - loss / 1.1})
    sum(n * n for n in range(100_000))
    time.sleep(0.01)
"""
INGEST = """
import time
from tablevault_ext import Vault

vault = Vault()
for batch in vault.track(range(400), desc="batch"):
    time.sleep(0.05)
"""
SWEEP = """
from tablevault_ext import Vault

vault = Vault()
config = {"learning_rate": 0.01}
config["lr"]
"""
CELLS = ["%load_ext tablevault_ext", "import statistics", "losses = [0.91, 0.52, 0.31]", "statistics.mean(losses)"]


def environment(lab: Lab) -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("TABLEVAULT_")} | lab.environment


def tablevault(*arguments: str) -> list[str]:
    return [str(Path(sys.executable).with_name("tablevault")), *arguments]


@contextmanager
def script(lab: Lab, name: str, code: str) -> Iterator[None]:
    """A real script under `tablevault run`, ended afterwards."""
    (lab.root / f"{name}.py").write_text(code)
    command = tablevault("run", "--name", name, f"{name}.py")
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "stdin": subprocess.DEVNULL}
    child = subprocess.Popen(command, cwd=lab.root, env=environment(lab), **quiet)  # type: ignore[call-overload]
    try:
        yield
    finally:
        child.terminate()
        child.wait(60)


def open_notebook(page: Page, panel: PanelPage, lab: Lab) -> None:
    cells = [
        {"id": f"c{n}", "cell_type": "code", "metadata": {}, "source": source, "outputs": [], "execution_count": None}
        for n, source in enumerate(CELLS)
    ]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}
    notebook = {"nbformat": 4, "nbformat_minor": 5, "metadata": kernel, "cells": cells}
    (lab.root / "analysis.ipynb").write_text(json.dumps(notebook))
    panel.command("docmanager:open", path="analysis.ipynb")
    page.wait_for_function("jupyterapp.shell.currentWidget?.sessionContext?.session?.kernel?.status === 'idle'")
    panel.command("notebook:run-all-cells")


def draw(page: Page, lab: Lab, picture: Path) -> None:
    panel = PanelPage(page).open()
    panel.command("application:toggle-left-area")
    open_notebook(page, panel, lab)
    expect(panel.row("ingest")).to_have_attribute("data-status", "running")
    pause = tablevault("pause", "ingest", "--reason", "disk is full")
    subprocess.run(pause, cwd=lab.root, env=environment(lab), check=True, stdout=subprocess.DEVNULL)
    expect(panel.row("ingest")).to_have_attribute("data-status", "paused")
    expect(panel.row("sweep")).to_have_attribute("data-status", "failed")
    panel.row("train_resnet").click()
    panel.tab("Progress")
    page.wait_for_timeout(20_000)  # for a curve worth a picture
    page.mouse.move(300, 500)
    page.screenshot(path=picture)


def main(picture: Path) -> None:
    expect.set_options(timeout=60_000)
    with tempfile.TemporaryDirectory() as scratch, running_lab(Path(scratch)) as lab, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=list(FLAGS))
        page = browser.new_page(viewport={"width": 1100, "height": 760})
        page.goto(lab.url)
        page.wait_for_selector(".jp-LauncherCard")
        with script(lab, "train_resnet", TRAIN), script(lab, "ingest", INGEST), script(lab, "sweep", SWEEP):
            draw(page, lab, picture)
        browser.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
