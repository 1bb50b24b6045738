# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# shellcheck shell=sh
# Usage: sh run-arm64.sh COMMAND...
# Runs a command that may execute arm64 programs, by QEMU's emulation. Runs in namespaces of its own (see processes.py);
# the kernel keeps the registration of the emulator, as it does where systemd registers what the package brings.
set -eu
formats=/proc/sys/fs/binfmt_misc
[ -d "$formats" ] || modprobe binfmt_misc
mountpoint -q "$formats" || mount -t binfmt_misc binfmt_misc "$formats"
[ -e "$formats/qemu-aarch64" ] || cat /usr/lib/binfmt.d/qemu-aarch64.conf > "$formats/register"
exec "$@"
