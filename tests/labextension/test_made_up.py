"""The panel in a real JupyterLab and Chromium, over a made-up vault: what it shows, and what each control does."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.support import wait_until

from .lab import SLOW_MACHINE, Lab, running_lab
from .panel import PanelPage

pytestmark = pytest.mark.timeout(600)  # a JupyterLab and a browser start, on whatever machine

ROOT = Path(__file__).parents[2]
NOTEBOOK = {
    "nbformat": 4,
    "nbformat_minor": 5,
    "metadata": {"kernelspec": {"name": "python3", "display_name": "Python 3"}},
    "cells": [
        {"id": cell_id, "cell_type": "code", "metadata": {}, "source": source, "outputs": [], "execution_count": None}
        for cell_id, source in [("first", "1"), *((f"c{n}", "\n" * 30) for n in range(20)), ("failing", "config['lr']")]
    ],
}


@pytest.fixture(scope="module")
def lab(installed: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    extensions = {"tablevault_ext": False, "tests.labextension.fake_server": True}
    with running_lab(tmp_path_factory.mktemp("lab"), extensions, {"PYTHONPATH": str(ROOT)}) as lab:
        yield lab


@pytest.fixture
def panel(page: Page, lab: Lab) -> PanelPage:
    lab.call("tablevault/api/fake", {})
    panel = PanelPage(page).open().fresh()
    for _ in range(2):  # the first may only wait for an answer that is older than the reset
        panel.command("tablevault:refresh")
    return panel


def change(lab: Lab, process_id: str, **values: object) -> None:
    lab.call("tablevault/api/fake", {"process_id": process_id, "change": values})


def test_the_tree_tells_each_state_in_a_word(panel: PanelPage) -> None:
    """Rows are grouped, and the state of each is a word that a screen reader reads, too."""
    for group, count in (("Running", 9), ("Needs attention", 3), ("Ended", 10)):
        expect(panel.tree.get_by_role("treeitem", name=f"{group} {count}")).to_be_visible()
    for name, word in (("train_resnet", "running"), ("analysis.ipynb", "idle"), ("ingest", "paused")):
        expect(panel.tree.get_by_role("treeitem", name=f"{name}, {word}")).to_be_visible()
    expect(panel.row("ingest")).to_contain_text("by ana “disk”")
    expect(panel.row("sweep-3")).to_contain_text("failed KeyError: 'lr'")
    expect(panel.row("train_resnet")).to_contain_text("4 workers, 1 command")
    done = re.compile(r"2[89]|[3-9]\d|100")  # it goes on each second
    expect(panel.row("train_resnet").get_by_role("progressbar")).to_have_attribute("aria-valuenow", done)


def test_pause_and_resume(panel: PanelPage) -> None:
    """One click pauses, one resumes; a quiet line says what was observed."""
    panel.row("train_resnet").click()
    panel.action("Pause")
    expect(panel.row("train_resnet")).to_have_attribute("data-status", "paused")
    expect(panel.answer).to_contain_text("train_resnet: paused, 0.1 s after you asked")
    panel.action("Resume")
    expect(panel.row("train_resnet")).to_have_attribute("data-status", "running")
    expect(panel.answer).to_contain_text("resumed")


def test_a_disabled_button_says_why(panel: PanelPage) -> None:
    """A button that makes no sense is disabled, and its tooltip tells the reason."""
    panel.row("train_resnet").click()
    resume = panel.button("Resume")
    expect(resume).to_have_attribute("aria-disabled", "true")
    expect(resume).to_have_attribute("title", "Resume: It is not paused.")
    resume.click(force=True)
    expect(panel.row("train_resnet")).to_have_attribute("data-status", "running")


def test_stop_asks_once_with_cancel_focused(panel: PanelPage) -> None:
    """The question names what ends, children counted; Enter on it cancels; Stop stops."""
    panel.row("train_resnet").click()
    panel.action("Stop")
    expect(panel.dialog).to_contain_text("Ends train_resnet and 4 workers, 1 command; unsaved memory is lost.")
    expect(panel.dialog.get_by_role("button", name="Cancel")).to_be_focused()
    panel.page.keyboard.press("Enter")
    expect(panel.dialog).to_be_hidden()
    expect(panel.row("train_resnet")).to_have_attribute("data-status", "running")
    panel.action("Stop")
    panel.dialog.get_by_label("Reason (optional)").fill("wrong data")
    panel.dialog.get_by_role("button", name="Stop", exact=True).click()
    panel.group("Ended", opened=True)
    expect(panel.row("train_resnet")).to_have_attribute("data-status", "stopped")
    expect(panel.answer).to_contain_text("stopped")
    expect(panel.tab("Requests")).to_contain_text("wrong data")


def test_stopping_a_notebook_offers_to_keep_its_memory(panel: PanelPage) -> None:
    """Stop the run and keep the kernel's memory, or shut the kernel down: the question says what each ends."""
    panel.row("analysis.ipynb").click()
    panel.action("Stop")
    expect(panel.dialog.get_by_label("Stop the run and keep the kernel's memory")).to_be_checked()
    expect(panel.dialog).to_contain_text("the kernel and its memory stay")
    panel.dialog.get_by_label("Shut the kernel down").check()
    expect(panel.dialog).to_contain_text("unsaved memory is lost")
    panel.dialog.get_by_role("button", name="Cancel").click()


def test_a_waiting_request_says_why_and_can_be_withdrawn(panel: PanelPage) -> None:
    """Not yet, because …: and two ways out, withdraw and now."""
    etl = panel.row("etl")
    expect(etl).to_contain_text("in cell 14, pandas.merge; no checkpoint for 41 s")
    etl.get_by_role("button", name="withdraw").click()
    expect(etl).to_have_attribute("data-status", "running")


def test_a_waiting_request_can_be_made_now(panel: PanelPage) -> None:
    """Escalation does not wait for the checkpoint."""
    panel.row("etl").get_by_role("button", name="now").click()
    expect(panel.row("etl")).to_have_attribute("data-status", "paused")


def test_cells_and_errors(panel: PanelPage) -> None:
    """Cells tell code, outcome and duration; the traceback is readable, the user's own frames stand out."""
    panel.row("sweep-3").click()
    cells = panel.tab("Cells")
    expect(cells.locator("[data-cell='3']")).to_contain_text("error")
    expect(cells).to_contain_text("private cell")
    errors = panel.tab("Errors")
    expect(errors.locator(".tv-Traceback .tv-mod-own")).to_have_count(2)
    expect(errors).to_contain_text("KeyError: 'lr'")


def test_the_log_is_live_and_searchable(panel: PanelPage) -> None:
    """The log follows its end; stderr is marked; a search goes through the whole of it."""
    panel.row("train_resnet").click()
    logs = panel.tab("Logs")
    expect(logs.locator("[data-stream='stderr']").first).to_be_visible()
    expect(logs.get_by_text(re.compile("step 02[4-9]")).last).to_be_visible()  # from 02400 on: written meanwhile
    logs.get_by_role("searchbox").fill("step 00042")
    expect(logs.locator(".tv-LogLine")).to_have_count(1)
    expect(logs.locator("mark")).to_have_text("step 00042")


def test_progress_is_plotted(panel: PanelPage) -> None:
    """Record lists become plots with their latest value; CPU and memory, too; the files being made are listed."""
    panel.row("train_resnet").click()
    progress = panel.tab("Progress")
    expect(progress.get_by_role("figure", name="accuracy 0.9169")).to_be_visible()
    expect(progress.locator("canvas")).to_have_count(4)
    expect(progress).to_contain_text("model.ckpt")
    expect(progress).to_contain_text("being written")


def test_tree_and_post_mortem(panel: PanelPage) -> None:
    """The operating system's tree lists what was not recorded; a lost process has a post-mortem."""
    panel.row("train_resnet").click()
    expect(panel.tab("Tree")).to_contain_text("git")
    panel.row("gpu_probe").click()
    post_mortem = panel.tab("Post-mortem")
    expect(post_mortem).to_contain_text("out of memory")
    expect(post_mortem).to_contain_text("ffmpeg")


def test_filter(panel: PanelPage) -> None:
    """The filter finds by any field, opens what matches, and says how to get everything back."""
    filter_box = panel.panel.get_by_role("searchbox", name="Filter processes")
    filter_box.fill("sweep-2")
    expect(panel.row("sweep-24")).to_be_visible()
    expect(panel.row("train_resnet")).to_have_count(0)
    filter_box.fill("no such thing")
    panel.panel.get_by_role("button", name="Show all").click()
    expect(panel.row("train_resnet")).to_be_visible()


def test_keyboard_only(panel: PanelPage) -> None:
    """Arrow keys walk, Enter opens, P and R pause and resume, Delete asks."""
    page = panel.page
    panel.tree.focus()
    page.keyboard.press("Home")
    expect(panel.tree).to_have_attribute("aria-activedescendant", "tv-row-running")
    page.keyboard.press("ArrowLeft")
    expect(panel.row("ffmpeg")).to_have_count(0)
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    expect(panel.row("ffmpeg")).to_have_attribute("aria-selected", "true")
    page.keyboard.press("p")
    expect(panel.row("ffmpeg")).to_have_attribute("data-status", "paused")
    page.keyboard.press("r")
    expect(panel.row("ffmpeg")).to_have_attribute("data-status", "running")
    page.keyboard.press("Delete")
    expect(panel.dialog).to_contain_text("Stop ffmpeg?")
    expect(panel.dialog.get_by_role("button", name="Cancel")).to_be_focused()
    page.keyboard.press("Escape")
    expect(panel.dialog).to_be_hidden()
    page.keyboard.press("Shift+ArrowDown")
    expect(panel.panel).to_contain_text("2 processes")


def test_several_at_once(panel: PanelPage) -> None:
    """What is chosen together is paused together."""
    panel.row("ffmpeg").click()
    panel.row("train_resnet").click(modifiers=["Control"])
    expect(panel.panel).to_contain_text("2 processes")
    panel.action("Pause")
    for name in ("ffmpeg", "train_resnet"):
        expect(panel.row(name)).to_have_attribute("data-status", "paused")


def test_run_again(panel: PanelPage) -> None:
    """The same command line, changed before it starts."""
    panel.row("ffmpeg").click(button="right")
    panel.page.get_by_role("menuitem", name="Run Again…").click()
    command = panel.dialog.get_by_label("Command")
    expect(command).to_have_value("ffmpeg -i 'take 1.mov' -c:v libx265 out.mp4")
    command.fill("ffmpeg -i 'take 2.mov")
    panel.dialog.get_by_role("button", name="Run").click()
    expect(panel.dialog).to_contain_text("A quotation mark is not closed.")
    panel.dialog.get_by_label("Command").fill("ffmpeg -i 'take 2.mov' out.mp4")
    panel.dialog.get_by_role("button", name="Run").click()
    expect(panel.answer).to_contain_text("ffmpeg runs again (run 2)")
    expect(panel.panel.locator(".tv-DetailHead")).to_contain_text("#2")


def test_a_failure_is_notified(panel: PanelPage, lab: Lab) -> None:
    """A process that fails is told of, and one click shows it."""
    toast = panel.page.get_by_role("alert").filter(has_text="ffmpeg failed: exit code 1")
    with panel.toasts_stay():
        change(lab, "p-ffmpeg", status="failed", error="exit code 1", resources=None)
        toast.get_by_role("button", name="Show").click()
    expect(panel.panel.locator(".tv-DetailHead")).to_contain_text("ffmpeg")


def test_the_status_bar_counts(panel: PanelPage) -> None:
    """Running, paused and failed are counted; a click opens the panel."""
    counts = panel.page.get_by_role("button", name="Processes: 8 running, 2 paused, 2 failed")
    expect(counts).to_be_visible()
    panel.command("application:toggle-right-area")
    expect(panel.tree).to_be_hidden()
    counts.click()
    expect(panel.tree).to_be_visible()


def test_a_hidden_panel_asks_nothing(panel: PanelPage, lab: Lab) -> None:
    """Hidden, the panel leaves the server alone, whatever CPU figures change; shown, it asks again."""
    expect(panel.row("ffmpeg")).to_be_visible()
    panel.command("application:toggle-right-area")
    expect(panel.tree).to_be_hidden()

    def quiet() -> bool:
        calls = lab.call("tablevault/api/fake")["calls"]
        panel.page.wait_for_timeout(11_000)  # longer than the poll's longest interval
        return bool(lab.call("tablevault/api/fake")["calls"] == calls)

    wait_until(quiet, "nothing is asked once what was under way has come in", SLOW_MACHINE)
    panel.open()
    expect(panel.row("ffmpeg")).to_be_visible()


def test_two_tabs_agree(panel: PanelPage, context: BrowserContext, lab: Lab) -> None:
    """What is paused in one tab is paused in the other."""
    other = context.new_page()
    try:
        other.goto(lab.url.replace("/lab?", "/lab/workspaces/other?"))
        second = PanelPage(other).open()
        second.row("ffmpeg").click()
        second.action("Pause")
        expect(panel.row("ffmpeg")).to_have_attribute("data-status", "paused")
    finally:
        other.close()


def test_a_paused_notebook_says_so_and_one_click_ends_it(panel: PanelPage, lab: Lab) -> None:
    """A notice above the cells; Resume in it; a jump to the failing cell; a button in the notebook's toolbar."""
    page = panel.page
    (lab.root / "analysis.ipynb").write_text(json.dumps(NOTEBOOK))
    panel.command("docmanager:open", path="analysis.ipynb")
    kernel = page.wait_for_function("jupyterapp.shell.currentWidget?.sessionContext?.session?.kernel?.id").json_value()
    change(lab, "p-analysis-ipynb", kernel_id=kernel)
    toolbar_button = page.locator(".jp-NotebookPanel-toolbar [data-jp-item-name='tablevault-toggle']")
    expect(toolbar_button).to_be_visible()
    panel.row("analysis.ipynb").click()
    panel.action("Pause")
    notice = page.locator(".jp-NotebookPanel").get_by_role("alert")
    expect(notice).to_contain_text("Paused by ana")
    notice.get_by_role("button", name="Resume").click()
    expect(notice).to_be_hidden()
    panel.tab("Cells").locator("[data-cell='3']").get_by_role("button").click()
    expect(page.locator(".jp-Notebook-cell.jp-mod-active")).to_contain_text("config['lr']")
    expect(page.locator(".jp-Notebook-cell.jp-mod-active")).to_be_in_viewport()


def test_the_server_restarts_meanwhile(panel: PanelPage, lab: Lab) -> None:
    """Unreachable, the panel says so and keeps what it knew; back again, it goes on by itself."""
    expect(panel.row("ffmpeg")).to_be_visible()
    panel.close_dialogs()
    lab.stop()
    expect(panel.panel).to_contain_text("The server cannot be reached")
    expect(panel.row("ffmpeg")).to_be_visible()
    lab.start()
    expect(panel.panel).not_to_contain_text("The server cannot be reached")
    panel.row("ffmpeg").click()
    panel.action("Pause")
    expect(panel.row("ffmpeg")).to_have_attribute("data-status", "paused")
