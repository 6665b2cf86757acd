"""What tests of the command line share: a runner, and campaigns that have ended."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

if TYPE_CHECKING:
    from pathlib import Path


class Zonemelt:
    """Runs commands in this process."""

    def __init__(self) -> None:
        self.runner = CliRunner()

    def __call__(self, *words: str | Path, code: int | None = 0) -> str:
        """Run a command, check its exit code, and give its standard output."""
        return self.both(*words, code=code)[0]

    def both(self, *words: str | Path, code: int | None = 0) -> tuple[str, str]:
        from zonemelt.workflows.cli import app

        result = self.runner.invoke(app, [str(word) for word in words])
        assert code is None or result.exit_code == code, (result.output, result.exception)
        return result.stdout, result.stderr

    def refused(self, *words: str | Path) -> str:
        """Run a command that must be refused; gives the message."""
        return self.both(*words, code=2)[1]

    def json(self, *words: str | Path, code: int | None = 0) -> Any:
        return json.loads(self(*words, "--json", code=code))


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No settings but the test's own, and a current directory of its own."""
    for name in [name for name in os.environ if name.startswith("ZONEMELT_")]:
        monkeypatch.delenv(name)
    here = tmp_path / "home"
    here.mkdir()
    monkeypatch.setenv("HOME", str(here))
    monkeypatch.chdir(here)
    return here


@pytest.fixture
def zonemelt() -> Zonemelt:
    return Zonemelt()


def build(directory: Path, graph: str, **arguments: Any) -> Path:
    """Run a graph of campaigns_for_tests in this process."""
    import campaigns_for_tests

    from zonemelt.workflows.engine.run import run_flow

    run_flow(getattr(campaigns_for_tests, graph)(**arguments), site="inline", directory=directory, name=graph)
    return directory


@pytest.fixture(scope="session")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A campaign that has ended, with jobs in every state that a job can end in by itself; only to read."""
    return build(tmp_path_factory.mktemp("mixed") / "campaign", "mixed")
