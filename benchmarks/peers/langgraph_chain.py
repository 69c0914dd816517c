"""A chain of steps that do nothing much, in LangGraph with its SQLite checkpointer, every step durable before the next.

Runs in an environment of its own: `python langgraph_chain.py SIZE…` prints seconds and bytes a step as JSON.
"""

from __future__ import annotations

import json
import os
import sqlite3
import sys
import tempfile
import time
from typing import Any, TypedDict

from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.graph import END, START, StateGraph


class State(TypedDict):
    text: str


def step(state: State) -> dict[str, str]:
    return {"text": "a".upper()}


def measured(size: int) -> dict[str, Any]:
    graph: Any = StateGraph(State)
    names = [f"n{place}" for place in range(size)]
    for name in names:
        graph.add_node(name, step)
    for one, two in zip([START, *names], [*names, END], strict=True):
        graph.add_edge(one, two)
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "checkpoints.db")
        saver = SqliteSaver(sqlite3.connect(path, check_same_thread=False))
        compiled = graph.compile(checkpointer=saver)
        config = {"configurable": {"thread_id": "1"}, "recursion_limit": size + 10}
        started = time.perf_counter()
        compiled.invoke({"text": ""}, config, durability="sync")
        seconds = time.perf_counter() - started
        saver.conn.close()
        held = sum(os.path.getsize(os.path.join(folder, name)) for name in os.listdir(folder))
    return {"size": size, "seconds": seconds, "bytes_per_step": held / size}


if __name__ == "__main__":
    print(json.dumps([measured(int(size)) for size in sys.argv[1:]]))
