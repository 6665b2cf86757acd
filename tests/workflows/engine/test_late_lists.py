"""Arrays that travelled as files become lists at the last moment, and no job can tell."""

from __future__ import annotations

import jobs_with_values as values
import pytest
from jobflow import Flow, job

from zonemelt.workflows.engine.run import run_flow


@job
def types_in(value) -> str:
    """The types that a value is made of, of lists of numbers only the first."""

    def walk(node) -> str:
        if isinstance(node, dict):
            return "{" + ",".join(walk(entry) for entry in node.values()) + "}"
        if isinstance(node, list):
            return "[" + ",".join(sorted({walk(entry) for entry in node})) + "]"
        return type(node).__name__

    return walk(value)


PARTS = {
    "whole": lambda output: output["values"],
    "item": lambda output: output["values"][3],
    "nested": lambda output: {"a": [1, {"b": output["values"]}], "c": [output["values"][0]]},
    "output": lambda output: output,
}


@pytest.mark.parametrize("part", PARTS)
def test_a_large_array_looks_like_a_small_one(tmp_path, part) -> None:
    seen = {n: values.array(n) for n in (10, 5000)}
    texts = {n: types_in(PARTS[part](made.output)) for n, made in seen.items()}
    responses = run_flow(
        Flow([*seen.values(), *texts.values()]), site="inline", directory=tmp_path / "c", ensure_success=True
    )
    small, large = (responses[text.uuid][1].output for text in texts.values())
    assert small == large
    assert "ndarray" not in large
    assert "_Late" not in large
