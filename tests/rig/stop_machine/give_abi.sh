#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026, openeuler.livepatch contributors

# Usage: give_abi.sh TREE
# Gives a kernel build tree openEuler's linux/livepatch.h and its options.
set -eu
tree=$1
cd "$(dirname "$0")"

case $(grep -E '^CONFIG_(X86_64|ARM64)=y' "$tree/.config") in
  CONFIG_X86_64=y) architecture=x86 ;;
  CONFIG_ARM64=y) architecture=arm64 ;;
esac
# The generated headers come before the kernel's own in the compiler's search path.
install -D -m 644 livepatch.h "$tree/arch/$architecture/include/generated/linux/livepatch.h"
cat options.config >> "$tree/.config"
grep '^CONFIG_' options.config >> "$tree/include/config/auto.conf"
sed -n 's/^\(CONFIG_[A-Z_]*\)=y$/#define \1 1/p' options.config >> "$tree/include/generated/autoconf.h"
