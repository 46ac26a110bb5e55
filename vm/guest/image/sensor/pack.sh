#!/bin/sh
# Packs the static sample module into a docker archive that podman and skopeo read:
# pack.sh PROGRAM TARGET. Reproducible: same program, same bytes. Needs SOURCE_DATE_EPOCH.
set -eu

readonly program="$1"
readonly target="$2"
readonly name=sandbox.berth.internal:5000/berth-sensor:1.0

work=$(mktemp -d "$target.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM

pack() # TARGET FILE...: tar without a trace of who made it and when
{
    to=$1
    shift
    tar --owner=0 --group=0 --numeric-owner --mtime=@0 --format=ustar -C "$work" -cf "$to" "$@"
}

digest()
{
    sha256sum <"$1" | cut -d ' ' -f 1
}

install -m 755 "$program" "$work/berth-sensor"
strip "$work/berth-sensor"
pack "$work/layer.tar" berth-sensor
layer=$(digest "$work/layer.tar")
printf '{"architecture":"amd64","os":"linux","created":"1970-01-01T00:00:00Z","config":{"Entrypoint":["/berth-sensor"],"ExposedPorts":{"9600/tcp":{}},"User":"65534:65534","WorkingDir":"/"},"rootfs":{"type":"layers","diff_ids":["sha256:%s"]},"history":[{"created":"1970-01-01T00:00:00Z","created_by":"berth-sensor"}]}' \
    "$layer" >"$work/config"
config=$(digest "$work/config")
mv "$work/config" "$work/$config.json"
mv "$work/layer.tar" "$work/$layer.tar"
printf '[{"Config":"%s.json","RepoTags":["%s"],"Layers":["%s.tar"]}]' "$config" "$name" "$layer" >"$work/manifest.json"
pack "$work/image.tar" manifest.json "$config.json" "$layer.tar"
mv "$work/image.tar" "$target"
