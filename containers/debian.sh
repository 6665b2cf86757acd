#!/usr/bin/env bash
# Install packages of Debian or Ubuntu where that is possible, or say why not and go on: `debian.sh WHO CONSEQUENCE PACKAGE...`
set -uo pipefail
who=$1 consequence=$2
shift 2
skip() { echo "$who: $*; $consequence"; exit 0; }

missing=()
for package in "$@"; do
  dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
done
[ ${#missing[@]} -gt 0 ] || exit 0
[ "$(id -u)" = 0 ] || skip "not root, so cannot install ${missing[*]}"
command -v apt-get >/dev/null || skip "no apt-get, so cannot install ${missing[*]}"

# No package may start a daemon of its own: tests start theirs where they want it.
policy=/usr/sbin/policy-rc.d
if [ ! -e $policy ]; then
  printf '#!/bin/sh\nexit 101\n' >$policy && chmod 755 $policy && trap 'rm -f $policy' EXIT
fi
log=$(mktemp)
export DEBIAN_FRONTEND=noninteractive
if { apt-get update -qq && apt-get install -y -qq --no-install-recommends "${missing[@]}"; } >"$log" 2>&1 </dev/null; then
  echo "$who: installed ${missing[*]}"
else
  skip "apt-get failed ($(tail -n 1 "$log"))"
fi
