# An image with this machine's node, its libraries, Microsoft's SDKs and one script: what a customer's module image has in it.
# shellcheck shell=bash

# The packages of SDK that a module needs, and what those need.
node_packages() { # SDK
    node -e '
        const all = require(process.argv[1] + "/../package-lock.json").packages, seen = new Set();
        const add = name => {
            if (seen.has(name) || !all["node_modules/" + name]) return;
            seen.add(name);
            Object.keys(all["node_modules/" + name].dependencies || {}).forEach(add);
        };
        ["azure-iot-device", "azure-iot-device-mqtt"].forEach(add);
        console.log([...seen].join("\n"));' "$1"
}

# Writes the root file system as a tar to TARGET. SDK: the folder with the packages.
node_rootfs() { # TARGET SDK SCRIPT
    local root library node
    root=$(mktemp -d "$1.XXXXXX")
    node=$(readlink -f "$(command -v node)")
    mkdir -p "$root/app/node_modules" "$root/tmp" "$root/etc"
    install -D -m 755 "$node" "$root/usr/bin/node"
    while read -r library; do
        install -D -m 755 "$(readlink -f "$library")" "$root$library"
    done < <(ldd "$node" | grep -o '/[^ ]*')
    node_packages "$2" | tar -C "$2" -c -T - | tar -C "$root/app/node_modules" -x
    cp "$3" "$root/app/main.js"
    tar -C "$root" --owner=0 --group=0 -cf "$1" .
    rm -rf "$root"
}

# How the container engine is told to make image NAME:TAG of a root file system.
node_import_query() { # NAME TAG
    echo "fromSrc=-&repo=$1&tag=$2&changes=CMD%20%5B%22/usr/bin/node%22,%22/app/main.js%22%5D"
}

# Makes image NAME:TAG of it in the container engine behind SOCKET.
node_import() { # SOCKET TAR NAME TAG
    curl -sf --max-time 300 --unix-socket "$1" -X POST -H 'Content-Type: application/x-tar' -T "$2" \
        "http://d/v1.41/images/create?$(node_import_query "$3" "$4")" >/dev/null
}
