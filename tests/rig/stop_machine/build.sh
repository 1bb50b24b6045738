#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026, openeuler.livepatch contributors

# Usage: build.sh RELEASE   (on the build host, in this directory)
# Builds the emulation, and the kernel build tree in which patches for it are built: the headers of RELEASE with
# openEuler's linux/livepatch.h, its options, and the versions of the emulation's symbols.
set -eu
headers=/usr/src/linux-headers-$1
tree=$headers-stop-machine-emulation

rm -rf "$tree"
cp -a "$headers" "$tree"
# The generated headers come before the kernel's own in the compiler's search path.
install -D -m 644 livepatch.h "$tree/arch/x86/include/generated/linux/livepatch.h"
cat options.config >> "$tree/.config"
grep '^CONFIG_' options.config >> "$tree/include/config/auto.conf"
sed -n 's/^\(CONFIG_[A-Z_]*\)=y$/#define \1 1/p' options.config >> "$tree/include/generated/autoconf.h"
make -C "$tree" M="$PWD" modules
cat Module.symvers >> "$tree/Module.symvers"
