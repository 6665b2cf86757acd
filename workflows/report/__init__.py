"""The result of a campaign, for people: a one-file HTML report and a table for the console."""

from zonemelt.workflows.report.html import write_report
from zonemelt.workflows.report.rounds import read_rounds, rounds_table
from zonemelt.workflows.report.table import result_table

__all__ = ["read_rounds", "result_table", "rounds_table", "write_report"]
