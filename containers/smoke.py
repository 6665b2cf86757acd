"""Whether an image works: `python smoke.py worker-cpu|worker-cuda|worker-rocm|head`, inside it, offline."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

_OF_TORCH = {"worker-cpu": None, "head": None, "worker-cuda": "cuda", "worker-rocm": "hip"}


def say(what: str) -> None:
    """One line for each thing that was seen."""
    sys.stdout.write(f"✓ {what}\n")


def pinned() -> None:
    """Every package has the version of constraints.txt."""
    pins = Path(__file__).with_name("constraints.txt").read_text(encoding="utf-8")
    seen = 0
    for name, pin in re.findall(r"^([\w.-]+)==(\S+)$", pins, re.MULTILINE):
        try:
            found = version(name)
        except ModuleNotFoundError:  # not of this image
            continue
        assert found.partition("+")[0] == pin.partition("+")[0], f"{name} {found}, pinned is {pin}"
        seen += 1
    say(f"{seen} packages as pinned")


def torch_fits(image: str) -> None:
    """Its torch was built for the accelerators that the image is for, be there any or not."""
    import torch

    kind = _OF_TORCH[image]
    built = {"cuda": torch.version.cuda, "hip": torch.version.hip}
    assert kind is None or built[kind], f"torch {torch.__version__} was not built for {kind}"
    say(f"torch {torch.__version__}, {torch.cuda.device_count()} accelerators here")


def potential() -> None:
    """A potential that comes with the worker gives rock salt an energy."""
    from ase.build import bulk

    from zonemelt.tasks.potentials.by_ase import calculator
    from zonemelt.tasks.potentials.load import load_potential

    salt = bulk("NaCl", "rocksalt", a=5.64)
    salt.calc = calculator(load_potential("chgnet-0.3.0"))
    energy = float(salt.get_potential_energy()) / len(salt)
    assert -4.5 < energy < -2.5, f"{energy} eV/atom"  # noqa: PLR2004 (near -3.4)
    say(f"CHGNet gives NaCl {energy:.3f} eV/atom")


def campaign() -> None:
    """The quickstart runs to its report, labelled by EMT, with worker processes."""
    with tempfile.TemporaryDirectory() as folder:
        command = [
            *("zonemelt", "run", "quickstart", "--oracle", "emt", "--directory", f"{folder}/quickstart"),
            *("--set", "stop.rounds=1", "--set", "generator.settings.epochs=5"),
        ]
        subprocess.run(command, check=True, cwd=folder, stdout=subprocess.DEVNULL)
        assert Path(folder, "quickstart", "report.html").exists(), "there is no report"
    say("the quickstart runs to its report")


def main(image: str) -> None:
    """Look at everything."""
    assert os.geteuid() != 0 or "APPTAINER_CONTAINER" in os.environ, "it runs as root"
    say(f"runs as user {os.geteuid()}")
    pinned()
    torch_fits(image)
    if image != "head":
        potential()
    campaign()


if __name__ == "__main__":
    main(sys.argv[1])
