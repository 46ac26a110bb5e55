#!/bin/bash
# One test of Microsoft's SDKs against a hub of its own, in a network of its own.
#
#   tests/support/sdk.sh install            puts the SDKs into build/sdk, once for each lock file
#   tests/support/sdk.sh tests/sdk/test_NAME.js
set -eu
cd "$(dirname "$0")/../.."
modules=$PWD/build/sdk
if [ "${1:-}" = install ]; then
    if cmp -s tests/sdk/package-lock.json "$modules/installed"; then exit 0; fi
    mkdir -p "$modules"
    cp tests/sdk/package.json tests/sdk/package-lock.json "$modules/"
    # Nothing of theirs is run or compiled on the way.
    (cd "$modules" && npm ci --ignore-scripts --no-audit --no-fund)
    cp tests/sdk/package-lock.json "$modules/installed"
    exit 0
fi
export BERTH_BUILD=${BERTH_BUILD:-$PWD/build/debug} NODE_PATH=$modules/node_modules NODE_NO_WARNINGS=1
exec tests/support/private_net.sh node tests/sdk/launch.js "$1"
