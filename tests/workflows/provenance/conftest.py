"""Campaigns that are asked, exported and opened; only to read."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest
from provenance_for_tests import build

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="session")
def oxides(tmp_path_factory) -> Path:
    """A campaign that has ended."""
    return build(tmp_path_factory.mktemp("oxides") / "oxides")


@pytest.fixture(scope="session")
def whole_crate(oxides, tmp_path_factory) -> Path:
    """The same as a crate in a folder."""
    from zonemelt.workflows.provenance.crate import write_crate

    pytest.importorskip("rocrate", reason="rocrate is not installed")
    return write_crate(oxides, tmp_path_factory.mktemp("crate") / "oxides").crate


@pytest.fixture
def crate(whole_crate, tmp_path) -> Path:
    """A crate of one's own, to be spoilt."""
    return shutil.copytree(whole_crate, tmp_path / "crate")
