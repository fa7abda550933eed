"""Where something ran: recorded beside a value or verdict, never in a key. Two machines share one store."""

from __future__ import annotations

import os
import platform
import socket
import sys
from typing import Any


def describe() -> dict[str, Any]:
    """Machine, interpreter, and the numeric libraries that this process has loaded."""
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "machine": platform.machine(),
        "host": socket.gethostname(),
        "cpus": os.cpu_count() or 0,
        "threads": {
            name: os.environ[name]
            for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "OPENBLAS_CORETYPE")
            if name in os.environ
        },
        "blas": _blas(),
    }


def _blas() -> list[str]:
    if "numpy" not in sys.modules:
        return []
    from threadpoolctl import threadpool_info

    return sorted(
        f"{pool['internal_api']} {pool.get('version')} {pool.get('architecture', '')}".strip()
        for pool in threadpool_info()
    )
