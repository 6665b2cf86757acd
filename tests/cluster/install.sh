#!/usr/bin/env bash
# Install what the SLURM test cluster needs (Debian, Ubuntu), or say why not and go on: its tests are skipped then.
set -uo pipefail
packages="munge slurmctld slurmd slurm-client slurmdbd slurm-wlm-mysql-plugin mariadb-server iproute2"
skip() { echo "make cluster: $*; tests marked slurm will be skipped"; exit 0; }

missing=
for package in $packages; do
  dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing="$missing $package"
done
[ -n "$missing" ] || exit 0
[ "$(id -u)" = 0 ] || skip "not root, so cannot install$missing"
command -v apt-get >/dev/null || skip "no apt-get, so cannot install$missing"

# The packages must not start daemons of their own: the cluster starts its own where tests want it.
policy=/usr/sbin/policy-rc.d
if [ ! -e $policy ]; then
  printf '#!/bin/sh\nexit 101\n' >$policy && chmod 755 $policy && trap 'rm -f $policy' EXIT
fi
log=$(mktemp)
export DEBIAN_FRONTEND=noninteractive
# shellcheck disable=SC2086 # one word a package
if { apt-get update -qq && apt-get install -y -qq --no-install-recommends $missing; } >"$log" 2>&1 </dev/null; then
  echo "make cluster: installed$missing"
else
  skip "apt-get failed ($(tail -n 1 "$log"))"
fi
