"""What a run hands to the one that continues it, and how that one takes it up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from workflows.details import progress
from workflows.walk import plain_inside

if TYPE_CHECKING:
    from workflows.interpreter import Interpreter


def options_for(run: Interpreter) -> dict[str, Any]:
    """The options of the heir: what was settled at the start stays settled."""
    return run.options.model_dump(exclude_defaults=True, exclude={"overrides", "origin"}) | {
        "plan": run.sha256,
        "pipeline": run.pipeline,
        "mode": run.run_facts["mode"],
    }


def estate_of(run: Interpreter) -> dict[str, Any]:
    return {
        "walk": run.main.dump(),
        "part": plain_inside(run.part_state),
        "run": run.run_facts,
        "ledger": run.ledger.as_json(),
        "clock": [run.clock.limit_ms, run.clock.worked_ms()],
        "numbers": run.calls.numbers,
        "steering": run.steering.dump(),
        "undo": run.undoing.dump(),
        "mail": run.mailboxes,
        "shown": run.board.shown,
        "holds_blobs": run.values.holds_blobs,
    }


def take_up(run: Interpreter, estate: dict[str, Any]) -> None:
    run.run_facts.update(estate["run"])
    run.main.load(estate["walk"])
    run.part_state.update(estate["part"])
    run.ledger.load(estate["ledger"])
    run.clock.load(*estate["clock"])
    run.calls.numbers.update(estate["numbers"])
    run.steering.load(estate["steering"])
    run.undoing.load(estate["undo"])
    run.mailboxes.update(estate["mail"])
    run.board.shown = estate["shown"]
    run.values.holds_blobs = estate["holds_blobs"]


def checkpoint_of(run: Interpreter) -> dict[str, Any]:
    """What the query `checkpoint` says: all that a new run needs to go on from where this one stands."""
    return {
        "input": run.input,
        "options": options_for(run),
        "walk": run.main.dump(),
        "undone": run.undoing.undone,
    }


def state_of(run: Interpreter) -> dict[str, Any]:
    """What the query `state` says."""
    main = run.main
    return {
        "status": run.board.stage_now(),
        "manifest": run.plan.name,
        "plan": run.sha256,
        "pipeline": run.pipeline,
        "mode": run.run_facts["mode"],
        "nodes": dict(main.cursor.state),
        "path": main.cursor.path,
        "progress": progress(run),
        "inside": {walk.key: dict(walk.cursor.state) for walk in run.walks if walk is not main},
        "spent": run.ledger.bill(),
    }
