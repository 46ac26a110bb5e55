#!/bin/sh
# Turns a fresh Debian root into Berth's: kernel, initrd, users, programs, file tree, units, pruning.
# Called by mmdebstrap as a customize hook, before it packs the root: root.sh ROOT
# Reads RECIPE (this folder), EDGED, HUB and IOTEDGE (paths of programs), VERSION from the environment and leaves
# ROOT/bundle/{vmlinuz,initrd} for build.sh.
set -eu

readonly root="$1"
: "${RECIPE:?}" "${EDGED:?}" "${HUB:?}" "${IOTEDGE:?}" "${VERSION:?}" "${SOURCE_DATE_EPOCH:?}" "${MMDEBSTRAP_APT_CONFIG:?}"

lines() # FILE: its lines without comments
{
    sed -e 's/[[:space:]]*#.*//' -e '/^$/d' "$1"
}

# The kernel's package is unpacked rather than installed: installing it needs initramfs-tools.
kernel_unpack()
{
    mkdir "$root/bundle" "$root/bundle/kernel"
    (
        cd "$root/bundle/kernel"
        export APT_CONFIG="$MMDEBSTRAP_APT_CONFIG"
        package=$(apt-cache depends linux-image-cloud-amd64 | sed -n 's/.*Depends: //p')
        apt-get -qq -o APT::Sandbox::User=root download "$package"
        dpkg-deb -x ./*.deb .
    )
    cp "$root"/bundle/kernel/boot/vmlinuz-* "$root/bundle/vmlinuz"
    release=$(basename "$root"/bundle/kernel/lib/modules/*)
    mkdir -p "$root/usr/lib/modules"
    cp -a "$root/bundle/kernel/lib/modules/$release" "$root/usr/lib/modules/"
    rm -rf "$root/bundle/kernel"
    chroot "$root" depmod "$release"
}

# modules_resolve FILE: the modules of a list with their dependencies, in loading order, in $modules.
modules_resolve()
{
    # shellcheck disable=SC2046 # one word a module
    modules=$(chroot "$root" modprobe -S "$release" --show-depends -a $(lines "$1"))
    modules=$(printf '%s\n' "$modules" | sed -n 's/^insmod \([^ ]*\).*/\1/p' | awk '!seen[$0]++')
}

modules_keep()
{
    modules_resolve "$RECIPE/modules"
    printf '%s\n' "$modules" >"$root/bundle/keep"
    find "$root/usr/lib/modules/$release/kernel" -name '*.ko' -printf "/lib/modules/$release/kernel/%P\\n" |
        grep -vxF -f "$root/bundle/keep" | sed "s|^|$root|" | xargs rm -f
    find "$root/usr/lib/modules/$release" -type d -empty -delete
    chroot "$root" depmod "$release"
    rm "$root/bundle/keep"
}

initrd_make()
{
    tree=$root/bundle/tree
    mkdir -p "$tree/bin" "$tree/modules" "$tree/dev" "$tree/proc" "$tree/run" "$tree/sys" "$tree/sysroot"
    cp "$root/usr/bin/busybox" "$tree/bin/busybox"
    install -m 755 "$RECIPE/initrd/init" "$tree/init"
    modules_resolve "$RECIPE/initrd/modules"
    for path in $modules; do
        cp "$root$path" "$tree/modules/"
        basename "$path" >>"$tree/modules/order"
    done
    find "$tree" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
    (cd "$tree" && find . | LC_ALL=C sort | cpio --quiet -o -H newc -R 0:0 --reproducible) |
        gzip -9n >"$root/bundle/initrd"
    rm -rf "$tree"
}

program_add() # FILE NAME
{
    install -s -m 755 "$1" "$root/usr/bin/$2" # stripped: symbols stay with the build
    missing=$(chroot "$root" ldd "/usr/bin/$2" | grep 'not found' || true)
    [ -z "$missing" ] || {
        echo "$2 does not run on Debian 12: $missing" >&2
        exit 1
    }
}

programs_add()
{
    program_add "$EDGED" berth-edged
    program_add "$HUB" berth-hub
    program_add "$IOTEDGE" iotedge
}

# Owner root, modes by the executable bit only: the checkout's umask and owner do not matter.
tree_add()
{
    (cd "$RECIPE/tree" && tar --owner=0 --group=0 --mode=u=rwX,go=rX -cf - .) |
        tar -C "$root" --keep-directory-symlink --no-overwrite-dir -xf -
    printf 'IMAGE_VERSION=%s\n' "$VERSION" >"$root/usr/lib/berth/release"
    mkdir -p "$root/home/berth"
    # A password that nothing matches; "!" would make sshd refuse the key as well.
    chroot "$root" systemd-sysusers
    sed -i 's/^berth:[^:]*:/berth:*:/' "$root/etc/shadow"
    rm -f "$root"/etc/*- "$root/etc/machine-id" "$root/etc/hostname" "$root/etc/.pwd.lock"
    : >"$root/etc/machine-id"
}

units_enable()
{
    rm -rf "$root"/usr/lib/systemd/system/*.wants "$root"/etc/systemd/system/*.wants
    lines "$RECIPE/units" >"$root/bundle/units"
    while read -r target unit; do
        dir=/etc/systemd/system
        [ -e "$root$dir/$unit" ] || dir=/usr/lib/systemd/system
        [ -e "$root$dir/$unit" ] || {
            echo "no such unit: $unit" >&2
            exit 1
        }
        mkdir -p "$root/etc/systemd/system/$target.wants"
        ln -s "$dir/$unit" "$root/etc/systemd/system/$target.wants/$unit"
    done <"$root/bundle/units"
    rm "$root/bundle/units"
    ln -sf /usr/lib/systemd/system/multi-user.target "$root/etc/systemd/system/default.target"
}

prune()
{
    lines "$RECIPE/prune" | while read -r glob; do
        # shellcheck disable=SC2086 # globs are meant
        (cd "$root" && rm -rf -- $glob)
    done
    find "$root/usr/lib/udev/rules.d" -type f ! -name 50-udev-default.rules ! -name 60-block.rules \
        ! -name 60-serial.rules ! -name 80-drivers.rules ! -name 80-net-setup-link.rules \
        ! -name 99-systemd.rules -delete
    # /var is the data disk's: nothing of the image may live there.
    find "$root/var" -mindepth 1 -delete
    # One user without a password: nobody has to become somebody else.
    find "$root" -xdev -type f -perm /6000 -exec chmod a-s {} +
    find "$root" -xdev -xtype l -path '*/man/*' -delete
}

kernel_unpack
initrd_make
modules_keep
programs_add
tree_add
prune
units_enable
