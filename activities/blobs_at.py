"""Which blob store a setting means."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from activities.blobs import BlobStore, FileBlobs
from manifests.problems import did_you_mean

OPTIONS = ("endpoint", "region", "style")
ACCESS, SECRET, SESSION = "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"
FORMS = "a path, file:///path, or s3://bucket/prefix?endpoint=…&region=…&style=path|virtual"


def blobs_at(url: str, home: Path, environment: Mapping[str, str] = os.environ) -> BlobStore:
    """The store at a path, which `home` completes, or at a URL; raises `ValueError`, which never quotes a key."""
    scheme = re.match(r"([A-Za-z][A-Za-z0-9+.-]+):", url)
    match scheme[1].lower() if scheme else "":
        case "":
            return FileBlobs(_given(url, home))
        case "file":
            return FileBlobs(_folder(urlsplit(url)))
        case "s3":
            return _s3(urlsplit(url), environment)
        case other:
            raise ValueError(f"blobs cannot be kept at {other!r}; write {FORMS}")


def _given(path: str, home: Path) -> Path:
    if not path.strip():
        raise ValueError(f"no place is given to keep blobs at; write {FORMS}")
    return home / path


def _folder(url: SplitResult) -> Path:
    path = unquote(url.path)
    if url.netloc not in ("", "localhost") or not path.startswith("/") or url.query or url.fragment:
        raise ValueError("a file URL is file:///path, with three slashes and nothing after the path")
    return Path(path)


def _s3(url: SplitResult, environment: Mapping[str, str]) -> BlobStore:
    if "@" in url.netloc:
        raise ValueError(f"an s3 URL holds no keys; they are read from {ACCESS} and {SECRET}")
    if not url.netloc or url.fragment:
        raise ValueError("an s3 URL is s3://bucket/prefix, and perhaps a query")
    options: dict[str, Any] = dict(_options(url.query))
    if missing := [name for name in (ACCESS, SECRET) if not environment.get(name)]:
        raise ValueError(f"the bucket {url.netloc!r} wants keys: set {' and '.join(missing)}")
    # Only who keeps blobs in a bucket pays for the HTTP client.
    from activities.blobs_s3 import Bucket, Keys, S3Blobs

    # Only AWS itself is sure to have a name for every bucket.
    options.setdefault("style", "path" if "endpoint" in options else "virtual")
    keys = Keys(environment[ACCESS], environment[SECRET], environment.get(SESSION) or None)
    return S3Blobs(Bucket(url.netloc, unquote(url.path), **options), keys)


def _options(query: str) -> list[tuple[str, str]]:
    options = parse_qsl(query, keep_blank_values=True)
    names = [name for name, _ in options]
    for name in names:
        if name not in OPTIONS:
            raise ValueError(f"no option {name!r} in an s3 URL; {did_you_mean(name, OPTIONS, 'option')}")
        if names.count(name) > 1:
            raise ValueError(f"the option {name!r} stands twice in an s3 URL")
    return options
