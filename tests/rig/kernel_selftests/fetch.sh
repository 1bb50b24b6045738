# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# shellcheck shell=sh
# Usage: sh fetch.sh ROOT, as a hook of mmdebstrap.
# Puts the livepatch selftests of the newest kernel source that ROOT's package manager has into ROOT/livepatch, and the
# name of that package into the file PACKAGE there.
set -eu
root=$1

packages=$(mktemp -d)
trap 'rm -rf "$packages"' EXIT
cd "$packages"
export APT_CONFIG="$MMDEBSTRAP_APT_CONFIG"
source=$(apt-cache pkgnames linux-source- | sort --version-sort | tail -n 1)
apt-get -o APT::Sandbox::User=root download "$source"
dpkg-deb --fsys-tarfile ./*.deb | tar -xO "./usr/src/$source.tar.xz" > source.tar.xz
tar -xf source.tar.xz -C "$root" --strip-components=4 "$source/tools/testing/selftests/livepatch"
basename ./*.deb .deb > "$root/livepatch/PACKAGE"
