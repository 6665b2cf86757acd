"""The page docs/stores.md does what it says."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
import yaml
from jobflow import JobStore

from zonemelt.tasks.stores import open_store

PAGE = (Path(__file__).parents[2] / "docs" / "stores.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, flags=re.DOTALL)


@pytest.mark.filterwarnings("ignore::DeprecationWarning:pandas.*")
def test_the_python_runs_and_gives_what_the_comments_say(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names: dict = {"__name__": "page"}
    checked = 0
    for block in blocks("python"):
        for statement in ast.parse(block).body:
            source = ast.get_source_segment(block, statement) or ""
            said = re.match(r"[^\n]*?#\s*(\S.*)", block.splitlines()[(statement.end_lineno or 1) - 1])
            if isinstance(statement, ast.Expr):
                value = eval(source, names)
                if said and said[1] != "two documents":
                    assert value == ast.literal_eval(said[1]), source
                    checked += 1
                elif said:
                    assert len(value) == 2
            else:
                exec(compile(ast.Module([statement], []), "docs/stores.md", "exec"), names)
    assert checked == 6


def test_the_configurations_are_accepted(tmp_path, monkeypatch):
    monkeypatch.setenv("MONGO_PASSWORD", "secret")
    (tmp_path / "jobflow-store.yaml").write_text("docs_store: {type: MemoryStore}")
    found = [yaml.safe_load(block)["store"] for block in blocks("yaml")]
    assert len(found) == 4
    for spec in found:
        assert isinstance(open_store(spec, directory=tmp_path), JobStore)
