"""What keeps a command from doing its work: being called wrongly, or a world that is not as it should be."""

from __future__ import annotations

from pathlib import Path

FINE, PROBLEMS, MISUSE = 0, 1, 2


class Misuse(Exception):
    """Nothing was looked at, because the command line asks for what cannot be."""


class Trouble(Exception):
    """The command line makes sense, and what it asks for cannot be had now: one clear line and exit status 1."""


def bundle_folder(text: str) -> Path:
    """The folder that a word on the command line names."""
    path = Path(text)
    if path.is_dir():
        return path
    if path.exists():
        raise Misuse(f"{text!r} is a file, and a bundle is a folder; did you mean {str(path.parent)!r}?")
    raise Misuse(f"there is no folder {text!r}")
