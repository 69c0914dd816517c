"""What every expression of a bundle reads and gives: types from node to node, in the order that they run."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass, field, replace
from typing import Any

from manifests import outputs
from manifests.contracts import Contracts
from manifests.draft import Draft, Graph, Node
from manifests.expressions.conflicts import conflict
from manifests.expressions.evaluation import Evaluator, ExpressionFailed
from manifests.expressions.findings import ABSENT, Finding, Read
from manifests.expressions.guards import NO_FACTS
from manifests.expressions.inference import examine
from manifests.expressions.schemas import of_schema
from manifests.expressions.syntax import Malformed, parse
from manifests.expressions.templates import Embedded, Unclosed, is_whole, parts
from manifests.expressions.types import DYN, INT, STRING, Type, join, list_of, literal, object_of
from manifests.flow import Flow
from manifests.knowledge import Knowledge
from manifests.problems import Problem, did_you_mean
from manifests.shape import workflow as shapes
from manifests.source import Place
from manifests.takers import Takers

Scope = MutableMapping[str, Type]


@dataclass(frozen=True)
class Use:
    """An expression that looks at a name: `reader` is the node it belongs to, or None for the output of a graph.

    `after` says that the reader itself has completed by then, as for the conditions of a decision's edges.
    """

    graph: Graph
    reader: str | None
    read: Read
    at: Place
    after: bool = False


@dataclass
class Dataflow:
    """The types and reads of a draft, and what was found on the way."""

    types: dict[Node, Type] = field(default_factory=dict)
    uses: list[Use] = field(default_factory=list)
    scopes: dict[Node, Mapping[str, Type]] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    output: Type = DYN


def traced(draft: Draft, flows: Mapping[Graph, Flow]) -> Dataflow:
    """Follows the values of a draft from its input to its output, and once more where a pipeline differs in them."""
    tracer = _Tracer(draft, flows, draft.graph)
    found = tracer.trace()
    for name, way in draft.pipelines.items():
        if not tracer.holds_in(way):
            again = _Tracer(draft, flows, way).trace(found.types)
            said = {(problem.code, problem.at) for problem in found.problems}
            here = [problem for problem in again.problems if (problem.code, problem.at) not in said]
            found.problems += [replace(each, message=f"in pipeline {name!r}: {each.message}") for each in here]
    return found


class _Tracer:
    def __init__(self, draft: Draft, flows: Mapping[Graph, Flow], main: Graph) -> None:
        self._draft = draft
        self._contracts: Contracts = draft.contracts
        self._flows = flows
        self._main = main
        self._agents = {name: of_schema(each.output) for name, each in draft.contracts.agents.items()}
        self._tools = {name: of_schema(each.output) for name, each in draft.contracts.tools.items()}
        self._takers = Takers(draft)
        self._knowledge = Knowledge()
        self._known: dict[Node, int] = {}
        self._rehearsing = False
        self._found = Dataflow()

    def trace(self, known: Mapping[Node, Type] | None = None) -> Dataflow:
        """The nodes that a pipeline leaves out are still read behind guards, so their `known` types are in scope."""
        fixed: Scope = {"input": of_schema(self._contracts.input), "run": outputs.RUN}
        self._pipelines(ChainMap({}, fixed))
        left_out = {node.id: type_ for node, type_ in (known or {}).items() if node.graph is self._draft.graph}
        scope = self._graph(self._main, ChainMap({}, left_out, fixed))
        self._found.output = self._output(self._main, scope)
        if self._draft.finally_:
            # What ran before `finally` is not known, so `error` and every node are there for the asking.
            scope["error"] = outputs.ERROR
            self._graph(self._draft.finally_, ChainMap({}, scope))
        return self._found

    def holds_in(self, way: Graph) -> bool:
        """Whether merges join the same in a pipeline, and all is proven there that is proven in the main graph."""
        main, flow = self._flows[self._main], self._flows[way]
        known = self._knowledge.before(flow, 0)
        joined = all(main.joined(node.id) == flow.joined(node.id) for node, _ in way.nodes_of(shapes.Merge))
        return joined and not any(self._known[node] & ~known[name] for name, node in way.nodes.items())

    def _inside(self, owner: Node | None) -> int:
        """What is known in the body of a node: what is known outside, but for names that mean another thing there."""
        return self._known[owner] & ~self._knowledge.about(*owner.own_names) if owner else 0

    def _pipelines(self, scope: Scope) -> None:
        """A pipeline is chosen before anything has run."""
        for defined in self._draft.bundle.pipelines.values():
            pipeline, at = defined.value, defined.at
            if pipeline.when is not None:
                self._by_nature(pipeline.when, at / "when", scope, self._draft.graph, None, "bool")
            if isinstance(pipeline.score, str):
                self._by_nature(pipeline.score, at / "score", scope, self._draft.graph, None, "int")

    def _graph(self, graph: Graph, outer: Scope) -> Scope:
        own_names = dict.fromkeys(graph.nodes, DYN)
        # A flat scope is looked up several times faster; only a body, which may be one of thousands, copies no names.
        scope: Scope = {**outer, **own_names} if graph.owner is None else ChainMap(own_names, outer)
        flow = self._flows[graph]
        targets = {target for node in graph.nodes for target in flow.routes.after(node)}
        known = self._knowledge.before(flow, self._inside(graph.owner))
        self._known.update((node, known[name]) for name, node in graph.nodes.items())
        for name in flow.order if flow.cycle is None else graph.nodes:
            node = graph.nodes[name]
            # An edge for what never fails is a problem of its own; what its target reads is none.
            fails = name in targets or any(edge.on for edge in graph.edges_into(name))
            own = ChainMap({"error": outputs.ERROR}, scope) if fails or graph.incomplete else scope
            self._found.scopes[node] = own
            scope[name] = self._found.types[node] = self._node(node, own)
            for edge in graph.edges_out_of(name):
                if edge.when is not None:
                    self._by_nature(edge.when, edge.at / "when", scope, graph, edge.source, "bool", after=True)
        return scope

    # --- values and expressions where they stand

    def _expression(
        self, text: str, at: Place, start: int, scope: Scope, graph: Graph, reader: str | None, after: bool = False
    ) -> Type:
        known = self._knowledge.facts(self._known[graph.nodes[reader]] if reader else self._inside(graph.owner), text)
        inferred = examine(text, scope, known or NO_FACTS)
        if not inferred.findings and not inferred.reads:
            self._try(text, at, start)
        for finding in inferred.findings:
            if known is not None or finding.code != ABSENT:
                self._say(self._at_home(finding, text, graph), at, start)
        for read in inferred.reads:
            self._found.uses.append(Use(graph, reader, read, at.within(start + read.offset, start + read.end), after))
        return inferred.type

    def _try(self, text: str, at: Place, start: int) -> None:
        """An expression that reads nothing gives the same in every run, so it can be tried now."""
        try:
            if not parse(text).names:
                Evaluator().evaluate(text, {})
        except (ExpressionFailed, Malformed) as error:
            place = at.within(start, start + len(text))
            message = f"this always fails: {error}"
            self._found.problems.append(Problem("HL309", place, message, "an expression with a value", "correct it"))

    def _at_home(self, finding: Finding, text: str, graph: Graph) -> Finding:
        """A name that is known elsewhere gets told where."""
        name = text[finding.start : finding.end]
        if finding.code != "HL301" or name in graph.nodes:
            return finding
        if name == "error":
            fix = "lead a failure to this node, as in `{from: …, to: …, on: error}`; only its target knows `error`"
            return replace(finding, fix=fix)
        homes = [node.graph.owner for node in self._draft.nodes() if node.id == name and node.graph.owner]
        if homes:
            return replace(finding, fix=f"{name!r} stands inside {homes[0].id!r}: read what that one gives")
        return finding

    def _say(self, finding: Finding, at: Place, start: int) -> None:
        end = max(finding.end, finding.start + 1)
        place = at.within(start + finding.start, start + end)
        fix = finding.fix or "correct the expression here"
        self._found.problems.append(Problem(finding.code, place, finding.message, finding.expected, fix))

    def _by_nature(
        self, text: str, at: Place, scope: Scope, graph: Graph, reader: str | None, wanted: str, after: bool = False
    ) -> Type:
        """A field whose whole text is an expression."""
        if text.lstrip().startswith("${"):
            message = "this field is an expression already"
            fix = f"write {text.strip().removeprefix('${').removesuffix('}').strip()}"
            self._found.problems.append(Problem("HL307", at, message, "an expression without ${ }", fix))
            return DYN
        given = self._expression(text, at, 0, scope, graph, reader, after)
        if not given.is_dyn and given.kinds.isdisjoint({wanted, "double"} if wanted == "int" else {wanted}):
            name = {"bool": "true or false", "list": "a list", "int": "a number"}[wanted]
            self._found.problems.append(Problem("HL304", at, f"this is {given}", name, f"write what gives {name}"))
        return given

    def _value(self, value: Any, at: Place, scope: Scope, graph: Graph, reader: str | None) -> Type:
        match value:
            case str() if "${" in value:
                return self._text(value, at, scope, graph, reader)
            case dict():
                below = {key: self._value(each, at / key, scope, graph, reader) for key, each in value.items()}
                return object_of(below)
            case list():
                types = [self._value(each, at / index, scope, graph, reader) for index, each in enumerate(value)]
                return list_of(join(types) if types else DYN, len(types))
            case _:
                return literal(value)

    def _text(self, text: str, at: Place, scope: Scope, graph: Graph, reader: str | None) -> Type:
        try:
            found = parts(text)
        except Unclosed as error:
            place = at.within(error.offset, len(text))
            self._found.problems.append(Problem("HL300", place, str(error), "a closing }", error.fix))
            return STRING
        given = STRING
        for part in found:
            if isinstance(part, Embedded):
                given = self._expression(part.text, at, part.start, scope, graph, reader)
        return given if is_whole(found) else STRING

    def _output(self, graph: Graph, scope: Scope) -> Type:
        if graph.output is not None:
            return self._value(graph.output, graph.at / "output", scope, graph, None)
        last = graph.last()
        return scope[last[0]] if len(last) == 1 else DYN

    # --- what each kind gives

    def _node(self, node: Node, scope: Scope) -> Type:
        given = self._inputs(node, scope)
        output = self._gives(node, scope, given)
        if node.spec.when_skipped is not None:
            # What is known of a node that runs is not known of one that is skipped.
            known, self._known[node] = self._known[node], self._inside(node.graph.owner)
            stand_in = self._value(node.spec.when_skipped, node.at / "when_skipped", scope, node.graph, node.id)
            output, self._known[node] = join((output, stand_in)), known
        return output

    def _inputs(self, node: Node, scope: Scope) -> Type:
        fields = {
            name: self._value(value, node.at / "with" / name, scope, node.graph, node.id)
            for name, value in node.spec.with_.items()
        }
        given = object_of(fields)
        taker = self._takers.of(node)
        if taker is not None:
            self._found.problems += taker.disagreements(node, given)
        return given

    def _gives(self, node: Node, scope: Scope, given: Type) -> Type:
        match node.spec:
            case shapes.Agent(agent=name):
                return self._agents.get(name, DYN)
            case shapes.Tool(tool=name):
                return self._tools.get(name, DYN)
            case shapes.Decision():
                return outputs.CHOSEN
            case shapes.Merge():
                return self._merge(node, node.spec, scope)
            case shapes.Transform(transform=value):
                return self._value(value, node.at / "transform", scope, node.graph, node.id)
            case shapes.Map():
                return self._map(node, node.spec.map, scope)
            case shapes.Loop():
                return self._loop(node, node.spec.loop, scope)
            case shapes.Subflow(workflow=name):
                return self._child(name)
            case shapes.Recall():
                return outputs.RECALLED
            case shapes.Remember():
                return outputs.WRITTEN
            case _:
                return self._outside(node, scope)

    def _outside(self, node: Node, scope: Scope) -> Type:
        """Kinds that wait for, or speak to, somebody else."""
        graph, reader = node.graph, node.id
        match node.spec:
            case shapes.Human(human=gate):
                self._value(gate.ask, node.at / "human" / "ask", scope, graph, reader)
                self._value(gate.show, node.at / "human" / "show", scope, graph, reader)
                self._value(gate.to, node.at / "human" / "to", scope, graph, reader)
                if gate.escalate:
                    self._value(gate.escalate.to, node.at / "human" / "escalate" / "to", scope, graph, reader)
                return outputs.of_human(gate, self._draft.schema_at(node.at / "human" / "form"))
            case shapes.Wait(wait=waiting):
                if waiting.until is not None:
                    self._value(waiting.until, node.at / "wait" / "until", scope, graph, reader)
                if waiting.signal is None:
                    return outputs.WAITED
                return of_schema(self._draft.schema_at(node.at / "wait" / "schema") or {})
            case shapes.Emit(emit=message):
                self._value(message.message, node.at / "emit" / "message", scope, graph, reader)
                self._value(message.run, node.at / "emit" / "run", scope, graph, reader)
                return outputs.WRITTEN
            case shapes.Plan():
                self._graph(node.bodies[0], ChainMap({}, scope))
                return of_schema(self._draft.schema_at(node.at / "plan" / "output") or {})
        return DYN

    def _merge(self, node: Node, spec: shapes.Merge, scope: Scope) -> Type:
        graph = self._main if node.graph is self._draft.graph else node.graph
        certain = self._flows[graph].joined(node.id)
        sources = {name: scope[name] for name in certain}
        if "${" in spec.merge:
            own = ChainMap({"inputs": list_of(join(sources.values()) if sources else DYN)}, scope)
            return self._value(spec.merge, node.at / "merge", own, node.graph, node.id)
        self._voted_field(node, spec, join(sources.values()) if sources else DYN)
        return outputs.of_merge(spec.merge, spec.by, sources, certain)

    def _voted_field(self, node: Node, spec: shapes.Merge, each: Type) -> None:
        if spec.merge == "vote" and spec.by is not None and each.kinds == {"object"} and each.lookup(spec.by) is None:
            fix = did_you_mean(spec.by, each.fields, "field")
            message = f"what is voted on has no field {spec.by!r}"
            expected = f"one of: {', '.join(each.fields)}"
            self._found.problems.append(Problem("HL302", node.at / "by", message, expected, fix))

    def _map(self, node: Node, spec: shapes.Mapping, scope: Scope) -> Type:
        over = self._by_nature(spec.over, node.at / "map" / "over", scope, node.graph, node.id, "list")
        item = over.items if over.kinds == {"list"} else DYN
        if isinstance(spec.do, shapes.Run):
            self._given_to_child(spec.do.workflow, item, node.at / "map" / "over")
            return outputs.of_map(spec.on_error, self._child(spec.do.workflow))
        inner = self._graph(node.bodies[0], ChainMap({spec.as_: item, "index": INT}, scope))
        return outputs.of_map(spec.on_error, self._output(node.bodies[0], inner))

    def _loop(self, node: Node, spec: shapes.Looping, scope: Scope) -> Type:
        first = {
            name: self._value(each.first, node.at / "loop" / "carry" / name / "first", scope, node.graph, node.id)
            for name, each in spec.carry.items()
        }
        if isinstance(spec.do, shapes.Run):
            self._given_to_child(spec.do.workflow, object_of(first), node.at / "loop" / "do")
            self._known[node] = self._inside(node)
        carried: Scope = {name: _loosened(type_) for name, type_ in first.items()}
        begun_empty = [name for name, type_ in first.items() if type_.kinds == {"null"}]
        if begun_empty and not self._rehearsing:
            then = self._rehearsed(node, spec, scope, carried)
            carried.update((name, join((first[name], then[name]))) for name in begun_empty)
        given, then = self._round(node, spec, scope, carried)
        for name, type_ in then.items():
            self._same_kind(name, first[name], type_, node.at / "loop" / "carry" / name / "next")
        return given

    def _round(self, node: Node, spec: shapes.Looping, scope: Scope, carried: Scope) -> tuple[Type, dict[str, Type]]:
        """What an iteration gives, and what it carries on."""
        own: Scope = ChainMap({"loop": object_of(carried), "index": INT}, scope)
        graph, at = node.graph, node.at / "loop"
        reader: str | None = node.id
        if isinstance(spec.do, shapes.Run):
            given = self._child(spec.do.workflow)
            own = ChainMap({"output": given}, own)
        else:
            graph, reader = node.bodies[0], None
            own = self._graph(graph, own)
            given = self._output(graph, own)
        then = {
            name: self._value(each.next, at / "carry" / name / "next", own, graph, reader)
            for name, each in spec.carry.items()
        }
        self._by_nature(spec.until, at / "until", own, graph, reader, "bool")
        return given, then

    def _rehearsed(self, node: Node, spec: shapes.Looping, scope: Scope, carried: Scope) -> dict[str, Type]:
        """What an iteration carries on, whatever it was given; nothing else of it is kept."""
        kept, self._found, self._rehearsing = self._found, Dataflow(), True
        _, then = self._round(node, spec, scope, carried)
        self._found, self._rehearsing = kept, False
        return then

    def _same_kind(self, name: str, first: Type, then: Type, at: Place) -> None:
        if first.is_dyn or then.is_dyn or first.nullable or (first.kinds & then.kinds):
            return
        message = f"{name!r} begins as {first} and goes on as {then}"
        fix = "let `first` and `next` give the same kind of value"
        self._found.problems.append(Problem("HL304", at, message, str(first), fix))

    def _given_to_child(self, name: str, given: Type, at: Place) -> None:
        """An item of a map, or the carried values of a loop, are the input of the run that they start."""
        child = self._draft.children.get(name)
        for found in conflict(child.plan.input, given) if child else ():
            where = ".".join(str(step) for step in found.path)
            message = f"the input of {name!r} does not fit: {where + ': ' if where else ''}{found.message}"
            fix = "give it an object with the fields of its input"
            self._found.problems.append(Problem("HL308", at, message, "what its input schema says", fix))

    def _child(self, name: str) -> Type:
        child = self._draft.children.get(name)
        return child.output if child else DYN


def _loosened(type_: Type) -> Type:
    """What goes round a loop after it began as this: lists and objects may grow, and null is there to be replaced."""
    return DYN if type_.kinds & {"list", "object", "null"} else type_.widened()
