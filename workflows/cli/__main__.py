"""``python -m zonemelt.workflows.cli`` is ``zonemelt``."""

from zonemelt.workflows.cli import main

main()
