# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# shellcheck shell=sh
# Usage: sh compile.sh LAYERS TREE ABI SOURCES EMULATION
# Compiles the modules of the directory SOURCES in the kernel build tree TREE. It runs in namespaces of its own (see
# processes.py), over what the directories LAYERS have, the first above the others. A TREE that is not in these is this
# machine's. Nothing of it is written to: all goes into memory. With the ABI "emulated" the tree gets openEuler's
# linux/livepatch.h and options from the directory EMULATION, as build.sh does there; any other ABI leaves it as it is.
set -eu
layers=$1
tree=$2
abi=$3
sources=$4
emulation=$5

scratch=$(mktemp -d)
mount -t tmpfs tmpfs "$scratch"
mkdir "$scratch/upper" "$scratch/work" "$scratch/merged" "$scratch/tree" "$scratch/tree_work"
mount -t overlay -o "lowerdir=$layers,upperdir=$scratch/upper,workdir=$scratch/work" overlay "$scratch/merged"
cd "$scratch/merged"
mount -t proc proc proc
mount -t tmpfs -o mode=1777 tmpfs tmp
mount -t tmpfs -o mode=755 tmpfs dev
for device in null zero urandom; do
  touch "dev/$device"
  mount --bind "/dev/$device" "dev/$device"
done
if ! [ -e ".$tree" ]; then
  mkdir -p ".$tree"
  mount -t overlay -o "lowerdir=$tree,upperdir=$scratch/tree,workdir=$scratch/tree_work" overlay ".$tree"
fi
cp -a "$sources" srv/sources
if [ "$abi" = emulated ]; then
  cp -a "$emulation" srv/emulation
  chroot . sh /srv/emulation/give_abi.sh "$tree"
  printf '0x00000000\t%s\tvmlinux\tEXPORT_SYMBOL_GPL\t\n' klp_register_patch klp_unregister_patch \
    >> ".$tree/Module.symvers"
fi
# The compiler is the root's own, whatever the tree asks for. BTF is for debuggers, and takes longer than all the rest.
exec chroot . make -k -C "$tree" M=/srv/sources CC=gcc CONFIG_DEBUG_INFO_BTF_MODULES= modules
