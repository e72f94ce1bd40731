"""Programs that run notebooks end their kernels in the time that these need, also on a slow machine."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


def give_kernels_time(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the runners that the test starts from now on wait a minute for the end of a kernel.

    Otherwise jupyter_client terminates it after 2.5 s, before it has written how it ended. Neither `jupyter execute`
    nor papermill has an option for that.
    """
    (folder / "sitecustomize.py").write_text(
        "import sys\n"
        "if any(argument.endswith('.ipynb') for argument in sys.orig_argv):\n"
        "    from jupyter_client.provisioning import KernelProvisionerBase\n"
        "    KernelProvisionerBase.get_shutdown_wait_time = lambda self, recommended=5.0: 60.0\n"
    )
    monkeypatch.setenv("PYTHONPATH", f"{folder}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
