"""A bundle read from its folder: every file in its shape, every definition with its place."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeAlias, TypeVar

from manifests.problems import Problem, Refused, did_you_mean, nearest
from manifests.reading import Unreadable, read_json, read_text, read_yaml
from manifests.shaping import shaped
from manifests.source import Place, Source, Span

if TYPE_CHECKING:
    from manifests.shape.agents import Agent
    from manifests.shape.base import ManifestFile
    from manifests.shape.memory import Profile, Store
    from manifests.shape.models import Model, Route
    from manifests.shape.pipelines import Fallback, Pipeline
    from manifests.shape.plugins import Plugin
    from manifests.shape.policies import PoliciesFile
    from manifests.shape.scenario import ScenarioFile
    from manifests.shape.tools import Tool
    from manifests.shape.triggers import Trigger
    from manifests.shape.workflow import WorkflowFile

T = TypeVar("T")

# Each file of a bundle, and the groups of names that it defines.
GROUPS: dict[str, tuple[str, ...]] = {
    "workflow": (),
    "agents": ("agents",),
    "tools": ("tools",),
    "models": ("models", "routes"),
    "pipelines": ("pipelines",),
    "memory": ("stores", "profiles"),
    "policies": (),
    "plugins": ("plugins",),
    "triggers": ("triggers",),
}
KINDS = tuple(GROUPS)

Reader: TypeAlias = Callable[[Path, str], Source]
Attached: TypeAlias = dict[tuple[str, Reader], Source]


@dataclass(frozen=True)
class Defined(Generic[T]):
    """A thing and where it is defined; `folder` is the bundle that its paths start from.

    `attached` are the prompts and schemas that any definition of the bundle named so far, each read once.
    """

    value: T
    at: Place
    folder: Path
    attached: Attached = field(default_factory=dict, compare=False, repr=False)


@dataclass
class Bundle:
    """All that a folder says, before any of it is looked up in the rest."""

    folder: Path
    shown: str
    workflow: Defined[WorkflowFile]
    agents: dict[str, Defined[Agent]] = field(default_factory=dict)
    tools: dict[str, Defined[Tool]] = field(default_factory=dict)
    models: dict[str, Defined[Model]] = field(default_factory=dict)
    routes: dict[str, Defined[Route]] = field(default_factory=dict)
    pipelines: dict[str, Defined[Pipeline]] = field(default_factory=dict)
    fallbacks: list[Defined[Fallback]] = field(default_factory=list)
    stores: dict[str, Defined[Store]] = field(default_factory=dict)
    profiles: dict[str, Defined[Profile]] = field(default_factory=dict)
    plugins: dict[str, Defined[Plugin]] = field(default_factory=dict)
    triggers: dict[str, Defined[Trigger]] = field(default_factory=dict)
    policies: list[Defined[PoliciesFile]] = field(default_factory=list)
    scenarios: list[Defined[ScenarioFile]] = field(default_factory=list)
    sources: list[Source] = field(default_factory=list)
    attached: Attached = field(default_factory=dict)
    broken: set[str] = field(default_factory=set)


def file_model(kind: str) -> type[ManifestFile]:
    """The model of a manifest file; modules are imported only for the files that are there."""
    module = import_module(f"manifests.shape.{kind}")
    model: type[ManifestFile] = getattr(module, f"{kind.capitalize()}File")
    return model


def load(folder: Path, problems: list[Problem]) -> Bundle:
    """Reads a folder; what is wrong in single files is added to `problems`, and the rest is read all the same."""
    return _Loader(folder, problems).load()


def inside(root: Path, path: Path) -> bool:
    """Whether a path, links followed, is below a folder."""
    # Unlike Path.resolve(), this does not raise on a link that leads to itself; reading it says what is wrong.
    return Path(os.path.realpath(path)).is_relative_to(os.path.realpath(root))


def text_beside(definition: Defined[Any], at: Place, relative: str, problems: list[Problem]) -> Source | None:
    """The text file that a definition names, from inside its bundle."""
    return _attached(definition, at, relative, read_text, problems)


def json_beside(definition: Defined[Any], at: Place, relative: str, problems: list[Problem]) -> Source | None:
    """The JSON file that a definition names, from inside its bundle."""
    return _attached(definition, at, relative, read_json, problems)


def _attached(
    definition: Defined[Any], at: Place, relative: str, reader: Reader, problems: list[Problem]
) -> Source | None:
    path = _path_inside(definition.folder, relative, at, problems)
    if path is None:
        return None
    key = (os.path.normpath(path), reader)
    source = definition.attached.get(key) or _read(reader, path, problems)
    if source is not None:
        definition.attached[key] = source
    return source


def _read(reader: Reader, path: Path, problems: list[Problem]) -> Source | None:
    try:
        return reader(path, os.path.normpath(path))
    except Unreadable as error:
        problems.append(error.problem)
        return None


def _path_inside(folder: Path, relative: str, at: Place, problems: list[Problem]) -> Path | None:
    path = folder / relative
    wanted = "the path of a file inside the bundle"
    if "\0" in relative or Path(relative).is_absolute() or not inside(folder, path):
        message = f"{relative!r} is outside the bundle"
        problems.append(Problem("HL012", at, message, wanted, f"copy the file into {folder.name}/"))
        return None
    if not os.path.isfile(path):
        near = nearest(relative, _files_below(folder))
        fix = f"did you mean {near!r}?" if near else f"create {relative}"
        problems.append(Problem("HL013", at, f"there is no file {relative!r} in the bundle", wanted, fix))
        return None
    return path


def _files_below(folder: Path) -> list[str]:
    found = (path for sub in ("prompts", "schemas", ".") for path in sorted((folder / sub).glob("*.*")))
    return [str(path.relative_to(folder)) for path in found]


class _Loader:
    def __init__(self, folder: Path, problems: list[Problem]) -> None:
        self._folder = folder
        self._problems = problems
        self._root = folder.resolve().parent
        self._included: set[Path] = set()
        self._attached: Attached = {}

    def load(self) -> Bundle:
        workflow = self._file(self._folder / "workflow.yaml", "workflow", self._folder)
        if workflow is None and not os.path.lexists(self._folder / "workflow.yaml"):
            raise Refused(self._problems)
        self._unknown_files()
        if workflow is None:
            self._others(None)
            raise Refused(self._problems)
        bundle = Bundle(
            self._folder, str(self._folder), workflow, sources=[workflow.at.source], attached=self._attached
        )
        self._others(bundle)
        self._include(bundle, workflow, {self._folder / "workflow.yaml"})
        self._scenarios(bundle)
        return bundle

    def _others(self, bundle: Bundle | None) -> None:
        for kind in KINDS[1:]:
            path = self._folder / f"{kind}.yaml"
            if path.exists() or path.is_symlink():
                self._add(bundle, path, kind, self._folder, set())

    def _add(self, bundle: Bundle | None, path: Path, kind: str, folder: Path, above: set[Path]) -> None:
        """Adds the names of a file, and of those it includes."""
        file = self._file(path, kind, folder)
        if bundle is None:
            return
        if file is None:
            bundle.broken.add(kind)
            return
        bundle.sources.append(file.at.source)
        for group in GROUPS[kind]:
            self._names(bundle, file, group)
        if kind == "pipelines":
            cells = enumerate(file.value.fallbacks)
            bundle.fallbacks += [Defined(cell, file.at / "fallbacks" / index, folder) for index, cell in cells]
        if kind == "policies":
            bundle.policies.append(file)
        self._include(bundle, file, {*above, path})

    def _names(self, bundle: Bundle, file: Defined[Any], group: str) -> None:
        """Names clash loudly."""
        known: dict[str, Defined[Any]] = getattr(bundle, group)
        for name, value in getattr(file.value, group).items():
            at = file.at / group / name
            if name in known:
                first = known[name].at.key.span
                message = f"{name!r} is defined twice, first in {first.file}:{first.line}"
                self._problems.append(Problem("HL201", at.key, message, "one definition", "rename one of them"))
            else:
                known[name] = Defined(value, at, file.folder, self._attached)

    def _include(self, bundle: Bundle, file: Defined[Any], above: set[Path]) -> None:
        for index, relative in enumerate(file.value.include):
            at = file.at / "include" / index
            path = Path(os.path.normpath(file.folder / relative))
            kind = path.stem
            if "\0" in relative or Path(relative).is_absolute() or not self._beside(path):
                self._refuse("HL012", at, f"{relative!r} is outside the bundle and those beside it", "copy the file")
            elif kind not in KINDS[1:] or path.suffix != ".yaml":
                fix = "name it after what it holds, such as tools.yaml or agents.yaml"
                self._refuse("HL014", at, f"{relative!r} cannot be included", fix)
            elif path in above:
                self._refuse("HL015", at, f"{relative!r} includes itself", "remove one of the includes")
            elif not os.path.isfile(path):
                bundle.broken.add(kind)
                self._refuse("HL013", at, f"there is no file {relative!r}", "correct the path; it starts at the bundle")
            elif path not in self._included:
                # Once is enough, and files that include each other twice would double with every level.
                self._included.add(path)
                self._add(bundle, path, kind, path.parent, above)

    def _beside(self, path: Path) -> bool:
        """Whether a file is in this bundle or in one beside it, links followed; a folder of bundles is not one."""
        return inside(self._root, path) and path.resolve().parent != self._root

    def _refuse(self, code: str, at: Place, message: str, fix: str) -> None:
        expected = "a file such as tools.yaml, in this bundle or in one beside it"
        self._problems.append(Problem(code, at, message, expected, fix))

    def _file(self, path: Path, kind: str, folder: Path) -> Defined[Any] | None:
        name = os.path.normpath(path)
        if not inside(self._root if folder != self._folder else self._folder, path):
            at = Span(name, 1, 1, 1, 1)
            message = f"{name} is a link that leads out of the bundle"
            self._problems.append(Problem("HL012", at, message, "a file inside the bundle", "copy the file"))
            return None
        source = _read(read_yaml, path, self._problems)
        if source is None:
            return None
        value = shaped(file_model(kind), source, self._problems)
        return None if value is None else Defined(value, source.place, folder, self._attached)

    def _scenarios(self, bundle: Bundle) -> None:
        for path in sorted((self._folder / "tests").glob("*.yaml")):
            scenario = self._file(path, "scenario", self._folder)
            if scenario:
                bundle.scenarios.append(scenario)

    def _unknown_files(self) -> None:
        """A file that nobody reads is a file somebody thinks is read."""
        for path in sorted(self._folder.glob("*.y*ml")):
            if path.name not in {f"{kind}.yaml" for kind in KINDS}:
                at = Span(os.path.normpath(path), 1, 1, 1, 1)
                fix = (
                    did_you_mean(path.name, [f"{kind}.yaml" for kind in KINDS], "file")
                    if path.stem not in KINDS
                    else f"rename it {path.stem}.yaml"
                )
                message = f"{path.name} is not a file of a bundle, so nothing reads it"
                wanted = f"one of: {', '.join(f'{kind}.yaml' for kind in KINDS)}"
                self._problems.append(Problem("HL016", at, message, wanted, fix))
