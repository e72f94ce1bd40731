"""Callers without rights, wrong methods, and input that nobody should send."""

from __future__ import annotations

import json
import os
import urllib.parse
from typing import Any

import pytest
from jupyter_server.auth.authorizer import Authorizer
from tornado.web import create_signed_value

from tablevault_ext.identity import Identity
from tablevault_ext.journal.names import claim_name
from tablevault_ext.journal.writer import JournalWriter
from tablevault_ext.model import new_process_id
from tablevault_ext.paths import VaultPaths

from .conftest import Fetch
from .test_answers import holds
from .test_contract import SPEC, implemented


@pytest.fixture
def process_id(vault: VaultPaths) -> str:
    """This very process as a recorded one that lives."""
    process_id = new_process_id()
    claim_name(vault, "train", process_id, Identity.mine())
    journal = JournalWriter(vault.journal(process_id), process_id)
    fields = {"kind": "script", "status": "running", "identity": Identity.mine().to_json(), "name": "train", "run": 1}
    journal.append("process_started", **fields, user_id="ana", argv=["train.py"], cwd=os.fspath(vault.root))
    journal.close()
    return process_id


def address(path: str, process_id: str) -> str:
    return path.strip("/").format(process_id=process_id, seq=0, request_id="r1")


def body_of(method: str) -> dict[str, Any]:
    return {"method": method.upper()} | ({"body": {"action": "pause"}} if method == "post" else {})


def test_without_a_token_nothing_is_told(fetch: Fetch, process_id: str) -> None:
    """Unauthenticated: 403 for every endpoint, as JSON."""
    for path, method in sorted(implemented()):
        status, told = fetch(address(path, process_id), headers={"Authorization": "token wrong"}, **body_of(method))
        assert (status, told["reason"]) == (403, "forbidden"), path
        holds(told, path, method, "403")


class ReadOnly(Authorizer):
    """Lets users look."""

    def is_authorized(self, handler: Any, user: Any, action: str, resource: str) -> bool:
        return action == "read"


class Nobody(Authorizer):
    def is_authorized(self, handler: Any, user: Any, action: str, resource: str) -> bool:
        return resource not in ("tablevault", "tablevault:requests")


@pytest.fixture
def authorizer(request: pytest.FixtureRequest, extension: Any) -> None:
    extension.server_app.web_app.settings["authorizer"] = request.param(parent=extension.server_app)


@pytest.mark.parametrize("authorizer", [ReadOnly], indirect=True)
def test_a_reader_looks_but_does_not_touch(authorizer: None, fetch: Fetch, process_id: str, vault: VaultPaths) -> None:
    """GETs work and say that control is not permitted; requests, withdrawals and runs are refused and do nothing."""
    status, told = fetch("status")
    assert (status, told["can_control"], told["can_run"]) == (200, False, False)
    assert fetch("processes")[0] == 200
    assert fetch(f"processes/{process_id}")[0] == 200
    for path, method in (("requests", "POST"), ("run-again", "POST")):
        status, told = fetch(f"processes/{process_id}/{path}", method, {})
        assert (status, told["reason"]) == (403, "forbidden")
    assert fetch("requests/r1", "DELETE")[0] == 403
    assert not vault.inbox(process_id).exists()


@pytest.mark.parametrize("authorizer", [Nobody], indirect=True)
def test_who_may_nothing_sees_nothing(authorizer: None, fetch: Fetch, process_id: str) -> None:
    """Unauthorized for reading, too."""
    for path, method in sorted(implemented()):
        assert fetch(address(path, process_id), **body_of(method))[0] == 403, path


def test_xsrf_is_kept(fetch: Fetch, process_id: str, vault: VaultPaths, extension: Any, jp_http_port: int) -> None:
    """A browser's cookie alone does not do for what changes something; with the XSRF token it does."""
    settings = extension.server_app.web_app.settings
    user = json.dumps(dict.fromkeys(("username", "name", "display_name", "initials", "color", "avatar_url"), "ana"))
    cookie = f"username-localhost-{jp_http_port}"
    signed = create_signed_value(settings["cookie_secret"], cookie, user).decode()
    browser = {"Authorization": "", "Host": f"localhost:{jp_http_port}", "Cookie": f"{cookie}={signed}"}
    assert fetch("status", headers=browser)[0] == 200
    assert fetch(f"processes/{process_id}/requests", "POST", {"action": "pause"}, headers=browser)[0] == 403
    assert not vault.inbox(process_id).exists()
    browser |= {"Cookie": f"{browser['Cookie']}; _xsrf=known", "X-XSRFToken": "known"}
    assert fetch(f"processes/{process_id}/requests", "POST", {"action": "pause"}, headers=browser)[0] == 201


def test_other_methods_are_refused(fetch: Fetch, process_id: str) -> None:
    """405, as JSON, for every method that the contract does not name."""
    for path, item in SPEC["paths"].items():
        for method in {"get", "post", "delete", "put", "patch"} - set(item):
            options = {"body": {}} if method in ("post", "put", "patch") else {}
            status, told = fetch(address(path, process_id), method.upper(), **options)
            assert status == 405 and told["message"], (path, method, status, told)


IDS = [
    "..%2F..%2Fetc%2Fpasswd",
    "%00",
    "a%00b",
    "%F0%9F%92%A5",
    "x" * 5000,
    "'; DROP TABLE processes; --",
    "%ff%fe",
    "%0d%0aX-Injected: 1",
    "unknown",
]


def test_hostile_ids_name_no_process(fetch: Fetch, process_id: str) -> None:
    """404 (400 for what is no text), with a message."""
    for each in IDS:
        hostile = each if "%" in each else urllib.parse.quote(each, safe="")
        for path in (f"processes/{hostile}", f"processes/{hostile}/logs", f"requests/{hostile}"):
            status, told = fetch(path)
            assert status in (400, 404), (path, status, told)
            assert told["message"] and "Traceback" not in told["message"]


def test_a_misspelt_name_is_answered_with_near_ones(fetch: Fetch, process_id: str) -> None:
    """A name addresses its newest run, as everywhere."""
    assert "did you mean 'train'" in fetch("processes/tran")[1]["message"]
    assert fetch("processes/train")[1]["process"]["process_id"] == process_id


BODIES = [
    (b"", "action is missing"),
    (b"{", "not JSON"),
    (b"[" * 100_000, "not JSON"),
    (b"[]", "must be a JSON object, not a list"),
    (b"null", "must be a JSON object, not null"),
    (b'{"action": "explode"}', "action must be one of stop, pause, resume; it was 'explode'"),
    (b'{"action": ["stop"]}', "action must be one of"),
    (b'{"action": "stop", "grace": -5}', "grace must be a number of seconds, 0 to 86400; it was -5"),
    (b'{"action": "stop", "grace": NaN}', "grace must be a number"),
    (b'{"action": "stop", "grace": 1e999}', "grace must be a number"),
    (b'{"action": "stop", "grace": "30"}', "grace must be a number"),
    (b'{"action": "stop", "grace": true}', "grace must be a number"),
    (b'{"action": "stop", "now": 1}', "now must be true or false"),
    (b'{"action": "stop", "reason": 7}', "reason must be a string"),
    (b'{"action": "stop", "reason": "' + b"x" * 10_001 + b'"}', "reason must have 0 to 10000 characters"),
    (b'{"action": "stop", "graec": 1}', "'graec' is no field here"),
    (b'{"action": "stop", "now": true, "keep_kernel": true}', "keep_kernel"),
    (b'{"action": "pause", "reason": "' + b"x" * 10_000_000 + b'"}', "at most 1048576 are accepted"),
    (b"\xff\xfe", "not JSON"),
]


def test_bad_bodies_are_named(fetch: Fetch, process_id: str, vault: VaultPaths) -> None:
    """400, and the message names the field, what it must be and what it was; nothing was requested."""
    for body, message in BODIES:
        status, told = fetch(f"processes/{process_id}/requests", "POST", body)
        assert (status, told["reason"]) == (400, "invalid"), (body[:99], told)
        assert message in told["message"], body[:99]
        holds(told, "/processes/{process_id}/requests", "post", "400")
    assert not vault.inbox(process_id).exists()


QUERIES = [
    ("processes?limit=0", "limit must be a whole number, 1 to 10000"),
    ("processes?limit=1e3", "limit must be a whole number"),
    ("processes?ended_within=nan", "ended_within must be a number"),
    ("processes?status=running,gone", "status must be some of running"),
    ("processes?mine=1", "mine must be true or false"),
    ("processes?foo=1", "'foo' is no query parameter here"),
    ("processes?since=-1", "since must be"),
    ("status?x=1", "'x' is no query parameter here; known: none"),
    ("processes/ID/cells?before=x", "before must be"),
    ("processes/ID/logs?stdout_from=1&stdout_to=2", "exclude each other"),
    ("processes/ID/logs?stream=stdlog", "stream must be one of all, stdout, stderr"),
    ("processes/ID/logs/search", "q is missing"),
    ("processes/ID/logs/search?q=", "q must have 1 to 1000 characters"),
    ("processes/ID/impact", "action is missing"),
    ("processes/ID/resources?seconds=0", "seconds must be"),
    ("processes/ID/metrics?points=5", "points must be"),
]


def test_bad_queries_are_named(fetch: Fetch, process_id: str) -> None:
    """400 with the parameter's name."""
    for path, message in QUERIES:
        status, told = fetch(path.replace("ID", process_id))
        assert (status, told["reason"]) == (400, "invalid"), (path, told)
        assert message in told["message"]


def test_jupyterlabs_own_parameters_do_no_harm(fetch: Fetch, process_id: str) -> None:
    """It adds a bare number against caches."""
    assert fetch("processes?1700000000000=")[0] == 200


RUNS = [
    ({"argv": []}, 400, "argv must have 1 to 10000 items"),
    ({"argv": "ls"}, 400, "argv must be a list of strings"),
    ({"argv": ["a\0b"]}, 400, "none of them NUL"),
    ({"argv": ["no-such-program-anywhere"], "name": "x"}, 400, "There is no program"),
    ({"argv": ["missing.py"], "name": "x"}, 400, "There is no script 'missing.py'"),
    ({"argv": ["--help"], "name": "x"}, 400, "is no program"),
    ({"argv": ["ls"], "cwd": "/no/such/place", "name": "x"}, 400, "is not there"),
    ({"argv": ["ls"], "name": "a/b"}, 400, "contains a slash"),
    ({"argv": ["ls"], "name": 7}, 400, "name must be a string"),
    ({"argv": ["ls"]}, 409, "train#1 is still there"),
    ({"shell": "rm -rf /"}, 400, "'shell' is no field here"),
]


def test_bad_runs_start_nothing(fetch: Fetch, process_id: str, vault: VaultPaths) -> None:
    """The command line is checked before anything is started."""
    for body, expected, message in RUNS:
        status, told = fetch(f"processes/{process_id}/run-again", "POST", body)
        assert status == expected, (body, told)
        assert message in told["message"], body
    started = {path.name for path in vault.journals.iterdir() if "keeper" not in path.name}
    assert started == {f"{process_id}.ndjson"}
