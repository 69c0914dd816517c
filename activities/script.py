"""The edges of the world, scripted: what models, tools and memories answer, from a scenario, in order.

Every answer is written down outside of the run, under the key of its call; a call that is repeated after a crash gets
the answer that it had, as from a service that knows idempotency keys.
"""

from __future__ import annotations

import fcntl
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from activities.contracts import Call
from activities.failing import Failing
from manifests.shape.scenario import ScenarioFile


class Effects:
    """A file with a line for every effect, shared by all workers; a line is there or it is not."""

    def __init__(self, path: Path) -> None:
        self._path = path
        path.parent.mkdir(parents=True, exist_ok=True)

    @contextmanager
    def once(self, key: str) -> Iterator[list[Any]]:
        """What has been recorded under a key; what is appended to the list is recorded now."""
        with self._path.open("a+", encoding="utf-8") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.seek(0)
            found = [entry for line in file if (entry := json.loads(line))["key"] == key]
            known = len(found)
            yield found
            for entry in found[known:]:
                file.write(json.dumps({"key": key, **entry}, sort_keys=True) + "\n")
            file.flush()


class Script:
    """One scenario for all runs of a worker."""

    def __init__(self, scenario: ScenarioFile, effects: Effects) -> None:
        self._scenario = scenario
        self._effects = effects

    def model(self, call: Call, agent: str) -> dict[str, Any]:
        """The answer of an agent: `{json}`, `{text}` or `{calls}`; raises `Failing`."""
        answers = [each.model_dump(by_alias=True, exclude_unset=True) for each in self._scenario.models.get(agent, ())]
        return self._answered(call, f"agent {agent}", answers)

    def tool(self, call: Call, tool: str) -> Any:
        answers = [each.model_dump(by_alias=True, exclude_unset=True) for each in self._scenario.tools.get(tool, ())]
        return self._answered(call, f"tool {tool}", answers)["returns"]

    def scripts_tool(self, tool: str) -> bool:
        return tool in self._scenario.tools

    def memories(self, store: str) -> list[Any]:
        return list(self._scenario.memory.get(store, ()))

    def did(self, call: Call, what: str, answer: Any) -> Any:
        """An effect that nobody scripts, such as a memory that is written."""
        with self._effects.once(f"{call.key}@{call.number}") as found:
            if not found:
                found.append({"what": what, "answer": answer})
        return found[0]["answer"]

    def _answered(self, call: Call, what: str, answers: list[dict[str, Any]]) -> dict[str, Any]:
        with self._effects.once(f"{call.key}@{call.number}") as found:
            if not found:
                if call.number >= len(answers):
                    raise Failing("engine", f"the script has {len(answers)} answers for {what}, and this is one more")
                found.append({"what": what, "answer": answers[call.number]})
        answer: dict[str, Any] = found[0]["answer"]
        if "fails" in answer:
            fails = answer["fails"]
            raise Failing(fails["category"], fails.get("message", "scripted failure"))
        return answer
