"""Looking on: what runs, what failed, the log, the plots, in both themes."""

from __future__ import annotations

import contextlib
import re

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.labextension.panel import PanelPage
from tests.support import wait_until

from .stage import SLOW_MACHINE, Stage

pytestmark = pytest.mark.timeout(600)  # a JupyterLab, kernels and a browser start, on whatever machine

SWEEP = {
    "load": "%load_ext tablevault_ext",
    "config": "config = {'epochs': 3}\n\ndef rate(config):\n    return config['lr']",
    **{f"notes-{n}": f"# notes {n}" + "\n" * 25 for n in range(6)},
    "fails": "rate(config)",
}


@pytest.fixture(scope="module", autouse=True)
def playing(stage: Stage, page: Page) -> None:
    """A training run, and a notebook whose last cell failed."""
    PanelPage(page).open()
    stage.train("train_resnet")
    stage.notebook(page, "sweep.ipynb", SWEEP)
    stage.run_cells(page, "load", "config", "fails")


def test_a_notebook_and_a_script_are_seen(panel: PanelPage) -> None:
    """Both are listed as running, in words; the script with its progress; the status bar counts them."""
    expect(panel.tree.get_by_role("treeitem", name="sweep.ipynb, idle")).to_be_visible()
    expect(panel.tree.get_by_role("treeitem", name="train_resnet, running")).to_be_visible()
    expect(panel.row("train_resnet").get_by_role("progressbar")).to_be_visible()
    expect(panel.row("train_resnet")).to_contain_text("train.py")
    expect(panel.row("train_resnet").locator(".tv-Memory")).to_have_text(re.compile(r"\d"))
    expect(panel.page.get_by_role("button", name="Processes: 2 running")).to_be_visible()


def test_from_the_traceback_to_the_failing_cell(panel: PanelPage) -> None:
    """The traceback reads well: plain text, own frames marked; its cell is one click away."""
    panel.row("sweep.ipynb").click()
    errors = panel.tab("Errors")
    expect(errors.locator(".tv-ErrorType")).to_have_text("KeyError")
    traceback = errors.locator(".tv-Traceback")
    expect(traceback).to_contain_text("return config['lr']")
    expect(traceback).not_to_contain_text("\x1b")
    expect(traceback.locator(".tv-mod-own")).to_have_count(2)  # the cell, and the function it called
    _scroll_to_top(panel.page)
    errors.get_by_role("button", name="cell").click()
    expect(_active_cell(panel.page)).to_contain_text("rate(config)")
    expect(_active_cell(panel.page)).to_be_in_viewport()


def test_the_list_of_cells_leads_to_the_failing_one(panel: PanelPage) -> None:
    """Each cell has its outcome in a word; a click jumps to it."""
    panel.row("sweep.ipynb").click()
    failed = panel.tab("Cells").locator(".tv-Cell.tv-mod-error")
    expect(failed).to_contain_text("KeyError: 'lr'")
    _scroll_to_top(panel.page)
    failed.get_by_role("button").click()
    expect(_active_cell(panel.page)).to_contain_text("rate(config)")
    expect(_active_cell(panel.page)).to_be_in_viewport()


def test_the_log_is_tailed(panel: PanelPage) -> None:
    """New lines come by themselves, the end stays in sight, stderr is marked, and the whole is searched."""
    panel.row("train_resnet").click()
    logs = panel.tab("Logs")
    last = logs.locator("[data-stream='stdout']").last
    expect(last).to_contain_text("epoch")
    seen = wait_until(lambda: _epoch(last), "a whole line", SLOW_MACHINE)
    wait_until(lambda: _epoch(last) > seen + 50, "new lines come", SLOW_MACHINE)
    expect(logs.locator("[data-stream='stdout']").last).to_be_in_viewport()
    logs.get_by_role("searchbox").fill("learning rate")
    expect(logs.locator(".tv-LogLine")).to_have_count(1)
    expect(logs.locator(".tv-LogLine")).to_have_attribute("data-stream", "stderr")
    expect(logs.locator("mark")).to_have_text("learning rate")
    logs.get_by_role("searchbox").fill("")


def test_records_are_plotted_as_they_come(panel: PanelPage) -> None:
    """The loss is a curve that goes on; CPU and memory have curves, too; the files being made are listed."""
    panel.row("train_resnet").click()
    progress = panel.tab("Progress")
    for name in ("loss", "accuracy", "CPU", "Memory"):
        figure = progress.get_by_role("figure", name=name)
        expect(figure).to_have_count(1)
        expect(figure.locator("canvas")).to_have_count(1)
    loss = progress.get_by_role("figure", name="loss")
    wait_until(lambda: _pixels(loss)["inked"] > 50, "the curve is drawn", SLOW_MACHINE)
    before = _pixels(loss)["picture"]
    wait_until(lambda: _pixels(loss)["picture"] != before, "it goes on", SLOW_MACHINE)
    expect(progress).to_contain_text("train_resnet.ckpt")


def test_filter(panel: PanelPage) -> None:
    """What does not match is hidden; a filter that hides everything says so and how to go back."""
    filter_box = panel.panel.get_by_role("searchbox", name="Filter processes")
    filter_box.fill("resnet")
    expect(panel.row("sweep.ipynb")).to_have_count(0)
    expect(panel.row("train_resnet")).to_be_visible()
    filter_box.fill("no such thing")
    panel.panel.get_by_role("button", name="Show all").click()
    expect(panel.row("sweep.ipynb")).to_be_visible()


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_words_are_legible(panel: PanelPage, theme: str) -> None:
    """In both themes every text of the panel has the contrast that WCAG 2.2 AA asks for (1.4.3: 4.5)."""
    panel.theme(theme)
    panel.row("sweep.ipynb").click()
    for tab in ("Cells", "Errors"):
        panel.tab(tab)
        expect(panel.panel.get_by_role("tabpanel").locator(".tv-List")).to_be_visible()
        _is_legible(panel)
    panel.row("train_resnet").click()
    expect(panel.tab("Logs").locator(".tv-LogLine").first).to_be_visible()
    _is_legible(panel)


def _active_cell(page: Page) -> Locator:
    return page.locator(".jp-Notebook-cell.jp-mod-active")


def _scroll_to_top(page: Page) -> None:
    page.evaluate("jupyterapp.shell.currentWidget.content.activeCellIndex = 0")
    page.evaluate("jupyterapp.shell.currentWidget.content.scrollToItem(0)")
    expect(_active_cell(page)).to_contain_text("%load_ext")
    expect(_active_cell(page)).to_be_in_viewport()


def _epoch(line: Locator) -> int:
    """The epoch that a line of the log tells; 0 while only its beginning is there."""
    found = re.search(r"epoch (\d+) ", line.inner_text())
    return int(found[1]) if found else 0


def _pixels(figure: Locator) -> dict:
    """How many pixels of a figure's canvas are drawn on, and the picture itself."""
    pixels: dict = figure.locator("canvas").evaluate(
        "canvas => ({ picture: canvas.toDataURL(), inked: canvas.getContext('2d')"
        ".getImageData(0, 0, canvas.width, canvas.height).data.filter((v, i) => i % 4 === 3 && v > 0).length })"
    )
    return pixels


def _is_legible(panel: PanelPage) -> None:
    """No text is faint; what comes with a transition is given its time."""
    with contextlib.suppress(AssertionError):
        wait_until(lambda: not _faint(panel.panel), "all is legible")
    assert _faint(panel.panel) == []


def _faint(panel: Locator) -> list[str]:
    """The visible texts whose contrast with what lies behind them is too low."""
    found: list[str] = panel.evaluate(CONTRAST)
    return found


CONTRAST = """
root => {
  const parse = text => { const c = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
    c.fillStyle = text; c.fillRect(0, 0, 1, 1); const [r, g, b, a] = c.getImageData(0, 0, 1, 1).data;
    return [r, g, b, a / 255] };
  const over = (top, under) => top.slice(0, 3).map((v, i) => v * top[3] + under[i] * (1 - top[3])).concat(1);
  const light = ([r, g, b]) => [r, g, b].map(v => v / 255)
    .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = node => { const layers = [];
    for (let at = node; at; at = at.parentElement) layers.push(parse(getComputedStyle(at).backgroundColor));
    return layers.reverse().reduce((under, top) => over(top, under), [255, 255, 255, 1]) };
  const visibility = node => { let share = 1;
    for (let at = node; at; at = at.parentElement) share *= Number(getComputedStyle(at).opacity);
    return share };
  const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT), faint = [];
  while (walker.nextNode()) {
    const text = walker.currentNode.textContent.trim(), node = walker.currentNode.parentElement;
    if (!text || !node.checkVisibility({ visibilityProperty: true, opacityProperty: true })) continue;
    const ground = behind(node), colour = parse(getComputedStyle(node).color);
    colour[3] *= visibility(node);
    const pair = [light(over(colour, ground)), light(ground)].sort((a, b) => b - a);
    const ratio = (pair[0] + 0.05) / (pair[1] + 0.05);
    if (ratio < 4.5) faint.push(`${ratio.toFixed(2)} ${node.className}: ${text.slice(0, 40)}`);
  }
  return [...new Set(faint)];
}
"""
