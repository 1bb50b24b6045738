# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# shellcheck shell=sh
# Usage: sh customize-common.sh ROOT RECIPE KEYS
# What both roots need to be reached as Ansible hosts.
set -eu
root=$1
recipe=$2
keys=$3

rm -f "$root"/etc/ssh/ssh_host_*
install -m 600 "$keys/ssh_host_ed25519_key" "$root/etc/ssh/ssh_host_ed25519_key"
install -m 644 "$recipe/sshd.conf" "$root/etc/ssh/sshd_config.d/rig.conf"
install -d -m 700 "$root/root/.ssh"
install -m 600 "$keys/id_ed25519.pub" "$root/root/.ssh/authorized_keys"
