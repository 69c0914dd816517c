"""Bundles made to hurt: each ends soon, in little memory, with a problem that has a code; payloads stay data."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from manifests.compiler import compile_bundle
from manifests.problems import Problem, Refused
from manifests.text import YAML
from tests.manifests.random_bundles import save

MOST_MEMORY = 200 * 2**20
HAUL = "import sys; from gateway.cli.main import main; sys.exit(main())"
# The kernel counts what a process had before it became another program: one started from pytest seems as large as that.
MEASURED = """
import resource, subprocess, sys
status = subprocess.call(sys.argv[1:])
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, file=sys.stderr)
sys.exit(status)
"""
CANARY = "canary-2f6f0c"
HEAD = "apiVersion: haulage/v1\nname: hostile\n"
NODE = "nodes:\n  a:\n    transform: "


NO_CHARACTER = re.compile("[\ud800-\udfff\ufffe\uffff]")


class Ended(NamedTuple):
    status: int
    codes: set[str]
    said: str


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """A bundle that compiles, beside a file that is none of its business."""
    (tmp_path / "secret.txt").write_text(CANARY)
    return save({"workflow.yaml": f"{HEAD}{NODE}1\n"}, tmp_path / "bundle")


def checked(bundle: Path, project: Path) -> Ended:
    """What `haul check` as a process has to say, and that it stayed small."""
    command = [sys.executable, "-c", MEASURED, sys.executable, "-c", HAUL, "check", str(bundle), "--format", "json"]
    process = subprocess.run(command, cwd=project, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    said, _, kilobytes = process.stderr.rstrip("\n").rpartition("\n")
    assert int(kilobytes) * 1024 < MOST_MEMORY
    assert "Traceback" not in said
    return Ended(process.returncode, set(re.findall(r'"(HL\d{3})"', process.stdout)), process.stdout + said)


def transform(value: str) -> str:
    return f"{HEAD}{NODE}{value}\n"


def aliases() -> str:
    levels = "".join(f"  - &l{n} [{', '.join([f'*l{n - 1}'] * 9)}]\n" for n in range(1, 12))
    return f"{HEAD}{NODE}\n  - &l0 [lol]\n{levels}"


def many_keys() -> str:
    return f"{HEAD}{NODE}{{{', '.join(f'k{n}: 1' for n in range(1_000_000))}}}\n"


TEXTS: dict[str, tuple[Callable[[], str | bytes], str]] = {
    "alias bomb": (aliases, "HL00"),
    "20,000 lists in one another": (lambda: transform("[" * 20_000 + "]" * 20_000), "HL00"),
    "20,000 lists that are never closed": (lambda: transform("[" * 20_000), "HL00"),
    "20,000 mappings in one another": (lambda: transform("{a: " * 20_000 + "}" * 20_000), "HL00"),
    "2,500 levels of indentation": (lambda: HEAD + "".join(" " * n + "a:\n" for n in range(2_500)), "HL00"),
    "50 MB": (lambda: transform('"' + "x" * 50 * 2**20 + '"'), "HL007"),
    "a million keys": (many_keys, "HL00"),
    "NUL": (lambda: transform("a\0b"), "HL002"),
    "a lone surrogate": (lambda: transform("").encode() + b"\xed\xa0\x80", "HL002"),
    "an escaped lone surrogate": (lambda: transform(r'"\ud800"'), "HL00"),
    "10,000 parentheses": (lambda: transform('"${' + "(" * 10_000 + "1" + ")" * 10_000 + '}"'), "HL30"),
    "10,000 minus signs": (lambda: transform('"${' + "-" * 10_000 + '1}"'), "HL30"),
    "an expression of 100 kB": (lambda: transform('"${' + "1 + " * 25_000 + '1}"'), "HL30"),
    "a string of 100 kB in an expression": (lambda: transform("\"${'" + "x" * 100_000 + "'}\""), "HL30"),
    "5,000 openings": (lambda: transform('"' + "${" * 5_000 + '"'), "HL30"),
    "5,000 openings with an end": (lambda: transform('"' + "${" * 5_000 + "}" * 5_000 + '"'), "HL30"),
    "a mapping as name": (lambda: f"{HEAD}nodes: {{? {{a: b}} : c}}\n", "HL010"),
    "a python object": (lambda: transform("!!python/object/apply:os.system ['true']"), "HL00"),
    "two documents": (lambda: transform("1") + "---\n" + transform("2"), "HL00"),
    "a number of 100,000 digits": (lambda: transform("9" * 100_000), "HL00"),
    "nothing": (lambda: "", "HL"),
}


@pytest.mark.parametrize("name", TEXTS)
def test_a_hostile_text_is_refused_soon_and_small(name: str, bundle: Path, project: Path) -> None:
    text, code = TEXTS[name]
    save({"workflow.yaml": text()}, bundle)
    ended = checked(bundle, project)
    assert ended.status == 1, ended.said[:500]
    assert any(each.startswith(code) for each in ended.codes), ended.codes


def test_includes_that_go_in_a_circle_end(bundle: Path, project: Path) -> None:
    save({"workflow.yaml": transform("1") + "include: [more/tools.yaml]\n"}, bundle)
    tools = "apiVersion: haulage/v1\ninclude: [../{}/tools.yaml]\n"
    save({"more/tools.yaml": tools.format("most"), "most/tools.yaml": tools.format("more")}, bundle)
    assert checked(bundle, project)[:2] == (1, {"HL015"})


def test_files_that_include_each_other_twice_are_read_once(bundle: Path, project: Path) -> None:
    folders = [f"d{n}" for n in range(24)]
    for here, there in pairwise(folders):
        includes = f"include: [../{there}/tools.yaml, ../{there}/tools.yaml]\n"
        save({f"{here}/tools.yaml": f"apiVersion: haulage/v1\n{includes}"}, bundle)
    save({f"{folders[-1]}/tools.yaml": "apiVersion: haulage/v1\n"}, bundle)
    save({"workflow.yaml": transform("1") + "include: [d0/tools.yaml]\n"}, bundle)
    assert checked(bundle, project).status == 0


@pytest.mark.parametrize("target", ["../../secret.txt", "../secret.txt", "/etc/passwd", "more/../../../x/tools.yaml"])
def test_an_include_does_not_leave_the_bundles(target: str, bundle: Path, project: Path) -> None:
    save({"workflow.yaml": transform("1") + f"include: [{target}]\n"}, bundle)
    ended = checked(bundle, project)
    assert ended.status == 1
    assert ended.codes <= {"HL012", "HL013", "HL014"}
    assert CANARY not in ended.said


@pytest.mark.parametrize("name", ["workflow.yaml", "tools.yaml", "agents.yaml"])
def test_a_link_out_of_the_bundle_is_not_followed(name: str, bundle: Path, project: Path) -> None:
    (bundle / name).unlink(missing_ok=True)
    (bundle / name).symlink_to("../secret.txt")
    ended = checked(bundle, project)
    assert (ended.status, ended.codes) == (1, {"HL012"})
    assert CANARY not in ended.said


def test_a_link_to_itself_is_refused(bundle: Path, project: Path) -> None:
    (bundle / "workflow.yaml").unlink()
    (bundle / "workflow.yaml").symlink_to("workflow.yaml")
    assert checked(bundle, project).status == 1


def test_a_pipe_is_not_waited_for(bundle: Path, project: Path) -> None:
    (bundle / "workflow.yaml").unlink()
    os.mkfifo(bundle / "workflow.yaml")
    assert checked(bundle, project)[:2] == (1, {"HL001"})


def test_a_folder_is_no_file(bundle: Path, project: Path) -> None:
    (bundle / "workflow.yaml").unlink()
    (bundle / "workflow.yaml").mkdir()
    assert checked(bundle, project)[:2] == (1, {"HL001"})


def test_a_device_is_no_prompt(bundle: Path, project: Path) -> None:
    (bundle / "prompts").mkdir()
    (bundle / "prompts" / "zero.md").symlink_to("/dev/zero")
    save(with_prompt("prompts/zero.md"), bundle)
    assert checked(bundle, project)[:2] == (1, {"HL012"})


# --- payloads that others collected


def with_prompt(path: str) -> dict[str, Any]:
    models = {"m": {"provider": "scripted", "model": "m"}}
    return {
        "workflow.yaml": {"apiVersion": "haulage/v1", "name": "hostile", "nodes": {"a": {"agent": "a"}}},
        "agents.yaml": {"apiVersion": "haulage/v1", "agents": {"a": {"model": "m", "prompt": path}}},
        "models.yaml": {"apiVersion": "haulage/v1", "models": models},
    }


@pytest.fixture(scope="session")
def payloads(shared_corpora: Path) -> list[str]:
    """Every line of the collections, and the strings that are known to be naughty."""
    folder = shared_corpora / "payloads"
    files = ("directory-traversal.txt", "template-injection.txt", "command-injection.txt")
    lines = [line for name in files for line in (folder / name).read_text(encoding="utf-8").split("\n")]
    naughty = json.loads((folder / "naughty-strings.json").read_text(encoding="utf-8"))
    found = list(dict.fromkeys([*lines, *naughty]))
    assert len(found) > 1_000
    return found


def problems_of(files: dict[str, Any], folder: Path) -> list[Problem]:
    try:
        compile_bundle(save(files, folder))
    except Refused as refused:
        return refused.problems
    return []


def test_payloads_as_paths_lead_nowhere(payloads: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[Path] = []
    plain = Path.open

    def watched(self: Path, *arguments: Any, **named: Any) -> Any:
        opened.append(self)
        return plain(self, *arguments, **named)

    monkeypatch.setattr(Path, "open", watched)
    folder = tmp_path / "bundle"
    problems_of(with_prompt("prompts/absent.md"), folder)  # imports what it needs
    opened.clear()
    for payload in payloads:
        # What is asked: does a path that is data lead out of the bundle?
        assert problems_of(with_prompt(payload), folder), payload
        included = {"workflow.yaml": {**with_prompt("")["workflow.yaml"], "include": [payload]}}
        assert problems_of(included, folder), payload
    assert {path.resolve().parent for path in opened} == {folder.resolve()}


def test_payloads_as_names_are_no_names(payloads: list[str], tmp_path: Path) -> None:
    named = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
    for payload in payloads:
        if named.fullmatch(payload):
            continue
        node = {"apiVersion": "haulage/v1", "name": "hostile", "nodes": {payload: {"transform": 1}}}
        assert problems_of({"workflow.yaml": node}, tmp_path / "node"), payload
        agents = {"apiVersion": "haulage/v1", "agents": {payload: {"model": "m", "prompt": {"text": "x"}}}}
        assert problems_of({**with_prompt("x"), "agents.yaml": agents}, tmp_path / "agent"), payload


def test_payloads_as_values_stay_what_they_are(payloads: list[str], tmp_path: Path) -> None:
    texts = [payload for payload in payloads if payload and "${" not in payload and not NO_CHARACTER.search(payload)]
    nodes = {f"n{place}": {"transform": text, "description": text} for place, text in enumerate(texts)}
    written = {"apiVersion": "haulage/v1", "name": "hostile", "nodes": nodes, "output": 1}
    # JSON would escape a character beyond the first 65,536 as two halves, which YAML does not take.
    text = YAML.sub(lambda bad: f"\\u{ord(bad[0]):04x}", json.dumps(written, ensure_ascii=False))
    save({"workflow.yaml": text}, tmp_path / "bundle")
    plan = compile_bundle(tmp_path / "bundle").plan
    given = {node.id: node.model_dump() for node in plan.nodes}
    assert [given[name]["value"] for name in nodes] == texts
    assert [given[name]["description"] for name in nodes] == texts


def test_payloads_in_expressions_are_refused_or_kept_as_written(payloads: list[str], tmp_path: Path) -> None:
    """Nothing that is compiled is also evaluated: what is not refused stands in the plan letter by letter."""
    for place, payload in enumerate(each for each in payloads if "${" in each):
        folder = tmp_path / str(place)
        node = {"apiVersion": "haulage/v1", "name": "hostile", "nodes": {"a": {"transform": payload}}}
        save({"workflow.yaml": json.dumps(node)}, folder)
        try:
            plan = compile_bundle(folder).plan
        except Refused:
            continue
        assert plan.nodes[0].model_dump()["value"] == payload


def test_payloads_in_prompts_are_never_rendered(payloads: list[str], tmp_path: Path) -> None:
    for place, payload in enumerate(payloads):
        files = with_prompt("prompts/a.md")
        folder = save({**files, "prompts/a.md": payload}, tmp_path / str(place))
        try:
            plan = compile_bundle(folder).plan
        except Refused:
            continue
        assert plan.agents["a"].prompt.rstrip("\n") == payload.replace("\r\n", "\n").removeprefix("\ufeff").rstrip("\n")
