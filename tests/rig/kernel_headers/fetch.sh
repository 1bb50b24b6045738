# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# shellcheck shell=sh
# Usage: sh fetch.sh ROOT, as a hook of mmdebstrap.
# Puts the headers of the newest cloud kernel that ROOT's package manager has, and the programs that build with them,
# into ROOT/usr/src and ROOT/usr/lib. Nothing else of the packages is taken: ROOT is laid over a root with a compiler.
set -eu
root=$1

packages=$(mktemp -d)
trap 'rm -rf "$packages"' EXIT
cd "$packages"
export APT_CONFIG="$MMDEBSTRAP_APT_CONFIG"
apt-cache depends --recurse --important linux-headers-cloud-amd64 |
  sed -n '/^linux-\(headers\|kbuild\)-[0-9]/p' | sort --unique > names
xargs apt-get -o APT::Sandbox::User=root download < names
for package in ./*.deb; do
  dpkg-deb --extract "$package" unpacked
done
mkdir -p "$root/usr/src" "$root/usr/lib"
cp -a unpacked/usr/src/. "$root/usr/src/"
cp -a unpacked/usr/lib/linux-kbuild-* "$root/usr/lib/"
