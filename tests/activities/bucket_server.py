"""As much of S3 as blobs need, on a free port, which reckons every signature anew from what came over the wire."""

from __future__ import annotations

import hashlib
import hmac
import re
import time
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

ACCESS = "AKIAIOSFODNN7EXAMPLE"
SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
SESSION = "FwoGZXIvYXdzEXAMPLETOKEN//////////wEaDA=="


class BucketServer(ThreadingHTTPServer):
    """`first` is what it does before it answers properly: a status, or how it goes wrong."""

    daemon_threads = True

    def __init__(self, *first: int | str) -> None:
        super().__init__(("127.0.0.1", 0), _Asked)
        self.first = list(first)
        self.session: str | None = None
        self.blobs: dict[str, bytes] = {}
        self.asked: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    @property
    def methods(self) -> list[str]:
        return [each.split()[0] for each in self.asked]


class _Asked(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 5
    server: BucketServer

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def do_PUT(self) -> None:
        self._answer()

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def _answer(self) -> None:
        self.server.asked.append(f"{self.command} {self.headers['host'].partition(':')[0]} {self.path}")
        data = self.rfile.read(int(self.headers.get("content-length", 0)))
        match self.server.first.pop(0) if self.server.first else None:
            case None:
                self._served(data)
            case "stall":
                time.sleep(0.5)
                self.close_connection = True
            case "cut":
                self.send_response(200)
                self.send_header("content-length", "1000")
                self.end_headers()
                self.wfile.write(b"only so far")
                self.close_connection = True
            case status:
                self._said(int(status), self._error("Staged"))

    def _served(self, data: bytes) -> None:
        wrong = self._wrong(data)
        if wrong:
            self._said(400 if wrong == "XAmzContentSHA256Mismatch" else 403, self._error(wrong))
        elif self.command == "PUT":
            self.server.blobs[self.path] = data
            self._said(200, b"")
        elif self.path in self.server.blobs:
            self._said(200, self.server.blobs[self.path])
        else:
            self._said(404, self._error("NoSuchKey"))

    def _error(self, code: str) -> bytes:
        """S3 quotes the request in its errors, and the keys with it."""
        quoted = f"{ACCESS} {self.headers.get('x-amz-security-token')}"
        return f"<Error><Code>{code}</Code><CanonicalRequest>{quoted}</CanonicalRequest></Error>".encode()

    def _said(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        if status == 301:
            self.send_header("x-amz-bucket-region", "eu-west-1")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _wrong(self, data: bytes) -> str | None:
        given = self.headers["authorization"]
        form = r"AWS4-HMAC-SHA256 Credential=(\S+)/(\d{8})/(\S+)/s3/aws4_request,SignedHeaders=(\S+),Signature=(\w+)"
        found = re.fullmatch(form, given)
        assert found, given
        access, day, region, names, signature = found.groups()
        at = datetime.strptime(self.headers["x-amz-date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        if abs(datetime.now(UTC) - at) > timedelta(minutes=15):
            return "RequestTimeTooSkewed"
        if self.headers["x-amz-content-sha256"] != hashlib.sha256(data).hexdigest():
            return "XAmzContentSHA256Mismatch"
        wanted = {"host", *(name.lower() for name in self.headers if name.lower().startswith("x-amz-"))}
        if access != ACCESS or self.headers.get("x-amz-security-token") != self.server.session:
            return "InvalidAccessKeyId"
        if not wanted <= set(names.split(";")) or signature != self._signature(day, region, names):
            return "SignatureDoesNotMatch"
        return None

    def _signature(self, day: str, region: str, names: str) -> str:
        request = f"{self.command}\n{self.path}\n\n"
        for name in names.split(";"):
            request += f"{name}:{self.headers[name]}\n"
        request += f"\n{names}\n{self.headers['x-amz-content-sha256']}"
        digest = hashlib.sha256(request.encode()).hexdigest()
        text = f"AWS4-HMAC-SHA256\n{self.headers['x-amz-date']}\n{day}/{region}/s3/aws4_request\n{digest}"
        key = hmac.new(f"AWS4{SECRET}".encode(), day.encode(), "sha256").digest()
        key = hmac.new(key, region.encode(), "sha256").digest()
        key = hmac.new(key, b"s3", "sha256").digest()
        key = hmac.new(key, b"aws4_request", "sha256").digest()
        return hmac.new(key, text.encode(), "sha256").hexdigest()
