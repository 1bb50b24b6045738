# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# shellcheck shell=sh
# Usage: sh customize-stand-in.sh ROOT RECIPE KEYS
# What makes the guest's root a stand-in for an openEuler image: its password, its ABI by emulation, a label.
set -eu
root=$1
recipe=$2

release=$(ls "$root/lib/modules")

# As openEuler's images: root logs in with the published password, and has no keys.
echo 'root:openEuler12#$' | chroot "$root" chpasswd
printf 'PermitRootLogin yes\nPasswordAuthentication yes\n' > "$root/etc/ssh/sshd_config.d/00-stand-in.conf"
rm -rf "$root/root/.ssh" "$root"/etc/ssh/ssh_host_*
chroot "$root" ssh-keygen -A

# The emulation runs from the start, and its build tree is the kernel's.
cp -r "$recipe/../stop_machine" "$root/srv/stop_machine"
chroot "$root" sh -c "cd /srv/stop_machine && sh build.sh $release"
install -D -m 644 -t "$root/lib/modules/$release/updates" "$root/srv/stop_machine/klp_stop_machine_emulation.ko"
chroot "$root" depmod "$release"
ln -sfn "/usr/src/linux-headers-$release-stop-machine-emulation" "$root/lib/modules/$release/build"
cat "$recipe/../stop_machine/options.config" >> "$root/boot/config-$release"
cat > "$root/etc/systemd/system/klp-stop-machine-emulation.service" <<'UNIT'
[Unit]
Description=Emulation of openEuler's live patching (this is no openEuler)
DefaultDependencies=no

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=modprobe klp_stop_machine_emulation

[Install]
WantedBy=multi-user.target
UNIT
chroot "$root" systemctl --quiet enable klp-stop-machine-emulation.service

echo 'A stand-in for an openEuler image: Debian with an emulation, for tests.' | tee "$root/etc/issue" > "$root/etc/stand-in"
echo openeuler-stand-in > "$root/etc/hostname"

printf '%s\n' virtio_pci virtio_blk ext4 > "$root/etc/initramfs-tools/modules"
echo 'MODULES=list' > "$root/etc/initramfs-tools/conf.d/stand-in"
chroot "$root" update-initramfs -u -k "$release"
