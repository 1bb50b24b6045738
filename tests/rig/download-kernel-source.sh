# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# shellcheck shell=sh
# Usage: sh download-kernel-source.sh, in a hook of mmdebstrap.
# Puts the newest kernel source that the new root's package manager has into this directory, and prints its name.
set -eu
export APT_CONFIG="$MMDEBSTRAP_APT_CONFIG"
source=$(apt-cache pkgnames linux-source- | sort --version-sort | tail -n 1)
apt-get -o APT::Sandbox::User=root download "$source" >&2
echo "$source"
