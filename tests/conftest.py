"""Every test has a vault of its own; nothing reaches the user's."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tablevault_ext.paths import VaultPaths, open_vault

from .support import Kernel


@pytest.fixture(autouse=True)
def vault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[VaultPaths]:
    """An empty vault that every process started by the test finds by itself; its keeper ends when it is gone."""
    for name in list(os.environ):
        if name.startswith("TABLEVAULT_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("TABLEVAULT_HOME", str(tmp_path / "vault"))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    paths = open_vault()
    yield paths
    shutil.rmtree(paths.root, ignore_errors=True)


@pytest.fixture
def start_kernel(tmp_path: Path) -> Iterator[Callable[..., Kernel]]:
    """Start real kernels; they are shut down at the end."""
    kernels: list[Kernel] = []

    def start(**options: Any) -> Kernel:
        kernels.append(Kernel(tmp_path, **options))
        return kernels[-1]

    yield start
    for kernel in kernels:
        kernel.close()


@pytest.fixture
def kernel(start_kernel: Callable[..., Kernel]) -> Kernel:
    """A real kernel with the extension loaded."""
    started = start_kernel()
    assert started.run("%load_ext tablevault_ext").status == "ok"
    return started
