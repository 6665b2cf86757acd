"""Results of ready campaigns on paper, and where they come from."""

from __future__ import annotations

import pytest
from rich.console import Console

from zonemelt.workflows.cli.application_tables import application_table
from zonemelt.workflows.cli.model_tables import plain_table
from zonemelt.workflows.paper import console
from zonemelt.workflows.report.applications import COLUMNS

SALT = "{space_group: Fm-3m, cell: {a: 5.7}, sites: {Na: [[0, 0, 0]], Cl: [[0.5, 0.5, 0.5]]}}"
CESIUM = "{space_group: Pm-3m, cell: {a: 3.5}, sites: {Na: [[0, 0, 0]], Cl: [[0.5, 0.5, 0.5]]}}"


def shown(table):
    out = Console(width=140, record=True)
    out.print(table)
    return out.export_text()


def test_what_is_missing_is_a_dash_with_its_reason():
    for kind, columns in COLUMNS.items():
        text = shown(application_table(kind, [{"name": "x", "reason": "charged: exploded"}]))
        assert "charged: exploded" in text
        assert text.splitlines()[1].count(" -") == len(columns)


def test_a_campaign_ends_with_its_table(zonemelt, home):
    pytest.importorskip("chgnet")
    (home / "salts.yaml").write_text(
        "name: salts\nkind: polymorphs\npotential: chgnet-0.3.0\nreference: rocksalt\n"
        f"polymorphs:\n  rocksalt: {SALT}\n  cesium: {CESIUM}\n"
        "relax: {force: 0.1, steps: 60}\n"
    )
    said = zonemelt("run", "salts.yaml", "--site", "inline", "--directory", "made")
    assert "energy (kJ/mol)" in said
    assert "cesium" in said
    assert "cesium" in (home / "made" / "report.html").read_text(encoding="utf-8")


def test_brackets_in_names_are_brackets(capsys):
    table = plain_table("structure", "energy")
    table.add_row("[bulk] Al[red]", "1")
    console().print(table)
    assert "[bulk] Al[red]" in capsys.readouterr().out
