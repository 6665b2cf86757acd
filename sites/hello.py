"""Whether a node's Python is one that workers can run in: ``python -m zonemelt.sites.hello VERSIONS``.

A block runs it before its workers. What it prints on standard error reaches the person through the block's
log; without it a block of the wrong versions would come up, fail every job and use up the retries.
"""

from __future__ import annotations

import sys


def problem(zonemelt_wanted: str, parsl_wanted: str, python_wanted: str) -> str | None:
    """What is wrong with this Python for a head with those versions; None if nothing is."""
    import parsl

    from zonemelt import __version__

    python = f"{sys.version_info[0]}.{sys.version_info[1]}"
    here = {"zonemelt": __version__, "parsl": parsl.__version__, "Python": python}
    wanted = {"zonemelt": zonemelt_wanted, "parsl": parsl_wanted, "Python": python_wanted}
    wrong = [
        f"{name} {here[name]}, the head has {wanted[name]}" for name in here if here[name] != wanted[name]
    ]
    if not wrong:
        return None
    return f"{sys.executable} on this node has {'; '.join(wrong)}: install the same versions on both sides"


def main(arguments: list[str]) -> int:
    """Say what is wrong; the exit status is 3 if something is."""
    found = problem(*arguments)
    if found is None:
        return 0
    sys.stderr.write(f"zonemelt: {found}\n")
    return 3


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
