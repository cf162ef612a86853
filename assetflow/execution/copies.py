"""Copies of this process that user code makes with ``os.fork`` end where the call ends."""

from __future__ import annotations

import os
import sys
from collections.abc import Generator
from contextlib import contextmanager, suppress


@contextmanager
def no_copies() -> Generator[None]:
    """A copy of the process that comes out of this block ends: else it would stage and publish beside the original."""
    owner = os.getpid()
    code = 0
    try:
        yield
    except BaseException:
        code = 1
        raise
    finally:
        if os.getpid() != owner:
            for stream in (sys.stdout, sys.stderr):
                with suppress(Exception):
                    stream.flush()
            os._exit(code)
