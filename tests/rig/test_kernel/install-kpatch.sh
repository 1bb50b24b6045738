# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# shellcheck shell=sh
# Usage: sh install-kpatch.sh ROOT, as a hook of mmdebstrap.
# Puts kpatch-build into the root without the 340 packages that it depends on (among them its manual's tools).
set -eu
root=$1

packages=$(mktemp -d)
trap 'rm -rf "$packages"' EXIT
cd "$packages"
APT_CONFIG=$MMDEBSTRAP_APT_CONFIG apt-get -o APT::Sandbox::User=root download kpatch kpatch-build
for package in *.deb; do
  dpkg-deb -x "$package" "$root"
done
