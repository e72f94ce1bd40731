"""Draw the README's picture of the panel from a real run: `python -m tests.panel.screenshot docs/panel.png`.

A notebook and three training runs, one of them paused, one failed; nothing in the picture is made up.
Add `dark` for the dark theme.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from playwright.sync_api import Page, expect, sync_playwright

from tests.labextension.chromium import FLAGS, chromium
from tests.labextension.panel import PanelPage
from tests.support import wait_until

from .stage import SLOW_MACHINE, Stage, set_stage

SIZE = {"width": 1120, "height": 720}
EPOCHS = 900
NOTEBOOK = {
    "load": "%load_ext tablevault_ext\nfrom tablevault_ext import Vault\n\nvault = Vault()",
    "data": 'import random\n\nseeds = [random.Random(n).random() for n in range(5_000)]\nf"{len(seeds)} samples"',
    "loop": 'import time\n\nfound = []\nfor seed in vault.track(seeds, desc="sample"):\n'
    "    found.append(seed ** 2)\n    time.sleep(0.02)  # the work",
}


def play(stage: Stage, page: Page) -> None:
    """Run it all up to the moment that is drawn."""
    panel = PanelPage(page).open()
    page.evaluate("() => jupyterapp.commands.execute('application:toggle-left-area').then(() => null)")
    stage.train("train_resnet", epochs=EPOCHS, seconds=0.05)
    stage.train("ingest", epochs=5_000, seconds=0.05)
    stage.train("sweep-3", fails_at=5)
    stage.notebook(page, "analysis.ipynb", NOTEBOOK)
    stage.run_cells(page, "load", "data", "loop")
    panel.row("ingest").click()
    page.evaluate("() => jupyterapp.commands.execute('tablevault:pause')")
    expect(panel.row("ingest")).to_have_attribute("data-status", "paused")
    panel.row("train_resnet").click()
    loss = panel.tab("Progress").get_by_role("figure", name="loss")
    expect(loss).to_be_visible()
    wait_until(lambda: stage.beat("train_resnet") > EPOCHS // 3, "the loss has fallen", SLOW_MACHINE)
    expect(loss.locator("canvas")).to_be_visible()
    expect(panel.row("analysis.ipynb").locator(".tv-Sparkline")).to_be_visible()
    expect(page.locator(".Toastify__toast")).to_have_count(0)  # the failure's notification has had its time


def draw(path: Path, theme: str) -> None:
    """Write the picture as PNG."""
    with set_stage() as stage, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=list(FLAGS))
        page = browser.new_page(viewport=SIZE)
        page.set_default_timeout(SLOW_MACHINE * 1000)
        expect.set_options(timeout=SLOW_MACHINE * 1000)
        page.goto(stage.lab.url)
        page.wait_for_selector(".jp-LauncherCard")
        PanelPage(page).theme(theme)
        play(stage, page)
        page.screenshot(path=str(path))
        browser.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("path", type=Path)
    parser.add_argument("theme", nargs="?", choices=["light", "dark"], default="light")
    options = parser.parse_args()
    draw(options.path, options.theme)
