"""Blobs in a bucket of an S3-compatible server, every request signed with AWS Signature Version 4."""

from __future__ import annotations

import hashlib
import hmac
import random
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Literal, TypeAlias
from urllib.parse import quote

import httpx

from activities.blobs import LARGEST
from activities.failing import Failing

Style: TypeAlias = Literal["path", "virtual"]

# Seconds: to be let in, and of silence in the middle of a request; a server hashes 256 MiB before it answers.
TIMEOUT = httpx.Timeout(60.0, connect=5.0)
# Seconds, about, before each further try.
PAUSES = (0.2, 0.4, 0.8, 1.6)
# `socket.send` copies what is left of a piece each time it takes a part of it.
PIECE = 1024 * 1024
REFUSED = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)


@dataclass(frozen=True)
class Keys:
    """Who signs. Nothing of it shows in a repr or in a message."""

    access: str = field(repr=False)
    secret: str = field(repr=False)
    session: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        for name, key in (("access key", self.access), ("secret key", self.secret), ("session token", self.session)):
            if key is not None and not re.fullmatch(r"[!-~]+", key):
                raise ValueError(f"the {name} is empty, or holds a space, a line break or no ASCII")


@dataclass(frozen=True)
class Bucket:
    """Where blobs lie: under a prefix, in the layout of `FileBlobs`, so that a sync tool moves them either way."""

    name: str
    prefix: str = ""
    region: str = "us-east-1"
    endpoint: str | None = None
    style: Style = "virtual"

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{1,254}", self.name):
            raise ValueError(f"{self.name!r} is no name of a bucket")
        if not re.fullmatch(r"[A-Za-z0-9_-]+", self.region):
            raise ValueError(f"{self.region!r} is no region")
        if self.style not in ("path", "virtual"):
            raise ValueError(f"the style {self.style!r} is neither 'path' nor 'virtual'")
        if {".", ".."} & set(self.prefix.split("/")):
            raise ValueError(f"the prefix {self.prefix!r} holds '.' or '..'")
        _judge(self.server)

    @property
    def server(self) -> str:
        return f"https://s3.{self.region}.amazonaws.com" if self.endpoint is None else self.endpoint

    def url(self, sha256: str) -> httpx.URL:
        server = httpx.URL(self.server)
        parts = [*self.prefix.split("/"), sha256[:2], sha256]
        if self.style == "path":
            parts.insert(0, self.name)
        else:
            server = server.copy_with(host=f"{self.name}.{server.host}")
        return server.copy_with(raw_path="".join(f"/{quote(part, safe='')}" for part in parts if part).encode())


def _judge(server: str) -> None:
    """An endpoint with a user in it is not quoted back."""
    wrong = "an endpoint is http:// or https://, a host and perhaps a port, and nothing more"
    try:
        url = httpx.URL(server)
    except (httpx.InvalidURL, ValueError):
        raise ValueError(wrong) from None
    more = url.userinfo or url.query or url.fragment or url.path.strip("/")
    if url.scheme not in ("http", "https") or not url.host or more or not 0 < (url.port or 80) < 65_536:
        raise ValueError(wrong)


class S3Blobs:
    """A bucket; a blob appears whole or not at all. Safe to share between threads."""

    def __init__(self, bucket: Bucket, keys: Keys, *, pauses: Sequence[float] = PAUSES) -> None:
        self.bucket = bucket
        self._keys = keys
        self._pauses = pauses
        self._client = httpx.Client(timeout=TIMEOUT, headers={"accept-encoding": "identity"})

    def put(self, data: bytes) -> str:
        if len(data) > LARGEST:
            raise Failing("input", f"a blob of {len(data):,} bytes; at most {LARGEST:,} can be kept")
        sha256 = hashlib.sha256(data).hexdigest()
        if not self._has(sha256):
            answer = self._answer("PUT", sha256, data)
            if not answer.is_success:
                raise self._failing(answer)
        return sha256

    def get(self, sha256: str) -> bytes:
        if not re.fullmatch(r"[0-9a-f]{64}", sha256):
            raise KeyError(sha256)
        answer = self._answer("GET", sha256)
        if answer.status_code == HTTPStatus.NOT_FOUND:
            raise KeyError(sha256)
        if answer.status_code != HTTPStatus.OK:
            raise self._failing(answer)
        found = hashlib.sha256(answer.content).hexdigest()
        if found != sha256:
            said = f"{len(answer.content):,} bytes that hash to {found[:12]}"
            raise Failing("engine", f"the blob {sha256[:12]} in {self._where} is corrupt: it came back as {said}")
        return answer.content

    def close(self) -> None:
        self._client.close()

    def _has(self, sha256: str) -> bool:
        answer = self._answer("HEAD", sha256)
        # Without the right to list a bucket S3 answers 403 for what is missing; then the upload decides.
        if answer.status_code in (HTTPStatus.NOT_FOUND, *REFUSED):
            return False
        if answer.status_code != HTTPStatus.OK:
            raise self._failing(answer)
        return True

    def _answer(self, method: str, sha256: str, data: bytes = b"") -> httpx.Response:
        """The first answer that another try would not better; raises `Failing` when there is none."""
        said = ""
        for pause in (0.0, *self._pauses):
            time.sleep(pause * random.uniform(0.5, 1.5))
            try:
                answer = self._client.send(self._request(method, sha256, data))
            except httpx.RequestError as error:
                said = f"{type(error).__name__}: {error}".rstrip(": ")
                continue
            if answer.status_code != HTTPStatus.TOO_MANY_REQUESTS and answer.status_code < 500:
                return answer
            said = _told(answer)
        tries = len(self._pauses) + 1
        raise Failing("unavailable", f"{method} in {self._where} failed {tries} times, at last with {said}")

    def _request(self, method: str, sha256: str, data: bytes) -> httpx.Request:
        url = self.bucket.url(sha256)
        facts = {"x-amz-content-sha256": sha256 if method == "PUT" else hashlib.sha256(b"").hexdigest()}
        headers = signed(method, url, facts, self._keys, self.bucket.region, datetime.now(UTC))
        if method != "PUT":
            return self._client.build_request(method, url, headers=headers)
        headers["content-length"] = str(len(data))
        return self._client.build_request(method, url, headers=headers, content=_pieces(data))

    def _failing(self, answer: httpx.Response) -> Failing:
        said = f"{answer.request.method} in {self._where} was answered with {_told(answer)}"
        if answer.status_code in REFUSED:
            return Failing("denied", said)
        if region := answer.headers.get("x-amz-bucket-region"):
            said += f"; the bucket is in the region {region!r}, and the setting says {self.bucket.region!r}"
        return Failing("engine", said)

    @property
    def _where(self) -> str:
        return f"the bucket {self.bucket.name!r} at {self.bucket.server}"


def _pieces(data: bytes) -> Iterator[bytes]:
    view = memoryview(data)
    for start in range(0, len(data), PIECE):
        yield bytes(view[start : start + PIECE])


def _told(answer: httpx.Response) -> str:
    """The status and S3's word for it; the rest of an error quotes the request, with the session token in it."""
    code = re.search(rb"<Code>([A-Za-z0-9.]{1,64})</Code>", answer.content)
    return f"{answer.status_code} {code[1].decode() if code else answer.reason_phrase}".rstrip()


def signed(
    method: str, url: httpx.URL, headers: Mapping[str, str], keys: Keys, region: str, now: datetime
) -> dict[str, str]:
    """The headers and those that sign them all; `x-amz-content-sha256` is among them, and the URL has no query."""
    at = now.strftime("%Y%m%dT%H%M%SZ")
    facts = {name.lower(): value for name, value in headers.items()} | {"host": url.netloc.decode(), "x-amz-date": at}
    if keys.session is not None:
        facts["x-amz-security-token"] = keys.session
    names = ";".join(sorted(facts))
    lines = [f"{name}:{facts[name].strip()}" for name in sorted(facts)]
    canonical = "\n".join([method, url.raw_path.decode(), "", *lines, "", names, facts["x-amz-content-sha256"]])
    scope = f"{at[:8]}/{region}/s3/aws4_request"
    text = "\n".join(["AWS4-HMAC-SHA256", at, scope, hashlib.sha256(canonical.encode()).hexdigest()])
    key = f"AWS4{keys.secret}".encode()
    for part in (*scope.split("/"), text):
        key = hmac.digest(key, part.encode(), "sha256")
    signature = f"Credential={keys.access}/{scope},SignedHeaders={names},Signature={key.hex()}"
    return {**facts, "authorization": f"AWS4-HMAC-SHA256 {signature}"}
