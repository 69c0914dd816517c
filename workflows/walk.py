"""One way through one graph: the run's own, its `finally`, or one iteration of a body."""

from __future__ import annotations

import asyncio
from collections import ChainMap
from collections.abc import Mapping
from typing import Any

from manifests import plan as plans
from workflows.chart import Ground
from workflows.cursor import Cursor
from workflows.failures import Failed

NOTHING: dict[str, Any] = {}


class Walk:
    """`key` tells iterations apart (`3`, `3.1`); `inside` is what running nodes would need to be taken up again."""

    def __init__(self, ground: Ground, scope: Mapping[str, Any], names: dict[str, Any], key: str = "") -> None:
        self.ground = ground
        self.key = key
        self.names = names
        self.cursor = Cursor(ground.topology)
        # A node that has not run is an empty object, so that `has(node.field)` is false and no name is missing; those
        # that the pipeline leaves out are among them.
        self.outputs: dict[str, Any] = dict.fromkeys(ground.nodes, NOTHING)
        self.errors: dict[str, dict[str, Any]] = {}
        self.inside: dict[str, dict[str, Any]] = {}
        # Per agent and node the transcript of the last answer, the newest one last. The iterations of a loop have
        # those of the walk that the loop is in.
        self.said: dict[str, dict[str, str]] = {}
        self.tasks: dict[str, asyncio.Task[None]] = {}
        self.over = False
        self.failure: Failed | None = None
        self.crash: BaseException | None = None
        self.over = False
        maps = scope.maps if isinstance(scope, ChainMap) else [dict(scope)]
        self.scope: ChainMap[str, Any] = ChainMap(self.outputs, names, *maps)
        self._news: asyncio.Future[None] | None = None

    def node(self, name: str) -> plans.Node:
        return self.ground.nodes[name]

    def at(self, node: plans.Node) -> str:
        """What a node is called on Temporal, with the iteration that it is in."""
        return f"{node.path}#{self.key}" if self.key else node.path

    def below(self, place: int) -> str:
        """The key of an iteration inside this one."""
        return f"{self.key}.{place}" if self.key else str(place)

    def scope_of(self, node: str) -> ChainMap[str, Any]:
        """What the expressions of a node may look at: the failure too, where one led to it."""
        error = self.errors.get(node)
        return self.scope if error is None else ChainMap({"error": error}, *self.scope.maps)

    # --- waiting for something to happen

    async def news(self) -> None:
        self._news = asyncio.get_running_loop().create_future()
        await self._news

    def wake(self) -> None:
        if self._news is not None and not self._news.done():
            self._news.set_result(None)

    # --- across continue-as-new

    def dump(self) -> dict[str, Any]:
        outputs = {node: value for node, value in self.outputs.items() if value is not NOTHING}
        return {
            "cursor": self.cursor.dump(),
            "outputs": outputs,
            "errors": self.errors,
            "inside": {node: plain_inside(inside) for node, inside in self.inside.items()},
            **({"said": self.said} if self.said else {}),
        }

    def load(self, data: dict[str, Any]) -> None:
        self.cursor = Cursor.load(self.ground.topology, data["cursor"])
        self.outputs.update(data["outputs"])
        self.errors.update(data["errors"])
        self.inside.update(data["inside"])
        self.said.update(data.get("said", {}))

    def take_up(self, bodies: dict[str, Any], key: str) -> None:
        """Goes on from where an iteration stood in an earlier run, and is what stands there from now on."""
        saved = bodies.get(key)
        if isinstance(saved, dict):
            self.load(saved)
        bodies[key] = self


def plain_inside(inside: dict[str, Any]) -> dict[str, Any]:
    bodies = inside.get("bodies")
    if not bodies:
        return inside
    return {**inside, "bodies": {key: each.dump() if isinstance(each, Walk) else each for key, each in bodies.items()}}
