"""The command line: everything a person does with campaigns, one small file for each group of commands."""

from zonemelt.workflows.cli import look, start, steer, surroundings  # they register their commands
from zonemelt.workflows.cli.app import app, main

__all__ = ["app", "look", "main", "start", "steer", "surroundings"]
