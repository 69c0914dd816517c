"""Blob stores: what goes in comes out, whole or not at all, and no key gets out with it."""

from __future__ import annotations

import hashlib
import io
import logging
import os
import socket
import threading
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from activities import blobs_s3
from activities.blobs import LARGEST, FileBlobs
from activities.blobs_at import blobs_at
from activities.blobs_s3 import Bucket, Keys, S3Blobs, signed
from activities.failing import Failing
from tests.activities.bucket_server import ACCESS, SECRET, SESSION, BucketServer

DATA = b'{"text": "large"}'
SHA256 = hashlib.sha256(DATA).hexdigest()
AT = f"{SHA256[:2]}/{SHA256}"
ENVIRONMENT = {"AWS_ACCESS_KEY_ID": ACCESS, "AWS_SECRET_ACCESS_KEY": SECRET}


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[BucketServer]:
    monkeypatch.setenv("no_proxy", "*")
    server = BucketServer()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def store(server: BucketServer) -> Iterator[Callable[..., S3Blobs]]:
    """Makes stores on the server that never wait between tries."""
    made: list[S3Blobs] = []

    def make(keys: Keys | None = None, **bucket: Any) -> S3Blobs:
        place = Bucket(**{"name": "pallets", "endpoint": server.url, "style": "path", **bucket})
        made.append(S3Blobs(place, keys or Keys(ACCESS, SECRET), pauses=(0, 0)))
        return made[-1]

    yield make
    for each in made:
        each.close()


@pytest.fixture
def s3(store: Callable[..., S3Blobs]) -> S3Blobs:
    return store()


# From "Signature Calculations for the Authorization Header" in the API reference of Amazon S3.
@pytest.mark.parametrize(
    ("method", "path", "headers", "body", "signature"),
    [
        (
            *("GET", "/test.txt", {"Range": "bytes=0-9"}, b""),
            "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
        ),
        (
            *("PUT", "/test%24file.text"),
            {"Date": "Fri, 24 May 2013 00:00:00 GMT", "x-amz-storage-class": "REDUCED_REDUNDANCY"},
            b"Welcome to Amazon S3.",
            "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
        ),
    ],
)
def test_signatures_are_those_that_aws_publishes(
    method: str, path: str, headers: dict[str, str], body: bytes, signature: str
) -> None:
    url = httpx.URL(f"https://examplebucket.s3.amazonaws.com{path}")
    headers |= {"x-amz-content-sha256": hashlib.sha256(body).hexdigest()}
    made = signed(method, url, headers, Keys(ACCESS, SECRET), "us-east-1", datetime(2013, 5, 24, tzinfo=UTC))
    names = ";".join(sorted({*(name.lower() for name in headers), "host", "x-amz-date"}))
    scope = f"{ACCESS}/20130524/us-east-1/s3/aws4_request"
    assert made["authorization"] == f"AWS4-HMAC-SHA256 Credential={scope},SignedHeaders={names},Signature={signature}"


@pytest.mark.parametrize("data", [b"", DATA, os.urandom(3 * blobs_s3.PIECE + 1)], ids=["empty", "small", "in pieces"])
def test_what_a_bucket_gets_it_gives_back(s3: S3Blobs, data: bytes) -> None:
    assert s3.get(s3.put(data)) == data


@pytest.mark.parametrize("prefix", ["", "runs", "/runs/2024/", "a b/ü+$&=~%41"])
@pytest.mark.parametrize("session", [None, SESSION])
def test_signatures_hold_under_every_prefix_and_session(
    server: BucketServer, store: Callable[..., S3Blobs], prefix: str, session: str | None
) -> None:
    server.session = session
    s3 = store(Keys(ACCESS, SECRET, session), prefix=prefix, region="auto")
    assert s3.get(s3.put(DATA)) == DATA


def test_a_blob_lies_in_a_bucket_as_in_a_folder(server: BucketServer, store: Callable[..., S3Blobs]) -> None:
    store(prefix="runs").put(DATA)
    assert list(server.blobs) == [f"/pallets/runs/{AT}"]


def test_a_bucket_can_be_a_host(
    server: BucketServer, store: Callable[..., S3Blobs], monkeypatch: pytest.MonkeyPatch
) -> None:
    find = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", lambda host, *more, **rest: find("127.0.0.1", *more, **rest))
    s3 = store(endpoint=f"http://s3.test:{server.server_port}", style="virtual")
    assert s3.get(s3.put(DATA)) == DATA
    assert server.asked[-1] == f"GET pallets.s3.test /{AT}"


def test_what_is_there_is_not_sent_again(server: BucketServer, s3: S3Blobs) -> None:
    assert s3.put(DATA) == s3.put(DATA) == SHA256
    assert server.methods == ["HEAD", "PUT", "HEAD"]


def test_keys_that_may_not_list_can_still_put(server: BucketServer, s3: S3Blobs) -> None:
    server.first = [403]
    assert s3.put(DATA) == SHA256
    assert server.methods == ["HEAD", "PUT"]


@pytest.mark.parametrize("sha256", ["0" * 64, "../secrets", SHA256[:12], SHA256.upper()])
def test_a_bucket_does_not_make_blobs_up(s3: S3Blobs, sha256: str) -> None:
    s3.put(DATA)
    with pytest.raises(KeyError, match=sha256):
        s3.get(sha256)


@pytest.mark.parametrize("first", [[500, 503], [429, 502], ["cut"], [500, "cut"]])
def test_a_server_may_stumble_twice(server: BucketServer, s3: S3Blobs, first: list[int | str]) -> None:
    s3.put(DATA)
    server.first = first
    assert s3.get(SHA256) == DATA


def test_an_upload_is_sent_whole_again(server: BucketServer, s3: S3Blobs) -> None:
    server.first = [404, 500, 503]
    s3.put(DATA)
    assert server.methods == ["HEAD", "PUT", "PUT", "PUT"]
    assert list(server.blobs.values()) == [DATA]


def test_a_server_that_says_nothing_is_asked_again(
    server: BucketServer, store: Callable[..., S3Blobs], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blobs_s3, "TIMEOUT", httpx.Timeout(0.1))
    s3 = store()
    server.first = ["stall"]
    s3.put(DATA)
    assert server.methods == ["HEAD", "HEAD", "PUT"]


def test_tries_are_bounded(server: BucketServer, s3: S3Blobs) -> None:
    server.first = [503] * 9
    with pytest.raises(
        Failing, match=r"GET in the bucket 'pallets' .* failed 3 times, at last with 503 Staged"
    ) as caught:
        s3.get(SHA256)
    assert (caught.value.type, len(server.asked)) == ("unavailable", 3)


def test_a_server_that_is_not_there_is_unavailable(
    store: Callable[..., S3Blobs], monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        endpoint = f"http://127.0.0.1:{free.getsockname()[1]}"
    waits: list[float] = []
    monkeypatch.setattr("time.sleep", waits.append)
    with pytest.raises(Failing, match="failed 3 times, at last with ConnectError") as caught:
        store(endpoint=endpoint).put(DATA)
    assert (caught.value.type, len(waits)) == ("unavailable", 3)


def test_waits_grow() -> None:
    assert sorted(blobs_s3.PAUSES) == list(blobs_s3.PAUSES)
    assert sum(blobs_s3.PAUSES) < 5


@pytest.mark.parametrize(
    ("status", "category", "said"),
    [
        (403, "denied", "403 Staged"),
        (401, "denied", "401 Staged"),
        (400, "engine", "400 Staged"),
        (301, "engine", "301 Staged; the bucket is in the region 'eu-west-1', and the setting says 'us-east-1'"),
    ],
)
def test_a_refusal_is_not_tried_again(server: BucketServer, s3: S3Blobs, status: int, category: str, said: str) -> None:
    server.first = [status]
    with pytest.raises(Failing, match=f"{said}$") as caught:
        s3.get(SHA256)
    assert (caught.value.type, len(server.asked)) == (category, 1)


def test_a_bucket_that_is_missing_takes_nothing(server: BucketServer, s3: S3Blobs) -> None:
    server.first = [404, 404]
    with pytest.raises(Failing, match="404 Staged") as caught:
        s3.put(DATA)
    assert caught.value.type == "engine"


def test_wrong_keys_are_denied(store: Callable[..., S3Blobs]) -> None:
    with pytest.raises(Failing, match="403 SignatureDoesNotMatch") as caught:
        store(Keys(ACCESS, "another")).put(DATA)
    assert caught.value.type == "denied"


def test_a_corrupt_blob_is_no_data(server: BucketServer, s3: S3Blobs) -> None:
    s3.put(DATA)
    server.blobs = {path: data[:-1] + b"]" for path, data in server.blobs.items()}
    with pytest.raises(Failing, match=f"the blob {SHA256[:12]} in .* is corrupt") as caught:
        s3.get(SHA256)
    assert caught.value.type == "engine"


def test_the_server_checks_what_it_gets(server: BucketServer, s3: S3Blobs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blobs_s3, "_pieces", lambda data: iter([data[:-1] + b"]"]))
    with pytest.raises(Failing, match="400 XAmzContentSHA256Mismatch"):
        s3.put(DATA)
    assert server.blobs == {}


def test_what_is_too_large_is_not_sent(server: BucketServer, s3: S3Blobs) -> None:
    with pytest.raises(Failing, match="at most 268,435,456") as caught:
        s3.put(bytes(LARGEST + 1))
    assert (caught.value.type, server.asked) == ("input", [])


@pytest.mark.parametrize("first", [[403] * 9, [500] * 9, [400] * 9, [404, 301], [404] + ["cut"] * 9, []])
def test_no_key_gets_out(
    server: BucketServer,
    store: Callable[..., S3Blobs],
    caplog: pytest.LogCaptureFixture,
    first: list[int | str],
) -> None:
    caplog.set_level(logging.DEBUG)
    server.first = first
    s3 = store(Keys(ACCESS, SECRET, SESSION))
    with pytest.raises(Failing) as caught:
        s3.put(DATA)
    told = "".join(traceback.format_exception(caught.value)) + repr(caught.value.details)
    told += caplog.text + repr(s3) + repr(s3.bucket) + repr(vars(s3))
    assert "pallets" in told
    assert [key for key in (ACCESS, SECRET, SESSION) if key in told] == []


@pytest.mark.parametrize("place", range(3))
@pytest.mark.parametrize("wrong", ["", "{}\n", "{} ", "{}é"])
def test_a_key_that_would_break_a_header_is_refused_unquoted(place: int, wrong: str) -> None:
    keys = [ACCESS, SECRET, SESSION]
    keys[place] = wrong.format(keys[place])
    with pytest.raises(ValueError, match="is empty, or holds a space") as caught:
        Keys(*keys)
    assert not wrong or keys[place].strip() not in str(caught.value)


def test_threads_share_a_bucket(server: BucketServer, s3: S3Blobs) -> None:
    with ThreadPoolExecutor(8) as pool:
        names = list(pool.map(s3.put, [b"%d" % (number % 4) for number in range(40)]))
        assert list(pool.map(s3.get, names)) == [b"%d" % (number % 4) for number in range(40)]


@pytest.mark.parametrize("data", [b"", DATA])
def test_what_a_folder_gets_it_gives_back(tmp_path: Path, data: bytes) -> None:
    blobs = FileBlobs(tmp_path / "blobs")
    assert blobs.get(blobs.put(data)) == blobs.get(blobs.put(data)) == data


def test_a_folder_does_not_make_blobs_up(tmp_path: Path) -> None:
    with pytest.raises(KeyError, match=SHA256):
        FileBlobs(tmp_path).get(SHA256)


class _Killed(io.FileIO):
    def write(self, data: Any) -> int:
        super().write(data[: len(data) // 2])
        raise OSError("killed")


def test_half_a_blob_is_no_blob(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blobs = FileBlobs(tmp_path)
    with monkeypatch.context() as patched:
        patched.setattr(os, "fdopen", lambda handle, _: _Killed(handle, "wb"))
        with pytest.raises(OSError, match="killed"):
            blobs.put(DATA)
    with pytest.raises(KeyError):
        blobs.get(SHA256)
    assert blobs.get(blobs.put(DATA)) == DATA


def test_threads_put_the_same_blob_once(tmp_path: Path) -> None:
    start = threading.Barrier(8)

    def put(_: int) -> str:
        start.wait()
        return FileBlobs(tmp_path).put(DATA)

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(put, range(8))) == {SHA256}
    assert [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()] == [DATA]


@pytest.mark.parametrize(
    ("url", "where"),
    [
        ("blobs", "home/blobs"),
        ("./a:b", "home/a:b"),
        ("{}/elsewhere", "elsewhere"),
        ("file://{}/else%20where", "else where"),
        ("FILE://localhost{}/elsewhere", "elsewhere"),
    ],
)
def test_a_path_is_a_folder(tmp_path: Path, url: str, where: str) -> None:
    store = blobs_at(url.format(tmp_path), tmp_path / "home", {})
    store.put(DATA)
    assert isinstance(store, FileBlobs)
    assert (tmp_path / where / AT).read_bytes() == DATA


@pytest.mark.parametrize(
    ("url", "bucket", "at"),
    [
        ("s3://pallets", Bucket("pallets"), "https://pallets.s3.us-east-1.amazonaws.com/"),
        (
            "s3://pallets/runs/new?region=eu-west-1&style=path",
            Bucket("pallets", "/runs/new", "eu-west-1", style="path"),
            "https://s3.eu-west-1.amazonaws.com/pallets/runs/new/",
        ),
        (
            "s3://pallets/a%20b?endpoint=http://minio:9000",
            Bucket("pallets", "/a b", endpoint="http://minio:9000", style="path"),
            "http://minio:9000/pallets/a%20b/",
        ),
        (
            "s3://pallets?endpoint=https%3A%2F%2Fr2.example&region=auto&style=virtual",
            Bucket("pallets", region="auto", endpoint="https://r2.example"),
            "https://pallets.r2.example/",
        ),
    ],
)
def test_an_s3_url_is_a_bucket(tmp_path: Path, url: str, bucket: Bucket, at: str) -> None:
    store = blobs_at(url, tmp_path, ENVIRONMENT)
    assert isinstance(store, S3Blobs)
    assert (store.bucket, str(store.bucket.url(SHA256))) == (bucket, at + AT)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("", "no place is given"),
        ("gs://pallets", "blobs cannot be kept at 'gs'; write a path"),
        ("https://user:hidden@host/x", "blobs cannot be kept at 'https'"),
        ("file:relative", "three slashes"),
        ("file://host/path", "three slashes"),
        ("file:///path?x=1", "three slashes"),
        ("s3:pallets", "s3://bucket/prefix"),
        ("s3:///prefix", "s3://bucket/prefix"),
        ("s3://user:hidden@pallets", "holds no keys"),
        ("s3://p", "is no name of a bucket"),
        ("s3://pallets/../x", "holds '.' or '..'"),
        ("s3://pallets?regoin=x", "no option 'regoin' in an s3 URL; did you mean 'region'?"),
        ("s3://pallets?region=a&region=b", "'region' stands twice"),
        ("s3://pallets?region=", "'' is no region"),
        ("s3://pallets?style=flat", "neither 'path' nor 'virtual'"),
        ("s3://pallets?endpoint=", "an endpoint is http:// or https://"),
        ("s3://pallets?endpoint=minio:9000", "an endpoint is http:// or https://"),
        ("s3://pallets?endpoint=http://user:hidden@minio", "an endpoint is http:// or https://"),
        ("s3://pallets?endpoint=http://minio/path", "an endpoint is http:// or https://"),
        ("s3://pallets?endpoint=http://minio:99999", "an endpoint is http:// or https://"),
    ],
)
def test_any_other_url_is_refused(tmp_path: Path, url: str, said: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        blobs_at(url, tmp_path, ENVIRONMENT)
    assert said in str(caught.value)
    assert "hidden" not in str(caught.value)


def test_a_bucket_wants_keys(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"the bucket 'pallets' wants keys: set AWS_SECRET_ACCESS_KEY$") as caught:
        blobs_at("s3://pallets", tmp_path, {"AWS_ACCESS_KEY_ID": ACCESS})
    assert ACCESS not in str(caught.value)
