"""Run a flow in this process and take what comes out of it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from jobflow import OutputReference

from zonemelt import run_flow

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from jobflow import Flow


def last_output(responses: Mapping[str, Any], uuid: str) -> Any:
    """Of a job: what the last that stood for it returned."""
    return responses[uuid][max(responses[uuid])].output


def output_of(flow: Flow, place: Path, **options: Any) -> Any:
    """The output of a flow that must succeed, jobs that stand for its last one followed; it is plain JSON."""
    responses = run_flow(flow, site="inline", directory=place, ensure_success=True, **options)
    output = flow.output
    while isinstance(output, OutputReference):
        output = last_output(responses, output.uuid)
    json.dumps(output)
    return output
