"""What a campaign came to, for people: a one-file HTML report, and tables for the console."""

from zonemelt.workflows.report.discovered import discovery_tables
from zonemelt.workflows.report.html import write_report
from zonemelt.workflows.report.rounds import rounds_table

__all__ = ["discovery_tables", "rounds_table", "write_report"]
