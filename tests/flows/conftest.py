"""What tests of flows share: graphs and labels of some metals, only to read."""

from __future__ import annotations

import pytest
from stored_collections_for_tests import stored_metals


@pytest.fixture(scope="session")
def stored(tmp_path_factory):
    """A collection of metals."""
    return stored_metals(tmp_path_factory.mktemp("metals"))
