"""What a run gives: itself where it is small, else put away by one closing local activity and referred to."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from activities.contracts import Keep, Kept
from workflows.failures import Failed
from workflows.sizes import LARGEST, checked, size_of

if TYPE_CHECKING:
    from workflows.interpreter import Interpreter

KEEPING = timedelta(minutes=1)
# Of the many items of a map's part, those that are no longer than a reference stay where they are.
SMALL_ITEM = 512
# With the output this stays below what the server takes in one piece.
LARGEST_DEEDS = 512 * 1024


async def given_out(run: Interpreter, output: Any) -> Any:
    """The output as it may leave; raises `Failed`."""
    if size_of(output) > LARGEST:
        if run.options.part is None:
            (output,) = await _kept(run, [output], LARGEST, run.options.keep)
        else:
            outputs = await _kept(run, [item.get("ok") for item in output], SMALL_ITEM)
            output = [{"ok": each} if "ok" in item else item for item, each in zip(output, outputs, strict=True)]
    await run.calls.room.needed(checked("the output", output))
    return output


async def deeds_given_out(run: Interpreter) -> None:
    """What a child run did goes to its parent beside the output, so it must be small, too; raises `Failed`."""
    undoing = run.undoing
    if run.options.is_child and undoing.deeds and size_of(undoing.dump()) > LARGEST_DEEDS:
        kept = await _kept(run, [deed.arguments for deed in undoing.deeds], SMALL_ITEM)
        undoing.deeds = [replace(deed, arguments=each) for deed, each in zip(undoing.deeds, kept, strict=True)]
        if size_of(undoing.dump()) > LARGEST_DEEDS:
            raise Failed("input", f"{len(undoing.deeds):,} deeds to take back are too many for one child run")
        await run.calls.room.needed(LARGEST_DEEDS)


async def _kept(run: Interpreter, outputs: list[Any], above: int, keep: list[str] | None = None) -> list[Any]:
    request = Keep(outputs=outputs, above=above, keep=keep)
    kept = await run.calls.local("plans.keep", request, Kept, time=KEEPING, id="keep", summary="keeps the output")
    return kept.outputs
