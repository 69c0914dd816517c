"""Values that are too large for a history: kept by their hash, and referred to."""

from __future__ import annotations

import hashlib
import json
import os
import re
import tempfile
from pathlib import Path
from typing import Any, Protocol

from activities.contracts import BLOB
from activities.failing import Failing
from manifests.values import DEEPEST

# An output above this travels as a reference; what expressions read of it stays with it, up to a limit of its own.
INLINE_BYTES = 16 * 1024
FIELDS_BYTES = 128 * 1024
LARGEST = 256 * 1024 * 1024
JSON = "application/json"
_SHA256 = re.compile("[0-9a-f]{64}")
_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False)


class BlobStore(Protocol):
    """Bytes by their sha256: writing twice is writing once, and nothing ever changes."""

    def put(self, data: bytes) -> str: ...

    def get(self, sha256: str) -> bytes:
        """Raises `KeyError` when there is no such blob."""
        ...


class FileBlobs:
    """A folder; a blob appears whole or not at all."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def put(self, data: bytes) -> str:
        sha256 = hashlib.sha256(data).hexdigest()
        path = self._path(sha256)
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(dir=path.parent)
            try:
                with os.fdopen(handle, "wb") as file:
                    file.write(data)
                os.replace(name, path)
            except BaseException:
                os.unlink(name)
                raise
        return sha256

    def get(self, sha256: str) -> bytes:
        if not _SHA256.fullmatch(sha256):
            raise KeyError(sha256)
        try:
            return self._path(sha256).read_bytes()
        except FileNotFoundError:
            raise KeyError(sha256) from None

    def _path(self, sha256: str) -> Path:
        return self._root / sha256[:2] / sha256


class Keeper:
    """Puts large outputs away on the way into a run, and brings them back on the way out."""

    def __init__(self, blobs: BlobStore) -> None:
        self.blobs = blobs

    def taken_in(self, output: Any, keep: list[str] | None) -> Any:
        """What the world gave, put away where it is large; raises `Failing` for what may not enter a run."""
        check("an output", output)
        return self.put_away(output, keep)

    def put_away(self, output: Any, keep: list[str] | None, above: int = INLINE_BYTES) -> Any:
        """The output itself when it is small, else a reference with the fields in `keep` beside it."""
        data = encoded(output)
        if len(data) <= above:
            return output
        if len(data) > LARGEST:
            raise Failing("input", f"an output of {len(data):,} bytes; at most {LARGEST:,} can be kept")
        kept: dict[str, Any] = {BLOB: self._reference(data)}
        room = FIELDS_BYTES
        for path in keep or ():
            if path and isinstance(output, dict):
                room -= _copy(output, kept, path.split("."), self, room)
        return kept

    def put_field_away(self, value: Any, room: int) -> tuple[Any, int]:
        """A field, or the reference to it where there is no room for it; and the room that it takes."""
        data = encoded(value)
        return (value, len(data)) if len(data) <= room else ({BLOB: self._reference(data)}, 0)

    def _reference(self, data: bytes) -> dict[str, Any]:
        sha256 = self.blobs.put(data)
        return {"uri": f"blob:{sha256}", "sha256": sha256, "size": len(data), "media": JSON}

    def brought_back(self, value: Any) -> Any:
        """The value with every reference replaced by what it refers to."""
        if isinstance(value, dict):
            if BLOB in value:
                return self._fetched(value[BLOB])
            return {key: self.brought_back(below) for key, below in value.items()}
        if isinstance(value, list):
            return [self.brought_back(below) for below in value]
        return value

    def _fetched(self, reference: dict[str, Any]) -> Any:
        try:
            return self.brought_back(json.loads(self.blobs.get(reference["sha256"])))
        except KeyError:
            said = f"the value {reference.get('sha256', '?')[:12]} is not in this worker's blob store"
            raise Failing("engine", f"{said}: do all workers share one?") from None


def check(what: str, value: Any) -> None:
    """Raises `Failing` for a value from outside that is too deep to travel or looks like a reference."""
    level = [value]
    for _ in range(DEEPEST + 1):
        below: list[Any] = []
        for each in level:
            if isinstance(each, dict):
                if BLOB in each:
                    said = f"{what} may not have a field {BLOB!r}: that is how references are marked"
                    raise Failing("json_major", said)
                below += each.values()
            elif isinstance(each, list):
                below += each
        if not below:
            return
        level = below
    raise Failing("json_syntax", f"{what} is nested deeper than {DEEPEST} levels")


def is_forged(value: Any) -> bool:
    """Whether a value from outside looks like a reference: it could name what its author may not see."""
    if isinstance(value, dict):
        return BLOB in value or any(map(is_forged, value.values()))
    return isinstance(value, list) and any(map(is_forged, value))


def _copy(source: dict[str, Any], target: dict[str, Any], path: list[str], keeper: Keeper, room: int) -> int:
    """Copies one field, with the objects that it stands in; the room that it takes."""
    for name in path[:-1]:
        below = source.get(name)
        if not isinstance(below, dict):
            return 0
        source, target = below, target.setdefault(name, {})
    if path[-1] not in source:
        return 0
    target[path[-1]], size = keeper.put_field_away(source[path[-1]], room)
    return size


def encoded(value: Any) -> bytes:
    """A value as the bytes of its JSON; raises `Failing` for what is no JSON."""
    try:
        return _ENCODER.encode(value).encode("utf-8", "surrogatepass")
    except (TypeError, ValueError, RecursionError) as error:
        raise Failing("json_syntax", f"the output is not JSON: {error}") from None
