"""A bundle as one value: every file that its plan came from, without comments or the order of keys."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from manifests.bundle import Bundle
from manifests.source import Scalar, Source

if TYPE_CHECKING:
    from collections.abc import Iterable


def archived(bundle: Bundle, children: Iterable[Bundle] = ()) -> bytes:
    """Canonical JSON: texts and values by their paths, which start with the name of the bundle's folder."""
    files: dict[str, Any] = {}
    for each in (bundle, *children):
        root = each.folder.resolve().parent
        for source in [*each.sources, *each.attached.values()]:
            files[os.path.relpath(os.path.realpath(source.name), root)] = _content(source)
    return json.dumps(files, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "surrogatepass")


def unpacked(archive: bytes, root: Path) -> dict[str, Any]:
    """Writes the files of an archive below a folder; what they hold, by their paths."""
    files: dict[str, Any] = json.loads(archive)
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return files


def _content(source: Source) -> Any:
    prose = isinstance(source.root, Scalar) and source.root.style == "text"
    return source.text if prose else source.data
