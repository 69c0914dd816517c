"""`haul dev`, `haul worker` and `haul doctor`: processes that come, find each other, die, and leave nothing behind."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.conftest import PROJECT
from tests.gateway.cli.processes import (
    COMMAND,
    LONGEST,
    Dev,
    answer,
    bundles,
    developing,
    environment,
    free_port,
    haul,
    lives,
    told,
    until,
)


def test_dev_says_where_everything_is(dev: Dev) -> None:
    assert "tuned" in dev.said
    assert "UI       http://127.0.0.1:" in dev.said
    assert "models (api, default, gpu-small)" in dev.said
    assert "failing, gated, large, chat, code-gremlin" in dev.said
    assert "haul run hello --input name=Ada --home" in dev.said


def test_a_second_dev_on_the_same_home_says_where_the_first_one_is(dev: Dev) -> None:
    done = haul("dev", "--home", dev.home)
    assert done.returncode == 1
    assert done.stderr.startswith(f"haul: a server runs on {dev.home} already at {dev.address}, its UI at http://")


def test_a_home_is_the_same_however_it_is_spelt(dev: Dev, tmp_path: Path) -> None:
    (link := tmp_path / "link").symlink_to(dev.home)
    for spelt in (link, dev.home / ".." / dev.home.name):
        assert f"at {dev.address}, its UI" in haul("dev", "--home", spelt).stderr


@contextmanager
def watching(run: str, home: Path) -> Iterator[subprocess.Popen[str]]:
    """A `haul watch` that has told where the run is."""
    command = [*COMMAND, "watch", run, "--home", str(home)]
    with subprocess.Popen(command, env=environment(), stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr is not None
            assert process.stderr.readline().startswith(f"{run}  http://")
            yield process
        finally:
            process.kill()


def test_dev_survives_kill_9_and_leaves_no_child_on_sigterm(tmp_path: Path) -> None:
    home, folder = tmp_path / "home", bundles(tmp_path / "bundles")
    with developing(home, "--bundles", folder) as first:
        answer("start", folder / "gated", "--id", "open", "--home", home)
        until(lambda: answer("show", "open", "--home", home)["gates"])
        child = first.server_pid
        assert b"GOGC=400\0" in Path(f"/proc/{child}/environ").read_bytes()
        with watching("open", home) as watcher:
            first.kill()
            until(lambda: not lives(child))
            *_, said, way_out = watcher.communicate(timeout=LONGEST)[1].splitlines()
        assert (watcher.returncode, said.partition(": tcp")[0]) == (1, "haul: the Temporal server went away")
        assert "`haul watch RUN` follows them again" in way_out
    (folder / "gated" / "workflow.yaml").write_text("no longer: a bundle")
    with developing(home, "--bundles", folder, GOGC="50") as second:
        assert "gated does not compile: haul check" in second.said
        answer("approve", "open", "gate", "--home", home)
        ended = answer("watch", "open", "--home", home)
        assert ended["output"] == {"said": "approve", "note": "fine"}
        child = second.server_pid
        assert b"GOGC=50\0" in Path(f"/proc/{child}/environ").read_bytes()
        assert second.terminate() == 0
        assert not lives(child)
        assert not (home / "server.json").exists()


def test_dev_says_when_its_server_dies(tmp_path: Path) -> None:
    with developing(tmp_path / "home", "--stock", "--bundles", tmp_path) as dev:
        assert "with Temporal's own settings" in dev.said
        assert "bundles  none" in dev.said
        assert b"GOGC=" not in Path(f"/proc/{dev.server_pid}/environ").read_bytes()
        os.kill(dev.server_pid, signal.SIGKILL)
        assert dev.process.wait(LONGEST) == 1
        assert dev.process.stdout is not None
        assert "the Temporal server ended by itself (status -9)" in dev.process.stdout.read()


@pytest.fixture
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """An address, by Temporal's own configuration, at which nothing listens."""
    address = f"127.0.0.1:{free_port()}"
    monkeypatch.setenv("TEMPORAL_ADDRESS", address)
    return address


def test_a_worker_without_a_server_says_so(nowhere: str, tmp_path: Path) -> None:
    assert told("worker", "all", "--home", tmp_path) == (
        1,
        "",
        f"haul: no Temporal server at {nowhere}: nothing listens there\n"
        "start one with `haul dev`, or say where it is with TEMPORAL_ADDRESS\n",
    )


def test_a_worker_without_its_namespace_says_how_to_make_it(
    dev: Dev, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEMPORAL_ADDRESS", dev.address)
    monkeypatch.setenv("TEMPORAL_NAMESPACE", "elsewhere")
    status, _, err = told("worker", "tools", "--home", tmp_path)
    assert status == 1
    assert err.startswith(f"haul: the Temporal server at {dev.address} has no namespace 'elsewhere'\n")
    assert "temporal operator namespace create --namespace elsewhere" in err


def test_a_worker_makes_its_version_current_and_drains_on_sigterm(
    dev: Dev, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = {"TEMPORAL_ADDRESS": dev.address, "HAULAGE_QUEUE": "own"}
    for name, value in own.items():
        monkeypatch.setenv(name, value)
    command = [*COMMAND, "worker", "run", "--deployment", "own", "--current", "--home", str(tmp_path)]
    with subprocess.Popen(
        command, cwd=PROJECT, env=environment(**own), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as worker:
        assert worker.stderr is not None
        assert worker.stderr.readline() == f"working as run for {dev.address}\n"
        assert worker.stderr.readline().endswith(" is current\n")
        ended = answer("run", "hello", "--home", tmp_path)
        assert ended["status"] == "completed"
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(LONGEST) == 0
        assert worker.stderr.read().endswith("stopped\n")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["worker", "all", "--current"], "--current is for the role `run` or `all` of a --deployment"),
        (["worker", "tools", "--deployment", "x", "--current"], "--current is for the role `run` or `all`"),
        (["worker", "all", "--health", "here"], "--health 'here': write HOST:PORT"),
    ],
)
def test_a_worker_is_called_rightly_or_not_at_all(words: list[str], said: str) -> None:
    status, out, err = told(*words)
    assert (status, out) == (2, "")
    assert said in err


def test_the_doctor_finds_a_dev_in_good_health(dev: Dev) -> None:
    said = answer("doctor", "--home", dev.home)
    assert said["can_run"] is True
    found = {(each["section"], each["what"]): each for each in said["findings"]}
    assert found["running", "dev server"]["said"].startswith(dev.address)
    assert found["reachable", "search attributes"]["state"] == "fine"
    assert found["reachable", "haulage"]["said"].startswith("polled by")
    assert found["tuned", "server"]["said"] == "the measured settings"
    assert found["tuned", "round trip"]["said"].endswith("for a request that does nothing")


def test_the_doctor_says_what_to_do_when_the_configured_server_is_not_there(nowhere: str, tmp_path: Path) -> None:
    status, out, _ = told("doctor", "--home", tmp_path)
    assert status == 1
    assert f"no Temporal server at {nowhere}: nothing listens there" in out
    assert "start one with `haul dev`" in out
    assert out.endswith("runs cannot be carried out here\n")


def test_the_doctor_needs_no_server_where_a_run_would_start_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.cli.servers.USUAL", ("127.0.0.1", 1))
    said = answer("doctor", "--home", tmp_path)
    assert said["can_run"] is True
    assert "`haul run` starts one for as long as its run lasts" in str(said["findings"])
