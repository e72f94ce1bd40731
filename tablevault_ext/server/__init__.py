"""The Jupyter Server extension: `/tablevault/api/...` and the change signals of the panel."""

from typing import Any


def _load_jupyter_server_extension(server_app: Any) -> None:
    """Called by Jupyter Server once, when it starts."""
    # Here, not above: a kernel that imports a part of this package must not import jupyter_server.
    from .application import load

    load(server_app)
