# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# shellcheck shell=sh
# Usage: sh build-kernel.sh ROOT ARCH IMAGE CONFIG...
# Unpacks the kernel's source in the root, and builds the test kernel from it: the source stays as it was unpacked,
# with the configuration beside it, as distributions install theirs. ARCH is the name that the kernel's Makefile has for
# the architecture, and IMAGE what that builds for a boot. Runs in namespaces of its own (see processes.py).
set -eu
root=$1
arch=$2
image=$3
shift 3

mount -t proc proc "$root/proc"
for device in null zero full random urandom; do
  [ -e "$root/dev/$device" ] || touch "$root/dev/$device"
  mount --bind "/dev/$device" "$root/dev/$device"
done
# Of two values for one option the later one holds.
cat "$@" > "$root/usr/src/slim.config"

chroot "$root" env ARCH="$arch" IMAGE="$image" sh -eu << 'SCRIPT'
[ "$ARCH" = x86 ] || export CROSS_COMPILE=aarch64-linux-gnu-
cd /usr/src
tar -xf linux-source-*.tar.xz
rm linux-source-*.tar.xz
unpacked=$(echo linux-source-*)
version=$(make -s -C "$unpacked" kernelversion)
suffix=$(sed -n 's/^CONFIG_LOCALVERSION="\(.*\)"$/\1/p' slim.config)
release=$version$suffix
source=/usr/src/linux-$release
tree=/usr/src/build-$release
mv "$unpacked" "$source"
mkdir "$tree"
make -s -C "$source" O="$tree" tinyconfig
"$source/scripts/kconfig/merge_config.sh" -m -O "$tree" "$tree/.config" slim.config
make -s -C "$tree" olddefconfig
make -s -C "$tree" -j"$(nproc)" "$IMAGE" modules

if [ "$ARCH" = x86 ] && command -v aarch64-linux-gnu-gcc > /dev/null; then
  # A stand-in for a build tree of openEuler's arm64 kernels, to compile for: mainline 6.12 has no live patching there.
  other=/usr/src/build-$release-arm64-stand-in
  mkdir "$other"
  set -- ARCH=arm64 CROSS_COMPILE=aarch64-linux-gnu-
  make -s -C "$source" O="$other" "$@" tinyconfig
  printf 'CONFIG_%s=y\n' 64BIT MODULES MODULE_UNLOAD PROC_FS SYSFS PRINTK >> "$other/.config"
  make -s -C "$other" "$@" olddefconfig
  make -s -C "$other" "$@" -j"$(nproc)" modules_prepare
  echo CONFIG_LIVEPATCH=y >> "$other/.config"
  echo '#define CONFIG_LIVEPATCH 1' >> "$other/include/generated/autoconf.h"
  for symbol in klp_enable_patch seq_puts seq_putc seq_printf _printk __stack_chk_fail; do
    printf '0x00000000\t%s\tvmlinux\tEXPORT_SYMBOL_GPL\t\n' "$symbol" >> "$other/Module.symvers"
  done
fi

install -D -m 644 "$tree/vmlinux" "/usr/lib/debug/lib/modules/$release/vmlinux"
install -m 644 "$tree/.config" "/boot/config-$release"
install -m 644 "$tree/.config" "$source/.config"
install -m 644 "$tree/System.map" "/boot/System.map-$release"
install -m 644 "$tree/arch/$ARCH/boot/$IMAGE" "/boot/vmlinuz-$release"
install -d "/lib/modules/$release"
ln -s "$tree" "/lib/modules/$release/build"
ln -s "$source" "/lib/modules/$release/source"

# What stays is a build tree for modules.
find "$tree" -path "$tree/scripts" -prune -o -path "$tree/tools" -prune -o -type f \
  \( -name '*.o' -o -name '*.a' -o -name '.*.cmd' -o -name 'vmlinux*' -o -name '.tmp_vmlinux*' -o -name "$IMAGE" \) \
  -exec rm {} +
SCRIPT
