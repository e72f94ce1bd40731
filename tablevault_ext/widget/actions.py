"""Which button makes sense, and why not: the sidebar's rules (`labextension/src/model/actions.ts`)."""

from __future__ import annotations

from dataclasses import dataclass

from ..display.words import count, shown
from ..model import Action, Kind, Status
from ..panel.wire import Json

_ALLOWED = {
    Action.PAUSE: {Status.RUNNING},
    Action.RESUME: {Status.PAUSED, Status.PAUSING},
    Action.STOP: {Status.RUNNING, Status.PAUSING, Status.PAUSED, Status.STOPPING},
}


def why_not(process: Json, action: Action) -> str:
    """Why an action makes no sense now, as a sentence for the tooltip; empty if it does.

    >>> why_not({"status": "running", "refusals": {}, "request": None, "name": "train"}, Action.RESUME)
    'It is not paused.'
    """
    status = Status(process["status"])
    if status.ended:
        return f"{process['name']} has ended ({status})."
    if action.value in process["refusals"]:
        return str(process["refusals"][action.value])
    if status in _ALLOWED[action]:
        stopping = action is Action.STOP and status is Status.STOPPING
        return "It is being stopped already." if stopping and (process["request"] or {}).get("now") else ""
    if status is Status.UNKNOWN:
        return f"Whether {process['name']} is alive cannot be told from here."
    return {
        Action.PAUSE: f"It is {status} already.",
        Action.RESUME: "It is not paused.",
        Action.STOP: f"It is {status}.",
    }[action]


@dataclass(frozen=True, slots=True)
class Choice:
    """One answer to a question. ``now`` and ``keep_kernel`` as for `VaultClient.stop_execution`."""

    label: str
    action: Action
    now: bool = False
    keep_kernel: bool = False


def stop_choices(process: Json) -> list[Choice]:
    """How it can be stopped, the mildest first."""
    if process["kind"] == Kind.COMMAND.value:
        return [Choice("End it", Action.STOP)]
    last = "Shut the kernel down" if process["kind"] == Kind.NOTEBOOK.value else "Stop at the next checkpoint"
    choices = [Choice(last, Action.STOP), Choice("End now, by signal", Action.STOP, now=True)]
    if process["kind"] == Kind.NOTEBOOK.value:
        choices.insert(0, Choice("Stop the run, keep the kernel's memory", Action.STOP, keep_kernel=True))
    return choices


def stop_question(process: Json, impact: Json) -> str:
    """What a stop ends, in one sentence, and what else is worth knowing."""
    kinds = {kind: number for kind, number in impact["by_kind"].items() if number}
    below = [count(number, _NOUNS.get(kind, kind), _PLURALS.get(kind, "")) for kind, number in kinds.items()]
    ends = " and ".join([", ".join([shown(process["name"], 60), *below[:-1]]), *below[-1:]])
    names = [each["name"] for each in impact["processes"] if each["pid"] != process["pid"]][:5]
    told = f" ({', '.join(shown(name, 30) for name in names)}{'…' if sum(kinds.values()) > 5 else ''})" if names else ""
    return " ".join([f"This ends {ends}{told}; unsaved memory is lost.", *impact["warnings"]])


_NOUNS = {"unrecorded": "unrecorded process"}
_PLURALS = {"unrecorded": "unrecorded processes"}
