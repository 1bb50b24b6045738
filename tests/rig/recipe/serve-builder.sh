# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# shellcheck shell=sh
# Usage: sh serve-builder.sh ROOT SCRATCH PORT KEYS [KEPT]
# Runs in namespaces of its own (see processes.py): when it ends, all its mounts and processes are gone.
# The root is never written to: an overlay over it takes what one instance does.
# Only what is written to /var/cache/livepatch_build lasts, in the directory KEPT.
set -eu
root=$1
scratch=$2
port=$3
keys=$4
kept=${5:-}

mkdir -p "$scratch/upper" "$scratch/work" "$scratch/merged"
mount -t overlay -o "lowerdir=$root,upperdir=$scratch/upper,workdir=$scratch/work" overlay "$scratch/merged"
cd "$scratch/merged"
mount -t proc proc proc
mount -t sysfs -o ro sysfs sys
mount -t tmpfs -o mode=1777 tmpfs tmp
mount -t tmpfs -o mode=755 tmpfs run
mount -t tmpfs -o mode=755 tmpfs dev
mkdir -p run/sshd dev/pts dev/shm
mount -t devpts -o newinstance,ptmxmode=0666,mode=620,gid=5 devpts dev/pts
mount -t tmpfs -o mode=1777 tmpfs dev/shm
for device in null zero full random urandom tty; do
  touch "dev/$device"
  mount --bind "/dev/$device" "dev/$device"
done
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
ln -s /proc/self/fd/0 dev/stdin
ln -s /proc/self/fd/1 dev/stdout
ln -s /proc/self/fd/2 dev/stderr

if [ -n "$kept" ]; then
  mkdir -p var/cache/livepatch_build
  mount --bind "$kept" var/cache/livepatch_build
fi

install -m 600 "$keys/ssh_host_ed25519_key" etc/ssh/ssh_host_ed25519_key
install -m 600 "$keys/id_ed25519.pub" root/.ssh/authorized_keys
hostname builder
echo builder > etc/hostname
exec chroot . /usr/sbin/sshd -D -e -p "$port" -o ListenAddress=127.0.0.1
