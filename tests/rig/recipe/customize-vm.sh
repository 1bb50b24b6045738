# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# shellcheck shell=sh
# Usage: sh customize-vm.sh ROOT RECIPE KEYS
# What only the guest needs: a network, few units, an unprivileged user who may use sudo.
set -eu
root=$1
recipe=$2
keys=$3

install -m 644 "$recipe/rig-network.service" "$root/etc/systemd/system/rig-network.service"
chroot "$root" systemctl --quiet enable rig-network.service
chroot "$root" systemctl --quiet set-default multi-user.target
grep -v -e '^#' -e '^$' "$recipe/masked.units" | while read -r unit; do
  ln -sf /dev/null "$root/etc/systemd/system/$unit"
done
# All that they would generate is for devices and logins that the guest does not have.
install -d "$root/etc/systemd/system-generators"
for generator in "$root"/usr/lib/systemd/system-generators/*; do
  ln -s /dev/null "$root/etc/systemd/system-generators/${generator##*/}"
done

# Without PAM, sshd refuses accounts whose password is locked ("!"), but not "*".
chroot "$root" useradd --create-home --no-user-group --gid users --shell /bin/bash --password '*' operator
chroot "$root" install -d -m 700 -o operator -g users /home/operator/.ssh
install -m 644 "$keys/id_ed25519.pub" "$root/home/operator/.ssh/authorized_keys"
echo 'operator ALL=(ALL) NOPASSWD: ALL' > "$root/etc/sudoers.d/operator"
chmod 440 "$root/etc/sudoers.d/operator"

install -m 644 "$recipe/compiled_zips.py" "$root/usr/lib/python3/dist-packages/compiled_zips.py"
echo 'import compiled_zips' > "$root/usr/lib/python3/dist-packages/compiled_zips.pth"

# The name comes from the kernel command line, see machines.py.
rm -f "$root/etc/hostname"
echo 'nameserver 10.0.2.3' > "$root/etc/resolv.conf"
