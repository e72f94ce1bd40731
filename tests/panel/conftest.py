"""A stage, a browser and the opened panel, shared by the tests of one module."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page

from tests.labextension.conftest import browser, context, installed, page  # noqa: F401 - fixtures
from tests.labextension.lab import Lab
from tests.labextension.panel import PanelPage

from .stage import Stage, set_stage


@pytest.fixture(scope="module")
def stage(installed: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:  # noqa: F811
    with set_stage(tmp_path_factory.mktemp("lab")) as stage:
        yield stage


@pytest.fixture(scope="module")
def lab(stage: Stage) -> Lab:
    return stage.lab


@pytest.fixture
def panel(page: Page) -> PanelPage:  # noqa: F811
    """The opened panel, without a filter, a choice or a question."""
    return PanelPage(page).open().fresh()
