"""Which pieces go into a context: the head and the tail word for word, of the middle what is worth its tokens.

Pure and deterministic: no clock, no chance, nothing that depends on a process.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from activities.context.pieces import Fate, Piece
from activities.models.counting import beginning, end, tokens

# What is left of a shortened piece has at least so many tokens; one that is smaller stays whole, or goes.
LEAST = 48
# Stands where a part of a piece was left out.
MARK = "\n[… left out …]\n"
_ALL = "all of it fits"


def assemble(pieces: Sequence[Piece], room: int, *, head: int, tail: int, frame: int = 0) -> list[Fate]:
    """What becomes of each piece, in their order; together they take no more tokens than `room`.

    The first pieces that fit into `head` tokens and the last that fit into `tail` stay as they are. Of those between
    them, the ones that are least important for their tokens are shortened, and then dropped, until the rest fits; of
    equals the earlier one goes first. `frame` is what stands around each piece, its label not counted.
    """
    sizes = [tokens(each.text) for each in pieces]
    taken = [frame + tokens(each.source) + size for each, size in zip(pieces, sizes, strict=True)]
    over = sum(taken) - max(room, 0)
    if over <= 0:
        return [_whole(piece, size, _ALL) for piece, size in zip(pieces, taken, strict=True)]
    head = max(0, min(head, room))
    first = _fitting(taken, head)
    last = len(pieces) - _fitting(reversed(taken), max(0, min(tail, room - head)))
    rooms = _rooms(pieces, sizes, taken, range(first, last), over)
    fates = []
    for place, (piece, size) in enumerate(zip(pieces, taken, strict=True)):
        worth = f"importance {piece.importance:g} for {size:,} tokens"
        if place not in rooms:
            why = "head" if place < first else "tail" if place >= last else worth
            fates.append(_whole(piece, size, why))
        elif not rooms[place]:
            fates.append(Fate(piece, "dropped", worth, size, 0, ""))
        else:
            text = shortened(piece.text, rooms[place])
            fates.append(Fate(piece, "compressed", worth, size, size - sizes[place] + tokens(text), text))
    return fates


def _whole(piece: Piece, size: int, why: str) -> Fate:
    return Fate(piece, "included", why, size, size, piece.text)


def _fitting(sizes: Iterable[int], room: int) -> int:
    """How many of these fit, one after the other."""
    number = 0
    for size in sizes:
        room -= size
        if room < 0:
            break
        number += 1
    return number


def _rooms(
    pieces: Sequence[Piece], sizes: Sequence[int], taken: Sequence[int], middle: range, over: int
) -> dict[int, int]:
    """The tokens that are left to the text of some pieces, so that all take so many less; none for those that go.

    Each can be shortened, and what is left of it then dropped; the step that costs the least importance for each token
    of a piece comes first, and of equals that of the earlier one.
    """
    rooms = dict[int, int]()
    steps = [(pieces[place].importance / taken[place], place, False) for place in middle if sizes[place] > LEAST]
    for place in middle:
        least = taken[place] - max(0, sizes[place] - LEAST)
        steps.append((pieces[place].importance / max(least, 1), place, True))
    for _, place, is_last in sorted(steps):
        if over <= 0:
            break
        before = rooms.get(place, sizes[place])
        rooms[place] = 0 if is_last else max(LEAST, before - over)
        over -= before - rooms[place] + (taken[place] - sizes[place] if is_last else 0)
    return rooms


def shortened(text: str, room: int) -> str:
    """The beginning and the end of a text, twice as much of the one as of the other, and a mark between them."""
    if tokens(text) <= room:
        return text
    room -= tokens(MARK)
    front = beginning(text, room - room // 3)
    return f"{front}{MARK}{end(text[len(front) :], room - tokens(front))}"
