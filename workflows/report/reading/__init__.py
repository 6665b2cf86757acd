"""What a campaign left in its directory, read once and kept small, however many jobs it had."""

from zonemelt.workflows.report.reading.gather import Gathered, gather

__all__ = ["Gathered", "gather"]
