"""The batch scripts a campaign would submit, to be read before anything is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zonemelt.sites.load import check_complete

if TYPE_CHECKING:
    from zonemelt.sites.site import Site


def batch_scripts(site: Site) -> dict[str, str]:
    """The script of each pool's blocks, as it would be submitted; none for a machine without a scheduler.

    What only a running campaign knows (addresses, ports, certificates of its managers) is in the command
    ``process_worker_pool.py``, which stands at the end of the script without its options.

    Raises:
        SiteFileError: a value is missing that only the user knows.
    """
    from zonemelt.sites.blocks import provider
    from zonemelt.sites.containers import in_container

    check_complete(site)
    if site.scheduler == "local":
        return {}
    return {
        name: str(
            provider(site, pool).script(
                f"{in_container(site, pool)}process_worker_pool.py", f"zonemelt.{name}"
            )
        )
        for name, pool in site.pools.items()
    }
