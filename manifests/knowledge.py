"""What the conditions of decisions have proven by the time that a node starts."""

from __future__ import annotations

from manifests.draft import Edge, Graph
from manifests.expressions.guards import NO_FACTS, Fact, Proof, both, proof
from manifests.expressions.syntax import Malformed, parse
from manifests.flow import Flow
from manifests.shape.workflow import Decision


def proven(graph: Graph) -> dict[Edge, Proof]:
    """What holds where an edge of a decision is taken: what it asks, and for `else` the opposite of all others."""
    found: dict[Edge, Proof] = {}
    for node, _ in graph.nodes_of(Decision):
        ways = [edge for edge in graph.edges_out_of(node.id) if edge.normal]
        refuted: Proof = NO_FACTS
        for edge in ways:
            if edge.when is not None:
                found[edge], opposite = _outcomes(edge.when)
                refuted = both(refuted, opposite)
        found.update((edge, refuted) for edge in ways if edge.otherwise)
    return found


def _outcomes(condition: str) -> tuple[Proof, Proof]:
    try:
        root = parse(condition).root
    except Malformed:
        return None, None  # said where it stands; what it was to prove is not missed a second time
    return proof(root, True), proof(root, False)


class Knowledge:
    """Facts as bits, numbered alike in all graphs of a draft; less than 0 stands for all that there could be."""

    def __init__(self) -> None:
        self._bits: dict[Fact, int] = {}
        self._about: dict[str, int] = {}

    def before(self, flow: Flow, start: int) -> dict[str, int]:
        """What is known at each node: what all the ways into it have in common. An input or an output never changes."""
        graph = flow.graph
        taken = {edge: self._numbered(known, graph) for edge, known in flow.proofs.items()}
        if flow.cycle is not None or not any(taken.values()):
            return dict.fromkeys(graph.nodes, -1 if any(taken.values()) else start)
        known: dict[str, int] = {}
        arriving: dict[str, int] = {}
        another_error = ~self.about("error")
        for node in flow.order:
            here = known[node] = arriving.get(node, start)
            for edge in graph.edges_out_of(node):
                if edge.normal:
                    arriving[edge.target] = arriving.get(edge.target, -1) & (here | taken.get(edge, 0))
            for target in flow.routes.after(node):
                arriving[target] = arriving.get(target, -1) & here & another_error
        return known

    def about(self, *names: str) -> int:
        """All facts about these names."""
        found = 0
        for name in names:
            found |= self._about.get(name, 0)
        return found

    def facts(self, known: int, text: str) -> Proof:
        """What of that which is known is about what an expression reads."""
        if not known:
            return NO_FACTS
        try:
            paths = set(parse(text).paths)
        except Malformed:
            return NO_FACTS
        asked: list[Fact] = [("present", path) for path in paths]
        asked += [("set", path) for path in paths]
        return None if known < 0 else frozenset(fact for fact in asked if self._bits.get(fact, 0) & known)

    def _numbered(self, known: Proof, graph: Graph) -> int:
        """That a node of the graph itself ran is left to the flow, which knows it for each pipeline."""
        if known is None:
            return -1
        bits = 0
        for fact in known:
            what, path = fact
            if what != "present" or len(path) > 1 or path[0] not in graph.nodes:
                bits |= self._bits.get(fact) or self._number(fact)
        return bits

    def _number(self, fact: Fact) -> int:
        bit = self._bits[fact] = 1 << len(self._bits)
        name = str(fact[1][0])
        self._about[name] = self._about.get(name, 0) | bit
        return bit
