"""How workers are started in a site's container: with which directories and accelerators, from which image.

The head stays outside, where the scheduler's commands are, and so do pools whose jobs span nodes: the
machine's launcher starts their ranks, and no container has it.
"""

from __future__ import annotations

import hashlib
import os
import re
import shlex
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from zonemelt.sites.layers import SiteFileError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from zonemelt.sites.site import Pool, Site

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
# runtime → vendor of accelerators → options that let them in; the others need none
_ACCELERATORS: dict[str, dict[str, tuple[str, ...]]] = {
    "apptainer": {"nvidia": ("--nv",), "amd": ("--rocm",)},
    "singularity": {"nvidia": ("--nv",), "amd": ("--rocm",)},
    "shifter": {"nvidia": ("--module=gpu",)},
    "podman-hpc": {"nvidia": ("--gpu",), "amd": ("--device=/dev/kfd", "--device=/dev/dri")},
    "podman": {
        "nvidia": ("--device=nvidia.com/gpu=all",),
        "amd": ("--device=/dev/kfd", "--device=/dev/dri"),
        "intel": ("--device=/dev/dri",),
    },
}
# A pod of one's own has neither our variables nor our network nor our account, unless it is told to.
_AS_OURSELVES = ("run", "--rm", "--env-host", "--network=host", "--userns=keep-id")


def is_contained(site: Site, pool: Pool) -> bool:
    """Whether the workers of a pool run in the site's container."""
    inside = not pool.whole_block if pool.contained is None else pool.contained
    return inside and site.container.image is not None and site.container.runtime != "none"


def python(site: Site, pool: Pool, here: str) -> str:
    """The Python of a pool's workers: the container's, or the one given."""
    return "python" if is_contained(site, pool) else shlex.quote(here)


def in_container(site: Site, pool: Pool, places: Iterable[Path] = ()) -> str:
    """What goes before a command so that it runs in the site's container; empty where there is none.

    Args:
        site: the machine.
        pool: whose workers it is for.
        places: directories that must be there under the same name, besides the site's.
    """
    if not is_contained(site, pool):
        return ""
    container = site.container
    runtime, own = container.runtime, shlex.split(container.options)
    vendor = pool.accelerators.vendor if pool.accelerators.count else "none"
    lets_in = [word for word in _ACCELERATORS[runtime].get(vendor, ()) if not _given(word, own)]
    binds = [f"{place}:{place}" for place in _places(site, places)]
    image = shlex.quote(os.path.expandvars(container.image or ""))
    if runtime == "shifter":  # the machine's file systems are there
        words = ["shifter", f"--image={image}", *map(shlex.quote, lets_in), container.options]
    elif runtime in {"podman", "podman-hpc"}:
        volumes = [shlex.quote(f"--volume={bind}") for bind in binds]
        words = [runtime, *_AS_OURSELVES, *volumes, *map(shlex.quote, lets_in), container.options, image]
    else:
        bound = [shlex.quote(f"--bind={bind}") for bind in binds]
        words = [runtime, "exec", *bound, *map(shlex.quote, lets_in), container.options, image]
    return "".join(f"{word} " for word in words if word)


def _given(word: str, own: Sequence[str]) -> bool:
    return any(each.partition("=")[0] == word.partition("=")[0] for each in own)


def _places(site: Site, places: Iterable[Path]) -> list[str]:
    """Directories that are let in, each once, none that lies in another of them."""
    named = [os.path.expandvars(place) for place in (site.storage.scratch or "", *site.container.binds)]
    asked = [place for place in named if place and "$" not in place and "{" not in place]
    whole = sorted({str(Path(place).absolute()) for place in (*asked, *map(str, places))})
    return [place for place in whole if not any(Path(place).is_relative_to(o) for o in whole if o != place)]


def image_digest(site: Site) -> str:
    """The digest of the site's image, which provenance notes; empty where nothing tells it.

    Of an image in a file it is computed; of one in a registry it is what stands after the ``@``.

    Raises:
        SiteFileError: the image is not the one that ``container.digest`` names.
    """
    container = site.container
    if container.image is None:
        return ""
    path = Path(os.path.expandvars(container.image)).expanduser()
    named = _DIGEST.search(container.image)
    found = named[0] if named else ""
    if path.is_file():
        about = path.stat()
        found = _digest_of_file(path, about.st_size, about.st_mtime_ns)
    if container.digest and found and found != container.digest:
        raise SiteFileError(
            f"container.image: {container.image} has the digest {found}, not {container.digest}\n"
            "  → it was changed or built anew: mend container.digest, or get the image that it names"
        )
    return found or container.digest


@cache
def _digest_of_file(path: Path, size: int, changed: int) -> str:  # noqa: ARG001 (of a file that is the same)
    with path.open("rb") as file:
        return f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"
