"""jobflow's own examples as they are, where a checkout of it is named by ``$ZONEMELT_JOBFLOW_EXAMPLES``."""

from __future__ import annotations

import importlib
import os
import re
import sys
from pathlib import Path

import pytest
from comparing_documents import compare

EXAMPLES = os.environ.get("ZONEMELT_JOBFLOW_EXAMPLES", "")

pytestmark = [
    pytest.mark.skipif(not EXAMPLES, reason="$ZONEMELT_JOBFLOW_EXAMPLES names no folder of examples"),
    pytest.mark.filterwarnings("ignore"),
]

# What each runs. `nesting` draws names by chance, `replace` asks web sites: neither is the same twice.
RUN = {
    "data_store": "big_data_job", "encode_decode": "flow", "fibonacci": "fibonacci_job",
    "linear": "linear_flow", "maker": "flow", "missing_reference": "flow", "schema": "compute_job",
}  # fmt: skip


@pytest.mark.parametrize("name", RUN)
def test_same_as_run_locally(name, workers, tmp_path, monkeypatch):
    """The script but for the lines that draw and run; workers import it."""
    text = Path(EXAMPLES, f"{name}.py").read_text(encoding="utf-8")
    kept = re.split(r"^.*= run_locally\(", text, maxsplit=1, flags=re.MULTILINE)[0]
    kept = re.split(r"^print\(", kept, maxsplit=1, flags=re.MULTILINE)[0]
    lines = [line for line in kept.splitlines() if "draw_graph" not in line]
    module = f"jobflow_example_{name}"
    (tmp_path / f"{module}.py").write_text("\n".join(lines) + "\n")
    monkeypatch.syspath_prepend(tmp_path)

    def make() -> object:
        sys.modules.pop(module, None)
        return getattr(importlib.import_module(module), RUN[name])

    assert compare(make, workers, tmp_path, succeeds=name != "missing_reference") > 0
