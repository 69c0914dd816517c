"""The house keeps its shape: imports point one way, and what is listed is what is there."""

from __future__ import annotations

import ast
import re
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

LAYERS = ("gateway", "workers", "workflows", "activities", "manifests")
AROUND = {"tests", "docs", "benchmarks", "deploy"}
NETWORK = {
    *("aiohttp", "ftplib", "grpc", "http", "httpx", "imaplib", "poplib", "requests", "smtplib", "socket"),
    *("socketserver", "ssl", "telnetlib", "temporalio", "urllib.request", "urllib3", "websockets", "xmlrpc"),
}
FORBIDDEN = {"manifests": NETWORK, "workflows": {"yaml", "httpx", "socket", "requests"}}
# In pieces, so that this file does not hold what it forbids.
HOSTS = [
    ".".join(pieces)
    for pieces in (
        ("pypi", "org"),
        ("pythonhosted", "org"),
        ("npmjs", "org"),
        ("npmjs", "com"),
        ("yarnpkg", "com"),
        ("deb", "debian", "org"),
        ("security", "debian", "org"),
        ("proxy", "golang", "org"),
        ("crates", "io"),
    )
]


def imports_of(file: Path, root: Path) -> Iterator[tuple[int, str]]:
    """Line and full name of every module, or name in a module, that a file imports, at whatever depth."""
    package = file.relative_to(root).parent.parts
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"), str(file))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else ()
            base = [*above, *([node.module] if node.module else [])]
            yield from ((node.lineno, ".".join([*base, alias.name])) for alias in node.names)


def strays(root: Path, layer: str) -> list[str]:
    """The imports of a layer that it must not make."""
    outside = {*LAYERS[: LAYERS.index(layer)], *AROUND, *FORBIDDEN.get(layer, ())}
    return [
        f"{file.relative_to(root)}:{line}: {name}"
        for file in sorted((root / layer).rglob("*.py"))
        for line, name in imports_of(file, root)
        if any(f"{name}.".startswith(f"{module}.") for module in outside)
    ]


def project_files(root: Path) -> list[Path]:
    """What is in git or would be added; `safe.directory` because CI may run as another user than cloned."""
    command = ["git", "-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        listed = subprocess.run(command, cwd=root, capture_output=True, check=True, text=True).stdout.split("\0")
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("NOT CHECKED: this is no git checkout, so there is no list of its files")
    return [root / name for name in listed if name and (root / name).is_file()]


@pytest.mark.parametrize("layer", LAYERS)
def test_imports_point_one_way(project: Path, layer: str) -> None:
    assert strays(project, layer) == []


@pytest.mark.parametrize(
    "statement",
    [
        "import gateway",
        "from gateway.cli import main",
        "from gateway import cli",
        "def late():\n    import workers.settings",
        "import temporalio.workflow as w",
        "from urllib import request",
        "import urllib.request",
        "import tests.conftest",
        "from .. import workers",
        "from ..workers import settings",
    ],
)
def test_an_import_against_the_direction_is_noticed(tmp_path: Path, statement: str) -> None:
    (tmp_path / "manifests").mkdir()
    (tmp_path / "manifests" / "stray.py").write_text(statement)
    assert strays(tmp_path, "manifests")


def test_an_import_along_the_direction_passes(tmp_path: Path) -> None:
    (tmp_path / "workflows").mkdir()
    (tmp_path / "workflows" / "run.py").write_text("import json\nfrom manifests.plan import Plan\nfrom . import cursor")
    assert strays(tmp_path, "workflows") == []


def test_the_workflow_package_is_empty(project: Path) -> None:
    assert (project / "workflows" / "__init__.py").read_bytes() == b""


def test_the_listed_packages_are_the_folders(project: Path) -> None:
    build = tomllib.loads((project / "pyproject.toml").read_text())["tool"]["hatch"]["build"]
    folders = {file.parent.name for file in project.glob("*/__init__.py")} - AROUND
    assert set(build["targets"]["wheel"]["packages"]) == set(LAYERS) == folders


def test_every_folder_with_modules_is_a_package(project: Path) -> None:
    folders = {file.parent for layer in LAYERS for file in (project / layer).rglob("*.py")}
    assert [str(folder) for folder in sorted(folders) if not (folder / "__init__.py").exists()] == []


def test_every_pin_has_hashes_and_no_address(project: Path) -> None:
    lock = (project / "requirements.lock").read_text()
    pins = re.findall(r"^\S.*(?:\n\s+.*)*", lock, re.MULTILINE)
    assert pins
    assert [pin for pin in pins if not re.match(r"[a-z0-9-]+==\S+( ;.*)? \\\n\s+--hash=sha256:[0-9a-f]{64}", pin)] == []
    assert not re.search(r"://|^\s*#|^-|@", lock, re.MULTILINE)


def test_every_dependency_is_pinned(project: Path) -> None:
    settings = tomllib.loads((project / "pyproject.toml").read_text())
    wanted = [
        *settings["build-system"]["requires"],
        *settings["project"]["dependencies"],
        *settings["project"]["optional-dependencies"]["dev"],
        *settings["dependency-groups"]["build"],
    ]
    pinned = set(re.findall(r"^([a-z0-9-]+)==", (project / "requirements.lock").read_text(), re.MULTILINE))
    assert {re.split(r"[^\w-]", name)[0].lower() for name in wanted} - pinned == set()


def test_no_file_names_a_package_registry(project: Path) -> None:
    found = [
        f"{file.relative_to(project)}: {host}"
        for file in project_files(project)
        for host in HOSTS
        if host.encode() in file.read_bytes()
    ]
    assert found == []
