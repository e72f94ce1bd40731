"""Pausing, resuming and stopping what really runs: with the mouse, with keys alone, from two tabs."""

from __future__ import annotations

import pytest
from playwright.sync_api import BrowserContext, Locator, Page, expect

from tests.labextension.panel import PanelPage
from tests.support import wait_until

from .stage import SLOW_MACHINE, Stage

pytestmark = pytest.mark.timeout(600)  # a JupyterLab, kernels and a browser start, on whatever machine

LOOP = """
import time
from pathlib import Path
from tablevault_ext import Vault

vault, kept = Vault(), "kept in memory"
for step in vault.track(range(100_000), desc="step"):
    Path(".work.beat").write_text(str(step))
    Path(".work.beat").replace("work.beat")
    time.sleep(0.01)
"""
NOTEBOOK = {"load": "%load_ext tablevault_ext", "loop": LOOP, "ask": "kept"}


@pytest.fixture(scope="module", autouse=True)
def playing(stage: Stage, page: Page) -> None:
    """A clock that nobody touches: while it goes on, what is paused must not."""
    PanelPage(page).open()
    stage.train("clock")


def test_a_script_is_paused_stands_still_goes_on_and_is_stopped(panel: PanelPage, stage: Stage) -> None:
    """Each button does what it says, and a quiet line says what was observed."""
    script = stage.train("train")
    panel.row("train").click()
    panel.action("Pause")
    expect(panel.row("train")).to_have_attribute("data-status", "paused")
    expect(panel.answer).to_contain_text("train: paused")
    _stands_still(stage, "train")
    stood = stage.beat("train")

    panel.action("Resume")
    expect(panel.row("train")).to_have_attribute("data-status", "running")
    wait_until(lambda: stage.beat("train") > stood, "the training goes on", SLOW_MACHINE)

    panel.action("Stop")
    expect(panel.dialog).to_contain_text("Ends train; unsaved memory is lost.")
    expect(panel.dialog.get_by_role("button", name="Cancel")).to_be_focused()
    panel.page.keyboard.press("Enter")
    expect(panel.dialog).to_be_hidden()
    expect(panel.row("train")).to_have_attribute("data-status", "running")
    panel.action("Stop")
    panel.dialog.get_by_label("Reason (optional)").fill("wrong data")
    panel.dialog.get_by_role("button", name="Stop", exact=True).click()
    assert script.wait(SLOW_MACHINE) == 75  # stopped at a checkpoint, by request
    panel.group("Ended", opened=True)
    expect(panel.row("train")).to_have_attribute("data-status", "stopped")
    requests = panel.tab("Requests").locator(".tv-Request")  # latest first
    expect(requests).to_have_count(3)
    expect(requests.first).to_contain_text("“wrong data”")
    for number in range(3):
        expect(requests.nth(number)).to_contain_text("took effect after")


def test_a_running_cell_is_paused_resumed_and_stopped_without_losing_memory(panel: PanelPage, stage: Stage) -> None:
    """The notebook says that it is paused, one click there resumes it; stopped, its variables are still there."""
    stage.notebook(panel.page, "work.ipynb", NOTEBOOK)
    stage.run_cells(panel.page, "load", "loop")
    row = panel.row("work.ipynb")
    expect(row).to_contain_text("busy")
    expect(row.get_by_role("progressbar")).to_be_visible()
    row.click()
    panel.action("Pause")
    expect(row).to_have_attribute("data-status", "paused")
    notice = panel.page.locator(".jp-NotebookPanel:not(.lm-mod-hidden)").get_by_role("alert")
    expect(notice).to_contain_text("Paused by")
    _stands_still(stage, "work")
    stood, checkpoints = stage.beat("work"), stage.process("work.ipynb")["checkpoints"]

    notice.get_by_role("button", name="Resume").click()
    expect(notice).to_be_hidden()
    expect(row).to_have_attribute("data-status", "running")
    wait_until(lambda: stage.beat("work") > stood, "the loop goes on", SLOW_MACHINE)
    wait_until(lambda: stage.process("work.ipynb")["checkpoints"] > checkpoints, "it is counted", SLOW_MACHINE)

    panel.action("Stop")
    expect(panel.dialog.get_by_label("Stop the run and keep the kernel's memory")).to_be_checked()
    panel.dialog.get_by_role("button", name="Stop", exact=True).click()
    expect(row).to_contain_text("idle")

    def answered() -> bool:
        stage.run_to_the_end(panel.page, "ask")
        return "'kept in memory'" in _cell(panel.page, 2).inner_text()

    # Not at the first attempt perhaps: after the stop ipykernel aborts what comes while it empties its queue.
    wait_until(answered, "the memory is there", SLOW_MACHINE)


def test_a_kernel_is_shut_down(panel: PanelPage, stage: Stage) -> None:
    """The dialog says what is lost; afterwards the kernel is gone, and Jupyter does not restart it."""
    stage.notebook(panel.page, "over.ipynb", NOTEBOOK)
    stage.run_cells(panel.page, "load")
    expect(panel.row("over.ipynb")).to_contain_text("idle")
    kernel = stage.process("over.ipynb")["kernel_id"]
    panel.row("over.ipynb").click()
    panel.action("Stop")
    panel.dialog.get_by_label("Shut the kernel down").check()
    expect(panel.dialog).to_contain_text("Ends over.ipynb; unsaved memory is lost.")
    panel.dialog.get_by_role("button", name="Stop", exact=True).click()
    panel.group("Ended", opened=True)
    expect(panel.row("over.ipynb")).to_have_attribute("data-status", "stopped")
    wait_until(lambda: kernel not in {each["id"] for each in stage.kernels()}, "the kernel is gone", SLOW_MACHINE)


def test_keys_alone(panel: PanelPage, stage: Stage) -> None:
    """From the command palette into the panel, down to a run, pause, resume, and stop; the mouse stays where it is."""
    stage.train("keys")
    expect(panel.row("keys")).to_have_attribute("data-status", "running")
    page, press = panel.page, panel.page.keyboard.press
    panel.command("application:toggle-right-area")
    expect(panel.tree).to_be_hidden()
    press("Control+Shift+C")
    expect(page.locator(".lm-CommandPalette-input")).to_be_focused()
    page.keyboard.type("filter processes")
    expect(page.locator(".lm-CommandPalette-item").first).to_contain_text("Filter Processes")
    press("Enter")
    expect(panel.panel.get_by_role("searchbox", name="Filter processes")).to_be_focused()
    page.keyboard.type("keys")
    expect(panel.row("clock")).to_have_count(0)
    for _ in range(8):  # past the buttons of the toolbar
        if panel.tree.evaluate("tree => tree === document.activeElement"):
            break
        press("Tab")
    expect(panel.tree).to_be_focused()
    press("Home")
    press("ArrowDown")
    expect(panel.row("keys")).to_have_attribute("aria-selected", "true")
    press("p")
    expect(panel.row("keys")).to_have_attribute("data-status", "paused")
    press("r")
    expect(panel.row("keys")).to_have_attribute("data-status", "running")
    press("Delete")
    expect(panel.dialog.get_by_role("button", name="Cancel")).to_be_focused()
    press("Tab")
    expect(panel.dialog.get_by_role("button", name="Stop", exact=True)).to_be_focused()
    press("Enter")
    expect(panel.row("keys")).to_have_attribute("data-status", "stopped")


def test_two_tabs_agree(panel: PanelPage, context: BrowserContext, stage: Stage) -> None:
    """What one tab pauses, the other shows paused, with who did it, and resumes."""
    stage.train("shared")
    other = context.new_page()
    try:
        other.goto(stage.lab.url.replace("/lab?", "/lab/workspaces/other?"))
        second = PanelPage(other).open()
        expect(second.row("shared")).to_have_attribute("data-status", "running")
        panel.row("shared").click()
        panel.action("Pause")
        expect(second.row("shared")).to_have_attribute("data-status", "paused")
        expect(second.row("shared")).to_contain_text("by ")
        second.row("shared").click()
        second.action("Resume")
        expect(panel.row("shared")).to_have_attribute("data-status", "running")
    finally:
        other.close()


def _stands_still(stage: Stage, name: str) -> None:
    stood = stage.beat(name)
    _while_the_clock_ticks(stage)
    assert stage.beat(name) == stood


def _while_the_clock_ticks(stage: Stage) -> None:
    """Until the clock, which has the same loop, has come round fifty times."""
    ticks = stage.beat("clock")
    wait_until(lambda: stage.beat("clock") >= ticks + 50, "the clock ticks on", SLOW_MACHINE)


def _cell(page: Page, number: int) -> Locator:
    return page.locator(".jp-NotebookPanel:not(.lm-mod-hidden) .jp-Notebook-cell").nth(number)
