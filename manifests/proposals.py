"""A graph that an agent proposes, made a bundle of its own: compiled by the same checks as any other."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

from manifests.archive import unpacked
from manifests.compiler import Compiled, compile_bundle
from manifests.expressions.syntax import parse
from manifests.expressions.templates import Embedded, parts
from manifests.expressions.tree import Const, MapExpr, Node, children
from manifests.plan import AROUND, Plan, Planning
from manifests.problems import Refused
from manifests.source import Place, Span

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
MOST_TOLD = 5


class Unacceptable(Exception):
    """What is wrong with a proposal, in words that its agent can act on."""


def compiled(archive: bytes, plan: Plan, node: Planning, names: list[str], proposal: Any) -> Compiled:
    """The proposal as a manifest that can be run; raises `Unacceptable`."""
    with tempfile.TemporaryDirectory() as folder:
        files = unpacked(archive, Path(folder))
        path = next(name for name, data in files.items() if _is_of(name, data, plan.name))
        own = _workflow(files[path], plan, node, names, proposal)
        bundle = (Path(folder) / path).parent
        (bundle / "workflow.yaml").write_text(json.dumps(own), encoding="utf-8")
        for extra in ("pipelines.yaml", "triggers.yaml"):
            (bundle / extra).unlink(missing_ok=True)
        try:
            found = compile_bundle(bundle)
        except Refused as refused:
            told = [f"{_where(problem.at)}{problem.message} ({problem.fix})" for problem in refused.problems]
            raise Unacceptable("; ".join(told[:MOST_TOLD])) from None
    if any(_could_forge(parse(text).root) for text in _expressions(proposal)):
        raise Unacceptable("the keys of a map in an expression are written out, and none begins with '$'")
    return found


def _is_of(name: str, data: Any, workflow: str) -> bool:
    return name.endswith("workflow.yaml") and isinstance(data, dict) and data.get("name") == workflow


def _workflow(data: dict[str, Any], plan: Plan, node: Planning, names: list[str], proposal: Any) -> dict[str, Any]:
    """The manifest: the names around, one after the other, and behind them what was proposed."""
    templates = _templates(data, node.path)
    nodes = _nodes(proposal, templates, node.max_nodes)
    around = {name: {"transform": f"${{input.{AROUND}.{name}}}"} for name in names if _is_read(name, nodes, proposal)}
    clash = next((name for name in nodes if name in around), None)
    if clash is not None:
        raise Unacceptable(f"the node {clash!r} has the name of one around it: call it something else")
    chain = list(around)
    edges = [*_listed(proposal.get("edges", []), "edges")]
    edges += [{"from": one, "to": two} for one, two in pairwise(chain)]
    if chain:
        edges += [{"from": chain[-1], "to": entry} for entry in nodes if not _has_way_in(entry, proposal)]
    schema = _with_around(plan.input, chain)
    manifest = {
        "apiVersion": data["apiVersion"],
        "name": f"{plan.name}.{node.id}",
        "input": schema,
        "nodes": {**around, **nodes},
        "edges": edges,
    }
    manifest |= {"include": data["include"]} if data.get("include") else {}
    return manifest | ({"output": proposal["output"]} if proposal.get("output") is not None else {})


def _with_around(schema: dict[str, Any], names: list[str]) -> dict[str, Any]:
    """The input of the plan, and the names around as one more field of it."""
    around = {"type": "object", "required": names, "properties": {name: {} for name in names}}
    properties = {**schema.get("properties", {}), AROUND: around}
    return {**schema, "properties": properties, "required": [*schema.get("required", []), AROUND]}


def _templates(data: dict[str, Any], path: str) -> dict[str, Any]:
    """The templates as the manifest has them, by the way to their `plan` node."""
    graphs = [data, data.get("finally") or {}]
    *above, last = path.split("/")
    for name in above:
        graphs = [body for graph in graphs for body in _bodies(graph.get("nodes", {}).get(name, {}))]
    found = next(graph["nodes"][last] for graph in graphs if last in graph.get("nodes", {}))
    templates: dict[str, Any] = found["plan"]["templates"]
    return templates


def _bodies(node: dict[str, Any]) -> list[dict[str, Any]]:
    return [node[kind]["do"] for kind in ("map", "loop") if kind in node]


def _nodes(proposal: Any, templates: dict[str, Any], most: int) -> dict[str, Any]:
    if not isinstance(proposal, dict) or not isinstance(proposal.get("nodes"), dict | list):
        raise Unacceptable("a proposal is an object: nodes, each {use: TEMPLATE, with: {…}} by its name, and edges")
    given = proposal["nodes"]
    entries = given.items() if isinstance(given, dict) else [(_id(each), each) for each in given]
    nodes = {str(name): _node(str(name), said, templates) for name, said in entries}
    if not nodes or len(nodes) > most:
        raise Unacceptable(f"a proposal has between 1 and {most} nodes, and this has {len(nodes)}")
    return nodes


def _id(said: Any) -> str:
    return str(said.get("id", "")) if isinstance(said, dict) else ""


def _node(name: str, said: Any, templates: dict[str, Any]) -> dict[str, Any]:
    use = said.get("use") if isinstance(said, dict) else None
    if use not in templates:
        raise Unacceptable(f"the node {name!r} uses {use!r}; templates: {', '.join(templates)}")
    extra = sorted(said.keys() - {"id", "use", "with"})
    if extra:
        raise Unacceptable(f"the node {name!r} says {extra[0]!r}; it may say `use` and `with`")
    node = dict(templates[use])
    if said.get("with") is not None:
        node["with"] = {**(node.get("with") or {}), **said["with"]}
    return node


def _listed(value: Any, what: str) -> list[Any]:
    if not isinstance(value, list):
        raise Unacceptable(f"{what} are a list")
    return value


def _is_read(name: str, nodes: dict[str, Any], proposal: dict[str, Any]) -> bool:
    return name in _NAME.findall(json.dumps([nodes, proposal.get("output")]))


def _has_way_in(node: str, proposal: dict[str, Any]) -> bool:
    for edge in proposal.get("edges", []):
        if isinstance(edge, dict) and edge.get("to") == node:
            return True
        if isinstance(edge, str) and node in [each.strip() for each in edge.split("->")[1:]]:
            return True
    return False


def _expressions(value: Any) -> Iterator[str]:
    if isinstance(value, dict | list):
        for below in value.values() if isinstance(value, dict) else value:
            yield from _expressions(below)
    elif isinstance(value, str):
        yield from (part.text for part in parts(value) if isinstance(part, Embedded))


def _could_forge(node: Node) -> bool:
    """Whether it makes what a run could take for a reference to a value that is kept outside of it."""
    keys = [entry.key for entry in node.entries] if isinstance(node, MapExpr) else []
    written = [isinstance(key, Const) and not str(key.value).startswith("$") for key in keys]
    return not all(written) or any(map(_could_forge, children(node)))


def _where(at: Place | Span) -> str:
    return f"{'.'.join(map(str, at.path))}: " if isinstance(at, Place) and at.path else ""
