"""The database that lets SLURM remember jobs: MariaDB on a socket, and slurmdbd on it."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

from waiting import until

if TYPE_CHECKING:
    from pathlib import Path

    from cluster.daemons import Daemons

PROGRAMS = ("mariadbd", "mariadb", "mariadb-install-db", "slurmdbd", "sacct")


def start_accounting(directory: Path, daemons: Daemons, environment: dict[str, str]) -> None:
    """Start the database and slurmdbd; sacct answers as soon as the controller has registered."""
    data, socket = directory / "db", directory / "run" / "db.socket"
    if not (data / "mysql").exists():
        subprocess.run(
            ["mariadb-install-db", "--no-defaults", "--user=root", f"--datadir={data}", "--skip-test-db"],
            env=environment, check=True, capture_output=True, timeout=300, stdin=subprocess.DEVNULL,
        )  # fmt: skip
    daemons.start(
        "mariadbd", "mariadbd", "--no-defaults", "--user=root", f"--datadir={data}", f"--socket={socket}",
        "--skip-networking", f"--pid-file={directory}/run/mariadbd.own", "--innodb-buffer-pool-size=64M",
        "--innodb-flush-log-at-trx-commit=0", environment=environment,
    )  # fmt: skip
    ask = ["mariadb", "--no-defaults", f"--socket={socket}", "-e", "select 1"]
    until(lambda: _answers(ask, environment), "MariaDB answers", said=lambda: daemons.last_words("mariadbd"))
    # slurmdbd has no option for a database socket, nor for where its configuration is.
    daemons.start("slurmdbd", "slurmdbd", "-D", environment={**environment, "MYSQL_UNIX_PORT": str(socket)})
    ask = ["sacctmgr", "-n", "show", "cluster"]
    until(lambda: _answers(ask, environment), "slurmdbd answers", said=lambda: daemons.last_words("slurmdbd"))


def stop_accounting(daemons: Daemons) -> None:
    """Stop slurmdbd, then the database."""
    daemons.stop("slurmdbd")
    daemons.stop("mariadbd")


def _answers(command: list[str], environment: dict[str, str]) -> bool:
    done = subprocess.run(
        command, env=environment, capture_output=True, timeout=20, stdin=subprocess.DEVNULL, check=False
    )
    return done.returncode == 0
