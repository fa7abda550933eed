"""Servers that speak S3 and do it badly: they ignore conditions, quarrel, break, or repeat what is secret."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

KEY, SECRET = "key-that-nobody-prints", "secret-that-nobody-prints"


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.objects: dict[str, bytes] = {}
        self.answers: deque[tuple[int, str]] = deque()
        self.asked: list[str] = []


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.0"  # a connection for each request: none outlives the server

    def do_PUT(self) -> None:
        data = self.rfile.read(int(self.headers["Content-Length"]))
        if not self._refused():
            self.server.objects[self.path] = data  # whatever the condition says
            self._answer(200, b"")

    def do_GET(self) -> None:
        if self._refused():
            return
        found = self.server.objects.get(self.path)
        self._answer(404 if found is None else 200, found or b"")

    do_HEAD = do_POST = do_GET

    def _refused(self) -> bool:
        self.server.asked.append(self.command)
        if not self.server.answers:
            return False
        status, code = self.server.answers.popleft()
        said = (
            f"<Error><Code>{code}</Code><AWSAccessKeyId>{KEY}</AWSAccessKeyId><Told>{SECRET}</Told></Error>"
        )
        self._answer(status, said.encode())
        return True

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("ETag", '"0"')
        self.send_header("Last-Modified", "Sat, 01 Jun 2013 00:00:00 GMT")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def served() -> Iterator[_Server]:
    """Such a server, which the environment names; its `answers` come before its own."""
    with pytest.MonkeyPatch.context() as patch, _Server() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        patch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_port}")
        patch.setenv("AWS_REGION", "us-east-1")
        patch.setenv("AWS_ACCESS_KEY_ID", KEY)
        patch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
