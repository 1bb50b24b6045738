# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# shellcheck shell=sh
# Usage: sh install-source.sh ROOT, as a hook of mmdebstrap.
# Puts the newest kernel source that ROOT's package manager has into the root.
set -eu
root=$1
download=$(realpath "$(dirname "$0")/../download-kernel-source.sh")

packages=$(mktemp -d)
trap 'rm -rf "$packages"' EXIT
cd "$packages"
sh "$download"
dpkg-deb -x ./*.deb "$root"
