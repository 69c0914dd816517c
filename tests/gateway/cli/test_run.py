"""`haul run`, with real servers and as a process."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from gateway.cli.main import main
from tests.conftest import PROJECT
from tests.gateway.cli.processes import COMMAND, LONGEST, Dev, bundles, environment, haul, until

CATALOG = PROJECT / "manifests" / "catalog"
HAPPY = CATALOG / "code-gremlin" / "tests" / "happy.yaml"


def test_a_run_brings_its_own_server_where_there_is_none_and_two_share_it(tmp_path: Path) -> None:
    command = [*COMMAND, "run", str(CATALOG / "hello"), "--input", "name=ada lovelace", "--json", "--home"]
    both = [
        subprocess.Popen(
            [*command, str(tmp_path)], env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    told = [each.communicate(timeout=LONGEST) for each in both]
    assert [each.returncode for each in both] == [0, 0], told
    for out, err in told:
        said = json.loads(out)
        assert list(said) == ["run_id", "workflow_id", "status", "output", "path", "failure", "cost", "events"]
        assert said["output"] == {"text": "Hello, Ada Lovelace!", "letters": 12}
        assert (said["status"], said["path"], said["failure"]) == ("completed", ["tidy", "title", "greeting"], None)
        assert said["cost"] == {"calls": 1, "tokens": 0, "usd": "0"}
        assert said["events"] > 5
        assert err == ""
    assert not (tmp_path / "server.json").exists()


def test_a_scenario_answers_and_the_command_line_overrules_it(tmp_path: Path) -> None:
    done = haul("run", "code-gremlin", "--script", HAPPY, "--answer", "sign_off=reject", "--home", tmp_path)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["outcome"] == "needs a person"
    assert "✗ sign_off" in done.stderr
    assert list(tmp_path.glob("*.db")) == []


def test_a_failed_run_says_where_and_why_with_status_1(dev: Dev, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", str(dev.home.parent / "bundles" / "failing"), "--home", str(dev.home)]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert "json_syntax: the text is not JSON" in err
    assert "(node look, kind tool" in err


def test_programs_are_told_of_a_failure_in_the_same_object(dev: Dev, capsys: pytest.CaptureFixture[str]) -> None:
    bundle = str(dev.home.parent / "bundles" / "failing")
    assert main(["run", bundle, "--json", "--home", str(dev.home)]) == 1
    said = json.loads(capsys.readouterr().out)
    assert (said["status"], said["failure"]["category"], said["failure"]["node"]) == ("failed", "json_syntax", "look")


def test_a_result_that_is_kept_outside_is_fetched(dev: Dev, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "in.json").write_text(json.dumps({"text": "word " * 5_000}))
    bundle = str(dev.home.parent / "bundles" / "large")
    assert main(["run", bundle, "--input", f"@{tmp_path / 'in.json'}", "--json", "--home", str(dev.home)]) == 0
    assert json.loads(capsys.readouterr().out)["output"] == {"parts": ["word"] * 5_000}


def test_a_run_that_is_not_waited_for_any_longer_goes_on(dev: Dev, capsys: pytest.CaptureFixture[str]) -> None:
    bundle = str(dev.home.parent / "bundles" / "gated")
    assert main(["run", bundle, "--timeout", "500ms", "--json", "--id", "left", "--home", str(dev.home)]) == 1
    out, err = capsys.readouterr()
    assert json.loads(out)["status"] == "running"
    assert err.endswith("left has not ended; `haul watch left` looks at it\n")
    assert main(["cancel", "left", "--now", "--home", str(dev.home)]) == 0


def test_ctrl_c_asks_the_run_to_cancel(dev: Dev) -> None:
    bundle = dev.home.parent / "bundles" / "gated"
    command = [*COMMAND, "run", str(bundle), "--home", str(dev.home)]
    with subprocess.Popen(command, env=environment(), stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        until(lambda: "gate waits for a person" in process.stderr.readline())
        process.send_signal(signal.SIGINT)
        said = process.stderr.read()
        assert process.wait(LONGEST) == 1
    assert "asking the run to cancel" in said
    assert "cancelled in" in said
    assert said.endswith(" looks at it\n")


def test_a_person_is_asked_on_a_terminal_and_a_stray_answer_is_refused(dev: Dev) -> None:
    ours, theirs = pty.openpty()
    bundle = dev.home.parent / "bundles" / "gated"
    process = subprocess.Popen(
        [*COMMAND, "run", str(bundle), "--home", str(dev.home)],
        env=environment(TERM="xterm"), stdin=theirs, stderr=theirs, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    os.close(theirs)
    seen = _read_until(ours, "approve/reject>")
    assert "gate asks you: Shall we?" in seen
    os.write(ours, b"perhaps\n")
    assert "takes one of: approve, reject" in _read_until(ours, "approve/reject> \r\n", "approve/reject>")
    os.write(ours, b"approve looks good\n")
    _read_until(ours, "completed in")
    out, _ = process.communicate(timeout=LONGEST)
    os.close(ours)
    assert process.returncode == 0
    assert json.loads(out) == {"said": "approve", "note": "fine"}


def _read_until(terminal: int, *ends: str) -> str:
    """What a terminal shows until one of these; the echo of what was typed is not looked at."""
    seen = ""
    while not any(end in seen for end in ends):
        seen += os.read(terminal, 4096).decode(errors="replace")
    return seen


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["helo"], "no bundle of this name in CATALOG; did you mean 'hello'?"),
        (["hello", "--input", "name=5"], "the input of 'hello' does not fit: name: 5 is not of type \"string\""),
        (["hello", "--input", "nam=Ada"], "('nam' was unexpected); did you mean 'name'?"),
        (["hello", "--input", "name"], "--input 'name': write KEY=VALUE, or JSON, or @FILE"),
        (["hello", "--input", "{x"], "--input '{x' is not JSON: "),
        (["hello", "--input", "{}", "--input", "name=x"], "not several of these"),
        (["hello", "--pipeline", "x"], "'hello' has no pipeline 'x'; leave --pipeline out"),
        (["hello", "--budget", "money=1"], "--budget 'money=1': write calls=…, tokens=…, usd=… or time=…"),
        (["hello", "--budget", "usd=much"], "'much' is no such amount"),
        (["hello", "--budget", "usd=-1"], "'-1' is no such amount"),
        (["hello", "--budget", "calls=-1"], "'-1' is no such amount"),
        (["hello", "--timeout", "5"], "--timeout '5': write a number and a unit"),
        (["hello", "--answer", "gate=approve"], "'hello' has no gate 'gate'; it has none"),
        (["code-gremlin", "--answer", "signoff=approve"], "did you mean 'sign_off'?"),
        (["code-gremlin", "--answer", "sign_off=maybe"], "'sign_off' takes one of: approve, reject"),
        (["hello", "--script", "nowhere.yaml"], "there is no file 'nowhere.yaml'"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_starts(
    here: Path, capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    given = [*words, "--input", "goal=x"] if words[0] == "code-gremlin" else words
    assert main(["run", *given, "--bundles", str(CATALOG)]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert said.replace("CATALOG", str(CATALOG)) in err
    assert list(here.iterdir()) == []


def test_a_bundle_that_does_not_compile_is_told_as_by_check(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = bundles(here / "bundles") / "gated"
    (folder / "workflow.yaml").write_text((folder / "workflow.yaml").read_text().replace("gate ->", "gaet ->"))
    assert main(["check", str(folder)]) == 1
    checked = capsys.readouterr().out
    assert main(["run", str(folder)]) == 1
    out, err = capsys.readouterr()
    assert (out, err) == ("", checked)


def test_options_reach_the_run(dev: Dev, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--mode", "dry_run", "--tag", "a", "--tenant", "acme", "--actor", "ada", "--priority", "2"]
    options += ["--budget", "calls=3", "--budget", "time=5m", "--budget", "usd=0.25", "--id", "optional"]
    assert main(["run", "hello", *options, "--home", str(dev.home), "--bundles", str(CATALOG), "--json"]) == 0
    capsys.readouterr()
    assert main(["show", "optional", "--home", str(dev.home), "--json"]) == 0
    shown: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert shown["mode"] == "dry_run"
    assert shown["budget"]["caps"] == {"calls": 3, "tokens": None, "usd": "0.25"}
    assert main(["run", "hello", "--id", "optional", "--home", str(dev.home), "--bundles", str(CATALOG)]) == 0
