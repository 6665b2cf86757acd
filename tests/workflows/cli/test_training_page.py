"""The page about training runs from its first line to its last: what it writes, and each of its commands."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

PAGE = Path(__file__).parents[3] / "docs" / "training.md"


def test_the_page_runs(zonemelt, home, monkeypatch, capsys):
    monkeypatch.setenv("ZONEMELT_SITE", "inline")
    blocks = re.findall(r"```(python|bash)\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert {kind for kind, _ in blocks} == {"python", "bash"}
    for kind, code in blocks:
        if kind == "python":
            exec(compile(code, str(PAGE), "exec"), {})  # the commands run in this process, too
        else:
            for line in code.splitlines():
                zonemelt(*shlex.split(line)[1:])
    assert "stiffness" in capsys.readouterr().out
