"""The command line as a shell sees it."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from gateway.cli.main import main
from manifests.problems import Problem, Refused
from manifests.source import Span

HAUL = [sys.executable, "-c", "import sys; from gateway.cli.main import main; sys.exit(main())"]


class Plan(SimpleNamespace):
    name = "hello"
    nodes = range(7)

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.canonical()).hexdigest()

    def canonical(self) -> bytes:
        return '{"name":"héllo"}'.encode()


def compiled(path: Path) -> SimpleNamespace:
    """A compiler in small: a folder is fine unless it holds a file `bad`."""
    if (path / "bad").exists():
        problem = Problem("HL214", Span(str(path / "bad"), 1, 1, 1, 4), "it is wrong", fix="mend it")
        raise Refused([problem, Problem("HL215", Span(str(path / "bad"), 2, 1, 2, 2), "this too")])
    return SimpleNamespace(plan=Plan())


@pytest.fixture
def bundles(here: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("fine", "wrong"):
        (here / name).mkdir()
    (here / "wrong" / "bad").write_text("abc\nd\n")
    monkeypatch.setattr("gateway.cli.bundles.compile_bundle", compiled)
    return here


def test_a_fine_bundle_is_said_to_be_fine(bundles: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "fine"]) == 0
    assert capsys.readouterr().out == "hello: fine (7 nodes)\n"


def test_all_bundles_are_checked_and_the_problems_counted(bundles: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "wrong", "fine"]) == 1
    out = capsys.readouterr().out
    assert "wrong/bad:1:1: HL214 it is wrong\n  1 | abc\n    | ^^^\n  fix: mend it\n\n" in out
    assert "hello: fine (7 nodes)\n" in out
    assert out.endswith("2 problems in 1 file\n")


@pytest.mark.parametrize("bundle", ["fine", "wrong"])
def test_json_is_a_list_and_the_status_tells_the_same(
    bundles: Path, capsys: pytest.CaptureFixture[str], bundle: str
) -> None:
    status = main(["check", "--format", "json", bundle])
    assert len(json.loads(capsys.readouterr().out)) == 2 * status


def test_sarif_comes_as_one_document(bundles: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "--format=sarif", "fine", "wrong"]) == 1
    assert len(json.loads(capsys.readouterr().out)["runs"][0]["results"]) == 2


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["check", "nowhere"], "haul: there is no folder 'nowhere'\n"),
        (["check", "fine", "nowhere"], "haul: there is no folder 'nowhere'\n"),
        (["check", "wrong/bad"], "haul: 'wrong/bad' is a file, and a bundle is a folder; did you mean 'wrong'?\n"),
        (["compile", "fine", "-o", "no/where"], "haul: 'no/where': No such file or directory\n"),
    ],
)
def test_misuse_is_one_clear_line(
    bundles: Path, capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    assert main(words) == 2
    assert capsys.readouterr() == ("", said)


@pytest.mark.parametrize("words", [["chek"], ["compile"], ["check", "--colour", "fine"], ["check", "--format", "xml"]])
def test_argparse_refuses_with_the_same_status(bundles: Path, words: list[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(words)
    assert left.value.code == 2


def test_no_command_is_misuse_and_shows_the_commands(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert "check" in capsys.readouterr().err


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("haul ")


def test_a_plan_is_printed_to_the_byte(bundles: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    assert main(["compile", "fine"]) == 0
    assert capfdbinary.readouterr().out == Plan().canonical()


def test_a_plan_is_written_and_named(bundles: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compile", "fine", "-o", "plan.json"]) == 0
    assert Path("plan.json").read_bytes() == Plan().canonical()
    assert capsys.readouterr().out == f"hello {Plan().sha256}\n"


def test_a_bundle_that_does_not_compile_leaves_the_output_alone(
    bundles: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["compile", "wrong", "-o", "plan.json"]) == 1
    assert not Path("plan.json").exists()
    out, err = capsys.readouterr()
    assert out == ""
    assert err.endswith("2 problems in 1 file\n")


def test_help_loads_no_command(project: Path) -> None:
    code = "import sys\nfrom gateway.cli.main import main\ntry: main(['--help'])\nfinally: print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=project, capture_output=True, text=True)
    loaded = {name.split(".")[0] for name in done.stdout.split()}
    assert "argparse" in loaded
    assert not loaded & {"pydantic", "yaml", "jinja2", "cel_expr_python", "jsonschema_rs", "manifests", "json"}


def test_a_command_for_bundles_loads_nothing_for_runs(project: Path) -> None:
    code = (
        "import sys\nfrom gateway.cli.main import main\nmain(['check', 'manifests/catalog/hello'])\nprint(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=project, capture_output=True, text=True)
    said, loaded = done.stdout.splitlines()
    assert said == "hello: fine (3 nodes)"
    assert not {name.split(".")[0] for name in loaded.split()} & {
        "temporalio",
        "asyncio",
        "workers",
        "workflows",
        "sqlalchemy",
    }


@pytest.mark.parametrize("words", [["--help"], ["check", "--help"], ["--version"]])
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_reader_that_leaves_is_no_news(project: Path, words: list[str], unbuffered: str) -> None:
    environment = {**os.environ, "PYTHONUNBUFFERED": unbuffered}
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run([*HAUL, *words], cwd=project, stdout=writing, stderr=subprocess.PIPE, env=environment)
    os.close(writing)
    assert done.stderr == b""
    assert done.returncode == 141 or (unbuffered and "--help" in words)  # argparse overlooks what it cannot write


def test_an_interrupt_ends_quietly(project: Path) -> None:
    code = (
        "import sys, time, gateway.cli.main as cli\n"
        "def carry_out(words):\n    print('ready', flush=True)\n    time.sleep(60)\n"
        "cli._carry_out = carry_out\nsys.exit(cli.main())"
    )
    child = subprocess.Popen([sys.executable, "-c", code], cwd=project, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert child.stdout is not None
    assert child.stdout.readline() == b"ready\n"
    time.sleep(0.05)
    child.send_signal(signal.SIGINT)
    assert child.communicate(timeout=30) == (b"", b"")
    assert child.returncode == 130
