"""The panel in a real JupyterLab and Chromium: click → paused, opening with many processes, size of the extension.

python -m tests.benchmarks.bench_panel
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import textwrap
from contextlib import closing
from pathlib import Path

from playwright.sync_api import Page, Playwright, expect, sync_playwright

from tablevault_ext.identity import Identity
from tablevault_ext.journal.writer import JournalWriter
from tablevault_ext.model import new_process_id
from tablevault_ext.paths import open_vault
from tests.labextension.chromium import FLAGS, chromium
from tests.labextension.panel import PanelPage
from tests.panel.stage import SLOW_MACHINE, Stage, set_stage

ROUNDS = 15
FEW, MANY = 10, 1000

# Measured where it happens, in the page: from the click to the frame in which the row says so.
CLICK = """
([name, button, status]) => new Promise(done => {
  const panel = document.querySelector('.tv-Panel');
  const row = [...panel.querySelectorAll('.tv-Row[data-process]')]
    .find(each => each.querySelector('.tv-Name').textContent === name);
  const process = row.dataset.process, began = performance.now();
  const look = () => panel.querySelector(`.tv-Row[data-process="${process}"]`)?.dataset.status === status
    ? done(performance.now() - began) : requestAnimationFrame(look);
  panel.querySelector(`.tv-DetailHead .tv-mod-${button}`).click();
  look();
})
"""
# From the command to the frame after the one in which the rows were drawn.
OPEN = """
rows => new Promise(done => {
  const began = performance.now();
  const look = () => document.querySelectorAll('.tv-Panel .tv-Row[data-process]').length >= rows
    ? requestAnimationFrame(() => done(performance.now() - began)) : requestAnimationFrame(look);
  void jupyterapp.commands.execute('tablevault:show-panel');
  look();
})
"""
ASK = """
import statistics, sys, time
from tablevault_ext import Vault
vault = Vault(process_name="asker")
times = []
for _ in range(int(sys.argv[1])):
    began = time.perf_counter()
    vault.pause_execution("loop", wait=30)
    times.append(time.perf_counter() - began)
    vault.resume_execution("loop", wait=30)
print(statistics.median(times))
"""


def open_page(stage: Stage, playwright: Playwright) -> Page:
    browser = playwright.chromium.launch(executable_path=chromium(), args=list(FLAGS))
    page = browser.new_page(viewport={"width": 1400, "height": 900})
    page.set_default_timeout(SLOW_MACHINE * 1000)
    expect.set_options(timeout=SLOW_MACHINE * 1000)
    page.goto(stage.lab.url)
    page.wait_for_selector(".jp-LauncherCard")
    return page


def bench_pause() -> None:
    with set_stage() as stage, sync_playwright() as playwright:
        stage.train("loop", epochs=10_000_000)
        page = open_page(stage, playwright)
        panel = PanelPage(page).open()
        panel.row("loop").click()
        clicked, asked = [], []
        for _ in range(3):  # in turns, so that a busy machine slows both
            for _ in range(ROUNDS // 3):
                clicked.append(page.evaluate(CLICK, ["loop", "pause", "paused"]))
                page.evaluate(CLICK, ["loop", "resume", "running"])
            asker = [sys.executable, "-c", textwrap.dedent(ASK), str(ROUNDS // 3)]
            out = subprocess.run(
                asker, check=True, capture_output=True, text=True, env=os.environ | stage.lab.environment
            ).stdout
            asked.append(float(out) * 1000)
        ours, api = statistics.median(clicked), statistics.median(asked)
        print(f"click → panel shows paused: median {ours:.0f} ms, slowest {max(clicked):.0f} ms")
        print(f"the same through the Python API: median {api:.0f} ms; the panel is {ours - api:+.0f} ms (goal +300)")


def fill(stage: Stage, count: int) -> None:
    """Processes as journals tell of them, all running: each claims to be this very process."""
    paths = open_vault(Path(stage.lab.environment["TABLEVAULT_HOME"]))
    me = Identity.mine().to_json()
    for number in range(count):
        process_id = new_process_id()
        with closing(JournalWriter(paths.journal(process_id), process_id)) as journal:
            start = {"kind": "script", "status": "running", "identity": me, "name": f"train-{number}", "run": 1}
            journal.append("process_started", **start, user_id="ana", argv=["train.py"], path="/home/ana/train.py")
            journal.append("cell_started", seq=0, code="import torch")
            journal.append("progress", done=3, total=10, desc="epochs", rate=0.5, elapsed=6.0)


def opening(playwright: Playwright, count: int) -> float:
    """Milliseconds from the command to the painted list, median of several openings."""
    with set_stage() as stage:
        fill(stage, count)
        page = open_page(stage, playwright)
        page.get_by_role("button", name=f"Processes: {count} running").wait_for()
        times = []
        for _ in range(ROUNDS):
            times.append(page.evaluate(OPEN, 5))
            expect(PanelPage(page).tree).to_contain_text(f"Running{count}")
            page.evaluate("() => jupyterapp.commands.execute('application:toggle-right-area').then(() => null)")
            expect(PanelPage(page).tree).to_be_hidden()
        page.context.browser.close()
        median = statistics.median(times)
        print(f"opening with {count:5} processes → painted: first {times[0]:.0f} ms, median {median:.0f} ms")
        return median


def bench_opening() -> None:
    with sync_playwright() as playwright:
        few, many = opening(playwright, FEW), opening(playwright, MANY)
        print(f"opening with {MANY} costs {many / few:.1f} x that with {FEW} (goal 3)")


def bench_size() -> None:
    built = Path(sys.prefix, "share", "jupyter", "labextensions", "tablevault-ext")
    size = sum(file.stat().st_size for file in built.rglob("*") if file.is_file())
    print(f"built extension: {size / 1000:.0f} kB (goal 400)")


if __name__ == "__main__":
    bench_size()
    bench_opening()
    bench_pause()
