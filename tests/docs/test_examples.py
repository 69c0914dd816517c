"""Every example in the documentation is true: what it shows compiles, fails as it says, or runs.

What a fenced block is stands after its language:

    yaml                      a whole workflow.yaml, which compiles alone
    yaml part                 a part of one: `nodes`, `edges` … without the head; beside it stand the files of stage/
    … bundle=NAME file=PATH   a file of a bundle that the page builds up, checked with what is there so far
    … more                    not checked yet: the bundle is whole only with the next block
    … fails=CODE,CODE         refused, with exactly these codes
    text says                 what `haul check` says of the block before it
    sh                        commands; `haul`, `.venv/bin/haul` and `rm` are carried out, in order
"""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from gateway.cli import diagnostics
from gateway.cli.main import main
from manifests.compiler import compile_bundle
from manifests.problems import Refused

PROJECT = Path(__file__).resolve().parents[2]
STAGE = Path(__file__).parent / "stage"
PAGES = [PROJECT / "README.md", *sorted((PROJECT / "docs").glob("*.md"))]
HEAD = "apiVersion: haulage/v1\nname: example\n"
FENCE = re.compile(r"^```(?P<info>[^\n`]*)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    line: int
    language: str
    words: frozenset[str]
    said: dict[str, str] = field(hash=False)
    body: str


def blocks(page: str) -> Iterator[Block]:
    for found in FENCE.finditer(page):
        language, *words = found["info"].split() or [""]
        said = dict(word.split("=", 1) for word in words if "=" in word)
        line = page.count("\n", 0, found.start()) + 1
        yield Block(line, language, frozenset(word for word in words if "=" not in word), said, found["body"])


class Page:
    """A page carried out from its top to its end, in a folder of its own; `wrong` is what does not hold."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self.wrong: list[str] = []
        self._capsys = capsys
        self._last = ""

    def carry_out(self, page: str) -> Page:
        for block in blocks(page):
            if block.language == "sh":
                self._run(block)
            elif block.language == "text" and "says" in block.words:
                self._compare(block)
            elif block.language == "yaml" or "file" in block.said:
                self._check(block)
        return self

    def _expect(self, block: Block, wanted: object, got: object) -> None:
        if wanted != got:
            self.wrong.append(f"line {block.line}: wanted {wanted}, got {got}")

    def _check(self, block: Block) -> None:
        folder = Path(block.said.get("bundle", f"line-{block.line}"))
        if "part" in block.words:
            shutil.copytree(STAGE, folder)
        file = folder / block.said.get("file", "workflow.yaml")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text((HEAD if "part" in block.words else "") + block.body, encoding="utf-8")
        self._last = str(folder)
        if "more" not in block.words:
            codes = sorted(block.said["fails"].split(",")) if "fails" in block.said else []
            self._expect(block, codes, codes_of(folder))

    def _compare(self, block: Block) -> None:
        self._capsys.readouterr()
        diagnostics._lines_of.cache_clear()  # a haul process sees each file once
        main(["check", self._last, "--color", "never"])
        told = self._capsys.readouterr().out
        self._expect(block, block.body.strip(), told.strip())

    def _run(self, block: Block) -> None:
        for line in block.body.replace("\\\n", "").splitlines():
            words = shlex.split(line, comments=True)
            if words and words[0] == "rm":
                Path(words[1]).unlink()
            if words and words[0] in ("haul", ".venv/bin/haul"):
                try:
                    status: object = main(words[1:])
                except SystemExit as stopped:
                    status = stopped.code
                self._expect(block, f"0 from {line}", f"{status} from {line}")


def codes_of(folder: Path) -> list[str]:
    try:
        compile_bundle(folder)
    except Refused as refused:
        return sorted({problem.code for problem in refused.problems})
    return []


@pytest.fixture
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Page:
    for name in ("manifests", "tests"):
        (tmp_path / name).symlink_to(PROJECT / name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "120")
    # What somebody runs on the usual port is not for examples.
    monkeypatch.setattr("gateway.cli.servers.USUAL", ("127.0.0.1", 1))
    return Page(capsys)


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_every_example_of_a_page_holds(path: Path, page: Page) -> None:
    assert page.carry_out(path.read_text(encoding="utf-8")).wrong == []


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_every_link_of_a_page_leads_somewhere(path: Path) -> None:
    text = FENCE.sub("", path.read_text(encoding="utf-8"))
    broken = [
        link
        for link in re.findall(r"\]\(([^)\s]+)\)", text)
        if not link.startswith(("http://", "https://")) and not leads_somewhere(path, link)
    ]
    assert broken == []


def leads_somewhere(page: Path, link: str) -> bool:
    name, _, anchor = link.partition("#")
    target = (page.parent / name).resolve() if name else page
    if not target.exists():
        return False
    return not anchor or anchor in anchors(target.read_text(encoding="utf-8"))


def anchors(text: str) -> set[str]:
    """The headings of a page as links name them."""
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize(
    "untrue",
    [
        "```yaml\napiVersion: haulage/v1\nname: x\nnodes: {a: {transform: ${nope}}}\n```\n",
        "```yaml part fails=HL304\nnodes: {a: {transform: 1}}\n```\n",
        "```sh\nhaul chekc manifests/catalog/hello\n```\n",
        "```sh\nhaul graph --nope manifests/catalog/hello\n```\n",
        "```yaml part\nnodes: {a: {transform: 1}}\n```\n```text says\nline-1: fine (1 node)\n```\n",
    ],
)
def test_an_untrue_example_is_noticed(untrue: str, page: Page) -> None:
    assert page.carry_out(untrue).wrong
