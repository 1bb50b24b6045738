# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# shellcheck shell=sh
# Usage: sh build-kernel.sh ROOT CONFIG
# Unpacks the kernel's source in the root, and builds the test kernel from it: the source stays as it was unpacked,
# with the configuration beside it, as distributions install theirs. Runs in namespaces of its own (see processes.py).
set -eu
root=$1
config=$2

mount -t proc proc "$root/proc"
for device in null zero full random urandom; do
  [ -e "$root/dev/$device" ] || touch "$root/dev/$device"
  mount --bind "/dev/$device" "$root/dev/$device"
done
cp "$config" "$root/usr/src/slim.config"

chroot "$root" sh -eu << 'SCRIPT'
cd /usr/src
tar -xf linux-source-6.12.tar.xz
rm linux-source-6.12.tar.xz
version=$(make -s -C linux-source-6.12 kernelversion)
suffix=$(sed -n 's/^CONFIG_LOCALVERSION="\(.*\)"$/\1/p' slim.config)
release=$version$suffix
source=/usr/src/linux-$release
tree=/usr/src/build-$release
mv linux-source-6.12 "$source"
mkdir "$tree"
make -s -C "$source" O="$tree" tinyconfig
"$source/scripts/kconfig/merge_config.sh" -m -O "$tree" "$tree/.config" slim.config
make -s -C "$tree" olddefconfig
make -s -C "$tree" -j"$(nproc)" bzImage modules

# A stand-in for a build tree of openEuler's arm64 kernels, to compile for: mainline's have no live patching there.
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

install -D -m 644 "$tree/vmlinux" "/usr/lib/debug/lib/modules/$release/vmlinux"
install -m 644 "$tree/.config" "/boot/config-$release"
install -m 644 "$tree/.config" "$source/.config"
install -m 644 "$tree/System.map" "/boot/System.map-$release"
install -m 644 "$tree/arch/x86/boot/bzImage" "/boot/vmlinuz-$release"
install -d "/lib/modules/$release"
ln -s "$tree" "/lib/modules/$release/build"
ln -s "$source" "/lib/modules/$release/source"

# What stays is a build tree for modules.
find "$tree" -path "$tree/scripts" -prune -o -path "$tree/tools" -prune -o -type f \
  \( -name '*.o' -o -name '*.a' -o -name '.*.cmd' -o -name 'vmlinux*' -o -name '.tmp_vmlinux*' -o -name bzImage \) \
  -exec rm {} +
SCRIPT
