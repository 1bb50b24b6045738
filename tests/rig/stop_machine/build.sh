#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026, openeuler.livepatch contributors

# Usage: build.sh RELEASE [TREE]   (on the build host, in this directory)
# Builds the emulation, and the kernel build tree in which patches for it are built: TREE, by default the headers of
# RELEASE, with openEuler's linux/livepatch.h, its options, and the versions of the emulation's symbols. For another
# architecture, ARCH and CROSS_COMPILE are in the environment.
set -eu
original=${2:-/usr/src/linux-headers-$1}
tree=$original-stop-machine-emulation

rm -rf "$tree"
cp -a "$original" "$tree"
# A tree made by "make O=TREE" tells in its Makefile where it is.
sed -i "s|^export KBUILD_OUTPUT = $original\$|export KBUILD_OUTPUT = $tree|" "$tree/Makefile"
sh give_abi.sh "$tree"
make -C "$tree" M="$PWD" modules
cat Module.symvers >> "$tree/Module.symvers"
