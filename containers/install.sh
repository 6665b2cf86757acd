#!/bin/sh
# Install zonemelt for one image into /opt/zonemelt: `install.sh worker-cpu|worker-cuda|worker-rocm|head TORCH_INDEX`.
set -eu
image=$1 index=${2:-}
case $image in
  worker-cpu | worker-cuda | worker-rocm) extras=mpi,potentials ;;
  head) extras=databases,mpi,serve ;;
  *) echo "install.sh: there is no image '$image'" >&2; exit 2 ;;
esac
if [ -z "$index" ]; then
  echo "install.sh: $image: say which torch, e.g. TORCH_INDEX=https://download.pytorch.org/whl/rocm6.4" >&2
  exit 2
fi
cd "$(dirname "$0")/.."
python3 -m venv /opt/zonemelt
pip="/opt/zonemelt/bin/python -m pip install --quiet --no-cache-dir --disable-pip-version-check -c constraints.txt"
# First, and from its own index: whatever else wants torch would bring the one for CUDA.
$pip --index-url "$index" torch
$pip ".[$extras]"
cp containers/smoke.py constraints.txt /opt/zonemelt/
