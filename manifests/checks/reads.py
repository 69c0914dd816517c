"""What an expression or a prompt reads must be there when it is read, and what looks like a reading must be one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from manifests.analysis import Analysis
from manifests.dataflow import Use
from manifests.draft import Draft, Graph, Node
from manifests.expressions.syntax import Malformed, parse
from manifests.expressions.templates import Embedded, Path, Unclosed, parts
from manifests.flow import Flow
from manifests.problems import Problem, nearest
from manifests.prompts import Prompt
from manifests.shape import workflow as shapes
from manifests.source import Place

_DETACHED = re.compile(r"(?<!\$)\$ \{([^{}]*)\}")
_JINJA = re.compile(r"(?<![{$])\{\{[-+]?\s*(([A-Za-z_]\w*)(?:\.\w+)+)[^{}]*\}\}")


def nodes_are_read_after_they_ran(found: Analysis) -> Iterator[Problem]:
    for use in found.data.uses:
        yield from _checked(found, use, use.graph, use.reader)


def _checked(found: Analysis, use: Use, graph: Graph, reader: str | None) -> Iterator[Problem]:
    """Looks for the graph that the name belongs to, from the inside out."""
    after = use.after
    while use.read.root not in graph.nodes:
        if use.read.root == "error":
            yield from _error(found, use, graph, reader)
        owner = graph.owner
        if owner is None:
            if graph.role == "final" and not use.read.guarded and use.read.root == "error":
                yield _absent(use, "there is an error in `finally` only if something failed")
            if graph.role == "final" and not use.read.guarded and use.read.root in found.draft.graph.nodes:
                yield _absent(use, f"{use.read.root!r} may not have run when `finally` does")
            return
        graph, reader, after = owner.graph, owner.id, False
    flow = found.flows[graph]
    if flow.cycle is None and not graph.incomplete:
        yield from _in_flow(use, flow, reader, after)
        if graph is found.draft.graph:
            yield from _in_pipelines(found, use, reader, after)


def _in_flow(use: Use, flow: Flow, reader: str | None, after: bool) -> Iterator[Problem]:
    name = use.read.root
    if after and name == reader:
        return
    if not flow.is_before(name, reader):
        message = f"{reader!r} reads {name!r}, which does not run before it"
        fix = f"lead an edge from {name!r} to {reader!r}, or read another node"
        if reader == name:
            message, fix = f"{name!r} reads itself", "read a node before it, or `loop.NAME` inside a loop"
        yield Problem("HL310", use.at, message, "a node that runs before", fix)
    elif not _is_there(flow, name, reader) and not use.read.guarded:
        yield _absent(use, f"{name!r} may not have run here: it can be skipped, or fail and be handled")


def _is_there(flow: Flow, name: str, reader: str | None) -> bool:
    return flow.surely_ran(name, reader) or flow.graph.nodes[name].spec.when_skipped is not None


def _absent(use: Use, message: str) -> Problem:
    name = ".".join([use.read.root, *[str(step) for step in use.read.path[:1]]])
    if not use.read.path:
        fix = f"give {name!r} a `when_skipped`, or read a field of it behind has()"
    else:
        fix = f"write `has({name}) ? {name} : …`, or `{use.read.root}.?{use.read.path[0]}.orValue(…)`"
    return Problem("HL311", use.at, message, "has(…), an optional, or a node that surely ran", fix)


def _in_pipelines(found: Analysis, use: Use, reader: str | None, after: bool) -> Iterator[Problem]:
    name, main = use.read.root, found.flows[found.draft.graph]
    for pipeline, graph in found.draft.pipelines.items():
        flow = found.flows[graph]
        if use.read.guarded or flow.cycle is not None or (reader is not None and reader not in graph.nodes):
            continue
        if name not in graph.nodes and found.draft.graph.nodes[name].spec.when_skipped is not None:
            continue
        if name not in graph.nodes:
            yield _absent(use, f"pipeline {pipeline!r} leaves {name!r} out")
        elif after and name == reader:
            continue
        elif flow.is_before(name, reader) and _is_there(main, name, reader) and not _is_there(flow, name, reader):
            yield _absent(use, f"in pipeline {pipeline!r} {name!r} may not have run here")


def _error(found: Analysis, use: Use, graph: Graph, reader: str | None) -> Iterator[Problem]:
    flow = found.flows[graph]
    targets = {target for node in graph.nodes for target in flow.routes.after(node)}
    if reader in targets and not use.read.guarded and any(edge.normal for edge in graph.edges_into(reader)):
        yield _absent(use, f"{reader!r} is also reached when nothing failed, and then there is no error")


def prompts_get_what_they_want(found: Analysis) -> Iterator[Problem]:
    for node in found.draft.nodes():
        name = _agent(node)
        contract = found.draft.contracts.agents.get(name or "")
        if contract is not None and contract.prompt is not None:
            yield from _variables(node, f"the prompt of {name!r}", contract.prompt)


def _variables(node: Node, whose: str, prompt: Prompt) -> Iterator[Problem]:
    """A name that is missing and one too many may be the same, spelt in two ways."""
    given = node.spec.with_
    unused = [key for key in given if key not in prompt.mentions]
    missing = sorted(prompt.needs - given.keys())
    same = unused[0] if len(unused) == len(missing) == 1 else None
    for variable in missing:
        at = node.at / "with" if given else node.at.key
        fix = f"add `{variable}: …` under `with`"
        near = same or nearest(variable, unused)
        if near is not None:
            unused.remove(near)
            at, fix = (node.at / "with" / near).key, f"rename {near!r} to {variable!r}"
        message = f"{whose} wants {variable!r}, which {node.id!r} does not pass"
        where = prompt.place_of(variable).span
        yield Problem("HL332", at, message, f"{variable!r}, read in {where.file}:{where.line}", fix)
    for key in unused:
        near = nearest(key, prompt.knows - given.keys())
        fix = f"rename {key!r} to {near!r}" if near else f"remove it, or write {{{{ {key} }}}} in the prompt"
        message = f"{node.id!r} passes {key!r}, which {whose} does not use"
        expected = f"variables of the prompt: {', '.join(sorted(prompt.knows)) or 'none'}"
        yield Problem("HL333", (node.at / "with" / key).key, message, expected, fix)


def _agent(node: Node) -> str | None:
    match node.spec:
        case shapes.Agent(agent=name):
            return name
        case shapes.Plan(plan=planning):
            return planning.agent
    return None


def texts_are_not_nearly_expressions(found: Analysis) -> Iterator[Problem]:
    """Only what can hardly be meant as text: a blank too many, or a node's field in the braces of a prompt."""
    names = {"input", "run", *(node.id for node in found.draft.nodes())}
    for value, at in _values(found.draft):
        for path, text in _texts(value, ()):
            place = Place(at.source, (*at.path, *path))
            yield from _detached(text, place)
            yield from _in_jinja(text, place, names)


def _detached(text: str, at: Place) -> Iterator[Problem]:
    for near in _DETACHED.finditer(_literal(text)):
        try:
            reads = parse(near[1]).names
        except Malformed:
            continue
        if reads:
            message = f"{near[0]!r} is a text, for a blank stands behind its '$'"
            fix = f"write ${{{near[1].strip()}}}; for the text write ${{'$'}} in place of its '$'"
            yield Problem("HL312", at.within(*near.span()), message, "${ … } without the blank", fix)


def _in_jinja(text: str, at: Place, names: set[str]) -> Iterator[Problem]:
    for near in _JINJA.finditer(_literal(text)) if "{%" not in text else ():
        if near[2] in names:
            message = f"{near[0]!r} is a text, for only prompts are Jinja2"
            fix = f"write ${{{near[1]}}}; for the text write ${{'{{'}} in place of its first brace"
            yield Problem("HL312", at.within(*near.span()), message, "${ … }", fix)


def _literal(text: str) -> str:
    """The text with blanks where expressions stand."""
    try:
        found = parts(text)
    except Unclosed:
        return ""  # said already
    for part in found:
        if isinstance(part, Embedded):
            start, end = part.start - 2, part.end + 1
            text = f"{text[:start]}{' ' * (end - start)}{text[end:]}"
    return text


def _texts(value: Any, path: Path) -> Iterator[tuple[Path, str]]:
    """The texts in a value that may hold a near miss, with the way to each."""
    match value:
        case str() if "$ {" in value or "{{" in value:
            yield path, value
        case dict():
            for key, each in value.items():
                yield from _texts(each, (*path, key))
        case list():
            for index, each in enumerate(value):
                yield from _texts(each, (*path, index))


def _values(draft: Draft) -> Iterator[tuple[Any, Place]]:
    """Every value in which `${ … }` is evaluated."""
    for graph in draft.graphs():
        yield graph.output, graph.at / "output"
        for node in graph.nodes.values():
            yield node.spec.with_, node.at / "with"
            yield node.spec.when_skipped, node.at / "when_skipped"
            yield from _own_values(node)


def _own_values(node: Node) -> Iterator[tuple[Any, Place]]:
    at = node.at / node.kind
    match node.spec:
        case shapes.Transform(transform=value) | shapes.Merge(merge=value):
            yield value, at
        case shapes.Human(human=gate):
            yield from ((gate.ask, at / "ask"), (gate.show, at / "show"), (gate.to, at / "to"))
            if gate.escalate is not None:
                yield gate.escalate.to, at / "escalate" / "to"
        case shapes.Wait(wait=waiting):
            yield waiting.until, at / "until"
        case shapes.Emit(emit=message):
            yield from ((message.message, at / "message"), (message.run, at / "run"))
        case shapes.Loop(loop=looping):
            for name, carried in looping.carry.items():
                yield carried.first, at / "carry" / name / "first"
                yield carried.next, at / "carry" / name / "next"


CHECKS = (nodes_are_read_after_they_ran, prompts_get_what_they_want, texts_are_not_nearly_expressions)
