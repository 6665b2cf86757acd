#!/usr/bin/env bash
# Build an image and look whether it works: `containers/build.sh worker-cpu|worker-cuda|worker-rocm|head [OPTIONS]`.
# With docker, podman or buildah, whichever is there; further options go to it, e.g. --build-arg BASE=my-debian.
set -euo pipefail
image=${1:?which image: worker-cpu, worker-cuda, worker-rocm or head} && shift
cd "$(dirname "$0")/.."
version=$(sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)
tag=zonemelt-$image:$version
for tool in docker podman buildah; do command -v $tool >/dev/null && break || tool=; done
[ -n "$tool" ] || { echo "build.sh: neither docker, podman nor buildah is there" >&2; exit 1; }
$tool build --file containers/Dockerfile --target "$image" --tag "$tag" "$@" .
smoke=(/opt/zonemelt/bin/python /opt/zonemelt/smoke.py "$image")
if [ $tool = buildah ]; then
  made=$(buildah from "$tag") && trap 'buildah rm "$made" >/dev/null' EXIT
  buildah run "$made" -- "${smoke[@]}"
else
  $tool run --rm --network none --entrypoint "${smoke[0]}" "$tag" "${smoke[@]:1}"
fi
echo "built: $tag"
