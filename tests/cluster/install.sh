#!/usr/bin/env bash
# Install what the SLURM test cluster needs, or say why not and go on: its tests are skipped then.
exec "$(dirname "$0")/../../containers/debian.sh" "make cluster" "tests marked slurm will be skipped" \
  munge slurmctld slurmd slurm-client slurmdbd slurm-wlm-mysql-plugin mariadb-server iproute2
