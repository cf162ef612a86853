"""Benchmarks: the peers that are installed, and one table of all figures when they are done."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Mapping

import pytest
from measuring import Figure, machine, markdown
from peers import REQUIREMENTS, Peer, install

FIGURES = pytest.StashKey[list[Figure]]()
PEERS = pytest.StashKey[dict[str, str]]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[FIGURES] = []
    config.stash[PEERS] = {}


@pytest.fixture(scope="session")
def peers(request: pytest.FixtureRequest) -> Mapping[str, Peer]:
    """The peers by name; those that cannot be installed here are left out, and the table shows none of theirs."""
    found: dict[str, Peer] = {}
    for name in REQUIREMENTS:
        try:
            found[name] = install(name)
        except subprocess.CalledProcessError:
            continue
    request.config.stash[PEERS].update({name: peer.version for name, peer in found.items()})
    return found


@pytest.fixture
def record(request: pytest.FixtureRequest) -> Callable[[Figure], None]:
    """Puts a figure in the table, and fails where it misses its target."""

    def put(figure: Figure) -> None:
        request.config.stash[FIGURES].append(figure)
        if figure.target is not None:
            assert figure.ours <= figure.target, f"{figure.what}: {figure.ours:.3g} {figure.unit}"

    return put


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    figures = config.stash[FIGURES]
    if figures:
        terminalreporter.section("figures")
        terminalreporter.write_line(machine(config.stash[PEERS]))
        terminalreporter.write_line("")
        terminalreporter.write_line(markdown(figures))
