"""Campaigns of machine-learning-driven materials design, run durably on supercomputers.

What most programs need is here; it is imported when it is first used, so that importing zonemelt costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from zonemelt.tasks.stores import open_store
    from zonemelt.workflows.engine.retry import RetryPolicy
    from zonemelt.workflows.engine.run import resume, run_flow

__version__ = "0.1.0"
__all__ = ["RetryPolicy", "__version__", "open_store", "resume", "run_flow"]

_HOMES = {
    "RetryPolicy": "zonemelt.workflows.engine.retry",
    "open_store": "zonemelt.tasks.stores",
    "resume": "zonemelt.workflows.engine.run",
    "run_flow": "zonemelt.workflows.engine.run",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'zonemelt' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
