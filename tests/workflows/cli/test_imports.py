"""The program answers at once: nothing heavy is imported before it is needed."""

from __future__ import annotations

import subprocess
import sys

HEAVY = ("torch", "parsl", "jobflow", "pymatgen", "pandas", "numpy", "maggma", "rich.console")


def test_nothing_heavy_is_imported():
    script = f"import sys, zonemelt.workflows.cli; print([m for m in {HEAVY!r} if m in sys.modules])"
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


def test_looking_imports_no_jobflow():
    modules = ", ".join(f"zonemelt.workflows.engine.{name}" for name in ("inspect", "lookup", "whole", "why"))
    light = f"print([m for m in {HEAVY[:-1]!r} if m in sys.modules])"
    script = f"import sys, zonemelt.workflows.watch, {modules}; {light}"
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"
