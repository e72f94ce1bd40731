"""`openapi.yaml` against the handlers, and every handler's guards."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

import tablevault_ext.server
from tablevault_ext.server.handlers import HANDLERS
from tablevault_ext.server.handlers.base import CONTROL, READ, VaultHandler

SPEC = yaml.safe_load((Path(tablevault_ext.server.__file__).parent / "openapi.yaml").read_text())
METHODS = ("get", "post", "delete", "put", "patch", "head", "options")


def implemented() -> dict[tuple[str, str], Any]:
    """(path as the contract writes it, method) → function."""
    found = {}
    for pattern, handler in HANDLERS:
        path = "/" + re.sub(r"\(\?P<(\w+)>[^)]*\)", r"{\1}", pattern)
        for method in METHODS:
            if method in vars(handler):
                found[path, method] = vars(handler)[method]
    return found


def test_the_contract_and_the_handlers_have_the_same_paths_and_methods() -> None:
    """Nothing is promised that is not there, and nothing is there that is not promised."""
    promised = {(path, method) for path, item in SPEC["paths"].items() for method in item if method in METHODS}
    assert set(implemented()) == promised


@pytest.mark.parametrize("path, method", sorted(implemented()))
def test_every_handler_authenticates_and_authorizes(path: str, method: str) -> None:
    """Both decorators, in the order in which they work; what changes something has a resource of its own."""
    function = implemented()[path, method]
    source = inspect.getsource(function)
    decorators = [line.strip() for line in source.splitlines() if line.strip().startswith("@")]
    assert decorators[0] == "@web.authenticated"
    assert decorators[1:] == ["@authorized"] if method == "get" else ['@permitted("execute", CONTROL)']
    assert (READ, CONTROL) == ("tablevault", "tablevault:requests")


@pytest.mark.parametrize("handler", [handler for _, handler in HANDLERS])
def test_handlers_are_ours(handler: type) -> None:
    """Errors as JSON, XSRF as the server has it: nobody overrides the check."""
    assert issubclass(handler, VaultHandler)
    assert handler.auth_resource == READ
    for each in handler.__mro__[: handler.__mro__.index(VaultHandler) + 1]:
        assert "check_xsrf_cookie" not in vars(each)
