"""Makers as jobs hand them on: a graph that grows brings along who makes it grow."""

from __future__ import annotations

from typing import Any

from monty.json import MontyDecoder


def decoded(maker: Any) -> Any:
    """The maker, whether the manager has decoded its document already or not."""
    return MontyDecoder().process_decoded(maker)
