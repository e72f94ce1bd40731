"""A vault for a process that records itself and then ends."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile


def use_temporary_vault() -> None:
    """Set TABLEVAULT_HOME; the directory goes at exit. To be called before tablevault_ext is imported."""
    folder = tempfile.mkdtemp()
    # Registered first, so run last: when the vault is no longer written.
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    os.environ["TABLEVAULT_HOME"] = f"{folder}/vault"
