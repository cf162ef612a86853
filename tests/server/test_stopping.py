"""Beginning and ending: the port, the document, and that nothing is left behind."""

from __future__ import annotations

import os
import pty
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.server.conftest import Dev, cli, environment


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_stops_whole_and_prints_one_document(shop: Path, dev: Callable[..., Dev], number: int) -> None:
    server = dev()
    server.get("/api/status")
    left = server.processes()
    assert len(left) == 4
    with server.client.stream("GET", "/api/events") as stream:
        next(stream.iter_lines())
        server.process.send_signal(number)
        server.process.wait(20)
    document = server.stop()
    assert server.process.returncode == 0
    assert (document["url"], document["loads"], document["error"]) == (f"http://127.0.0.1:{server.port}", 1, None)
    assert not [pid for pid in left if Path(f"/proc/{pid}").exists()]


def test_a_port_that_is_taken_names_who_has_it_and_one_that_is_free(shop: Path, dev: Callable[..., Dev]) -> None:
    server = dev()
    command = [sys.executable, "-m", "assetflow", "dev", "--port", str(server.port), "--no-browser"]
    done = subprocess.run(command, cwd=shop, env=environment(), capture_output=True, text=True, check=False, timeout=60)
    first, second = done.stderr.splitlines()
    who = f"another assetflow dev, of the project in {shop} (process {server.process.pid})"
    assert (done.returncode, first) == (2, f"error: port {server.port} is taken by {who}")
    free = int(second.removeprefix("  hint: assetflow dev --port "))
    with socket.create_server(("127.0.0.1", free)):
        pass


def test_mistakes_of_the_command_line(shop: Path, tmp_path: Path) -> None:
    assert cli(shop, "dev", "--port", "70000")["error"]["message"] == (
        "--port: '70000' is no port: give a number from 1 to 65535"
    )
    assert cli(tmp_path, "dev")["error"]["type"] == "ProjectError"
    assert cli(shop, "dev", "--host", "203.0.113.7", "--no-browser")["error"]["message"].startswith(
        "it cannot listen on 203.0.113.7, port 8470: "
    )


def test_a_terminal_shows_one_status_and_lines_above_it(shop: Path) -> None:
    main, terminal = pty.openpty()
    command = [sys.executable, "-m", "assetflow", "dev", "--port", "0", "--no-browser"]
    process = subprocess.Popen(
        command, cwd=shop, env=environment(), stdin=terminal, stdout=terminal, stderr=terminal, start_new_session=True
    )
    os.close(terminal)
    shown = ""

    def until(text: str) -> None:
        nonlocal shown
        while text not in shown:
            shown += os.read(main, 65_536).decode()

    try:
        until("Ctrl-C stops")
        until("ready (4 assets, 3 edges)")
        (shop / "shop" / "rules.py").write_text("def doubled(:")
        until("the definitions cannot be loaded; the last graph that could be loaded stays")
        until("at shop/rules.py:1")
        (shop / "shop" / "rules.py").write_text(
            "print('hello from the project')\n\n\ndef doubled(n: int) -> int:\n    return n + n\n"
        )
        until("hello from the project")
        until("1 asset changed (daily: code)")
        process.send_signal(signal.SIGINT)
        until("Stopped.")
        assert process.wait(20) == 0
    finally:
        process.kill()
        process.wait()
        os.close(main)
