"""What a campaign came to, for people: a one-file HTML report, tables for the console, a live page."""

from zonemelt.workflows.report.discovered import discovery_tables
from zonemelt.workflows.report.html import write_report
from zonemelt.workflows.report.rounds import rounds_table

__all__ = ["discovery_tables", "rounds_table", "write_report"]
