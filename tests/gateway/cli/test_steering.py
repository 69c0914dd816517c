"""Looking at runs and steering them, on one `haul dev`."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import pytest

from tests.gateway.cli import processes
from tests.gateway.cli.processes import Dev, until

Told: TypeAlias = Callable[..., tuple[int, str, str]]


@pytest.fixture
def told(dev: Dev) -> Told:
    """What a command tells on the home of `dev`."""
    return lambda *words: processes.told(*words, "--home", dev.home)


@pytest.fixture
def waiting(dev: Dev, told: Told) -> Iterator[str]:
    """A run that waits at its gate, with a tenant of its own."""
    id = f"w-{uuid.uuid4().hex[:8]}"
    status, out, _ = told("start", str(dev.home.parent / "bundles" / "gated"), "--id", id, "--tenant", f"of {id}'s")
    assert status == 0
    assert out.startswith(f"{id}  ")
    assert f"/workflows/{id}/" in out
    until(lambda: listed(told, "--tenant", f"of {id}'s", "--stage", "waiting"))
    yield id
    told("cancel", id, "--now")


def listed(told: Told, *words: str) -> list[dict[str, Any]]:
    status, out, err = told("list", *words, "--json")
    assert status == 0, err
    rows: list[dict[str, Any]] = json.loads(out)
    return rows


def test_runs_are_found_by_what_they_are_and_whom_they_wait_for(waiting: str, told: Told) -> None:
    own = ["--tenant", f"of {waiting}'s"]
    filters = ["--manifest", "gated", "--stage", "waiting", "--waiting-on", "gate", "--mode", "normal"]
    (found,) = listed(told, *own, *filters, "--query", "ExecutionStatus = 'Running'")
    assert (found["workflow_id"], found["stage"], found["waiting_on"]) == (waiting, "waiting", ["gate"])
    for other in (["--stage", "paused"], ["--manifest", "hello"], ["--waiting-on", "x"], ["--mode", "dry_run"]):
        assert listed(told, *own, *other) == []
    head = told("list", *own)[1].splitlines()[0]
    assert head.split() == ["run", "manifest", "status", "waits", "for", "tenant", "started"]
    assert told("list", *own, "--stage", "paused") == (0, "", "no runs\n")
    with pytest.raises(SystemExit, match="2"):
        told("list", "--stage", "wating")
    status, _, err = told("list", "--query", "nonsense")
    assert (status, err.startswith("haul: the server does not take this filter")) == (1, True)


def test_what_the_server_does_not_take_is_told_in_one_line(dev: Dev, told: Told) -> None:
    status, out, err = told("start", str(dev.home.parent / "bundles" / "gated"), "--id", "x" * 1_100)
    assert (status, out) == (1, "")
    assert err.startswith("haul: Temporal says: ")
    assert err.count("\n") == 1


def test_a_run_is_paused_resumed_overridden_and_approved(waiting: str, told: Told) -> None:
    assert told("pause", waiting) == (0, f"{waiting}: paused; what is under way finishes\n", "")
    assert told("pause", waiting) == (1, "", "haul: the run is paused already\n")
    assert told("resume", waiting, "--reason", "on we go")[0] == 0
    assert told("resume", waiting) == (1, "", "haul: the run is not paused\n")
    assert told("override", waiting, "note", "output", "--output", '"changed"', "--json")[1] == '{"done": "override"}\n'
    assert told("approve", waiting, "gaet") == (1, "", "haul: no gate 'gaet'; gates: gate\n")
    assert told("approve", waiting, "--choice", "maybe")[2] == "haul: 'gate' takes one of: approve, reject\n"
    for named in (["gate"], []):
        assert told("approve", waiting, *named, "--shown", "abc")[2].startswith("haul: the answer is to abc, and what")
    assert told("approve", waiting, "--iteration", "2")[2].startswith("haul: say which gate of ")
    assert told("approve", waiting, "--actor", "ada", "--reason", "fine")[1] == f"{waiting}: gate: answered\n"
    status, out, err = told("watch", waiting)
    assert (status, json.loads(out)) == (0, {"said": "approve", "note": "changed"})
    assert "✓ gate" in err
    shown = told("show", waiting)[1]
    for said in ("first → gate → note → after", "pause", "(by ada: fine)", "changed", "completed"):
        assert said in shown
    assert told("approve", waiting, "gate") == (1, "", f"haul: '{waiting}' is completed already\n")
    assert told("cancel", waiting) == (1, "", f"haul: '{waiting}' is completed already\n")


def test_a_run_that_waits_is_shown_with_its_gate(waiting: str, told: Told) -> None:
    shown = told("show", waiting)[1]
    assert "● gate   waits for a person: Shall we?" in shown
    assert "Shall we? (approve or reject; shown" in shown
    facts = json.loads(told("show", waiting, "--json")[1])
    assert facts["nodes"] == {"first": "done", "gate": "running", "note": "waiting", "after": "waiting"}
    assert told("show", facts["run_id"])[1] == shown


def test_a_rejected_run_fails_and_can_be_taken_up_at_its_gate(waiting: str, told: Told) -> None:
    assert told("reject", waiting, "--reason", "too dear")[1] == f"{waiting}: gate: answered\n"
    status, out, err = told("watch", waiting)
    assert (status, out) == (1, "")
    assert "rejected: rejected by" in err
    assert "too dear" in told("show", waiting)[1]
    again = json.loads(told("resume", waiting, "--json")[1])["workflow_id"]
    assert told("approve", again, "gate")[1] == f"{again}: gate: answered\n"
    assert told("watch", again)[0] == 0


def test_a_cancelled_run_ends_with_status_1(waiting: str, told: Told) -> None:
    assert told("cancel", waiting, "--reason", "no need") == (0, f"{waiting}: cancel requested\n", "")
    status, out, _ = told("watch", waiting, "--json")
    assert (status, json.loads(out)["status"]) == (1, "cancelled")


def test_a_run_that_is_not_there_is_named(told: Told) -> None:
    for command in ("show", "watch", "pause", "resume", "cancel", "approve"):
        assert told(command, "nobody") == (
            1,
            "",
            "haul: there is no run 'nobody' here; `haul list` shows those there are\n",
        )


@pytest.mark.parametrize(("action", "needs"), [("output", "--output"), ("goto", "--to"), ("input", "--input")])
def test_an_override_says_what_it_needs(told: Told, action: str, needs: str) -> None:
    assert told("override", "x", "node", action) == (2, "", f"haul: `{action}` wants {needs}\n")
