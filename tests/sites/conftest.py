"""What tests of sites share: a home of their own, and scheduler commands that are small scripts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No sites but those of the catalog, and the test's own."""
    here = tmp_path / "home"
    (here / ".zonemelt" / "sites").mkdir(parents=True)
    monkeypatch.setenv("HOME", str(here))
    return here


@pytest.fixture
def own(home: Path) -> Callable[[str, str], Path]:
    """Write a site file of a person's own."""

    def write(name: str, text: str) -> Path:
        path = home / ".zonemelt" / "sites" / f"{name}.yaml"
        path.write_text(text)
        return path

    return write


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Put a command into PATH that is a shell script; only what a script needs is there besides."""
    place = tmp_path / "commands"
    place.mkdir()
    monkeypatch.setenv("PATH", f"{place}:/nowhere")

    def make(**scripts: str) -> None:
        for name, script in scripts.items():
            (place / name).write_text(f"#!/bin/bash\nPATH=/usr/bin:/bin\n{script}\n")
            (place / name).chmod(0o755)

    return make
