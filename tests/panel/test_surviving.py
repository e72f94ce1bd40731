"""What the panel makes of nothing and of bad luck: an empty vault, a kernel that is killed, a server that restarts."""

from __future__ import annotations

import os
import signal

import pytest
from playwright.sync_api import expect

from tests.labextension.panel import PanelPage
from tests.support import wait_until

from .stage import SLOW_MACHINE, Stage

pytestmark = pytest.mark.timeout(600)  # a JupyterLab, kernels and a browser start, on whatever machine

CRUNCH = "import time\nprint('crunching', flush=True)\nwhile True:\n    time.sleep(0.01)"


def test_an_empty_panel_says_how_to_begin(panel: PanelPage, stage: Stage) -> None:
    """Nothing is recorded yet: one button puts the line into a notebook and runs it."""
    stage.notebook(panel.page, "first.ipynb", {"only": ""})
    expect(panel.panel).to_contain_text("Nothing is being recorded yet.")
    panel.panel.get_by_role("button", name="Record the current notebook").click()
    expect(panel.page.locator(".jp-Notebook")).to_contain_text("%load_ext tablevault_ext")
    expect(panel.row("first.ipynb")).to_have_attribute("data-status", "running")
    expect(panel.row("first.ipynb")).to_contain_text("idle")


def test_a_killed_kernel_has_a_post_mortem(panel: PanelPage, stage: Stage) -> None:
    """`kill -9` in the middle of a cell: lost, told of, and what is known of why, and what it did last."""
    stage.notebook(panel.page, "doomed.ipynb", {"load": "%load_ext tablevault_ext", "crunch": CRUNCH})
    stage.run_cells(panel.page, "load", "crunch")
    expect(panel.row("doomed.ipynb")).to_contain_text("busy")
    expect(panel.page.locator(".jp-Notebook:visible")).to_contain_text("crunching")
    panel.row("doomed.ipynb").click()
    toast = panel.page.get_by_role("alert").filter(has_text="doomed.ipynb is gone and wrote no ending")
    with panel.toasts_stay():
        os.kill(stage.process("doomed.ipynb")["pid"], signal.SIGKILL)
        expect(panel.row("doomed.ipynb")).to_have_attribute("data-status", "lost")
        expect(toast).to_be_visible()
    # JupyterLab's own dialog says only that the kernel "appears to have died".
    panel.dialog.get_by_role("button", name="Ok").click()
    post_mortem = panel.tab("Post-mortem")
    expect(post_mortem.locator(".tv-Verdict")).to_contain_text("kill -9")
    expect(post_mortem).to_contain_text("crunching")


def test_the_server_restarts_meanwhile(panel: PanelPage, stage: Stage) -> None:
    """The run goes on without a server; the panel says that it knows nothing new, and finds it again by itself."""
    stage.train("train")
    expect(panel.row("train")).to_have_attribute("data-status", "running")
    panel.close_dialogs()
    stage.lab.stop()
    expect(panel.panel).to_contain_text("The server cannot be reached")
    expect(panel.row("train")).to_be_visible()
    before = stage.beat("train")
    stage.lab.start()
    expect(panel.panel).not_to_contain_text("The server cannot be reached")
    wait_until(lambda: stage.beat("train") > before, "the run goes on", SLOW_MACHINE)
    panel.row("train").click()
    panel.action("Pause")
    expect(panel.row("train")).to_have_attribute("data-status", "paused")
    expect(panel.answer).to_contain_text("train: paused")
