# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# shellcheck shell=sh
# Usage: sh fetch.sh ROOT, as a hook of mmdebstrap.
# Puts the livepatch selftests of the newest kernel source that ROOT's package manager has into ROOT/livepatch, and the
# name of that package into the file PACKAGE there.
set -eu
root=$1
download=$(realpath "$(dirname "$0")/../download-kernel-source.sh")

packages=$(mktemp -d)
trap 'rm -rf "$packages"' EXIT
cd "$packages"
source=$(sh "$download")
dpkg-deb --fsys-tarfile ./*.deb | tar -xO "./usr/src/$source.tar.xz" > source.tar.xz
tar -xf source.tar.xz -C "$root" --strip-components=4 "$source/tools/testing/selftests/livepatch"
basename ./*.deb .deb > "$root/livepatch/PACKAGE"
