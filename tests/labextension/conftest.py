"""What the front end's tests share: the installed package, a Chromium, a real JupyterLab."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from .chromium import FLAGS, NoChromiumError, chromium
from .lab import SLOW_MACHINE, Lab, running_lab

expect.set_options(timeout=SLOW_MACHINE * 1000)  # a busy machine is slow, not wrong


def missing(what: str) -> None:
    """Fail under CI, skip elsewhere: a developer may lack a browser, the project's gate may not."""
    if os.environ.get("CI"):
        pytest.fail(what)
    pytest.skip(what)


@pytest.fixture(scope="session")
def installed() -> Path:
    """The directory of the installed lab extension."""
    directory = Path(sys.prefix, "share", "jupyter", "labextensions", "tablevault-ext")
    if not directory.exists():
        missing(f"The lab extension is not installed in {sys.prefix}; run `pip install .` there.")
    return directory


# Not for the session: Playwright starts once in a thread, and tests/panel has this fixture, too.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    try:
        path = chromium()
    except NoChromiumError as error:
        missing(str(error))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(FLAGS), timeout=SLOW_MACHINE * 1000)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def lab(installed: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A real `jupyter lab` with a vault, settings and a working directory of its own."""
    with running_lab(tmp_path_factory.mktemp("lab")) as lab:
        yield lab


@pytest.fixture(scope="module")
def context(browser: Browser) -> Iterator[BrowserContext]:
    context = browser.new_context(viewport={"width": 1400, "height": 900})
    context.set_default_timeout(SLOW_MACHINE * 1000)
    yield context
    context.close()


@pytest.fixture(scope="module")
def page(context: BrowserContext, lab: Lab) -> Page:
    """A browser page in which JupyterLab has started."""
    page = context.new_page()
    page.goto(lab.url)
    # The launcher comes last, and takes the focus.
    page.wait_for_selector(".jp-LauncherCard")
    return page
