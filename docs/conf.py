"""How the pages are built: `make docs`. Warnings are errors; the reference is made of the program itself."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from reference_pages import write_reference

from zonemelt import __version__

project = "zonemelt"
copyright = "the zonemelt developers, MIT licence"  # noqa: A001 (Sphinx's name)
release = version = __version__
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["conf.py", "reference_pages.py"]
html_theme = "furo"
html_title = f"zonemelt {release}"
html_copy_source = False
html_show_sphinx = False

myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3
myst_fence_as_directive = []
autodoc_typehints = "signature"
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
autodoc_inherit_docstrings = False
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True
# Blocks of the pages that are no language Pygments knows stay as they are.
highlight_language = "none"
suppress_warnings = ["misc.highlighting_failure"]


def setup(app):  # noqa: ANN001, ANN201 (Sphinx calls it)
    """Make the reference before the pages are read."""
    app.connect("builder-inited", lambda _: write_reference(Path(__file__).parent / "reference"))
