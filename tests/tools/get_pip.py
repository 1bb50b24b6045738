# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Stand-in for get-pip.py: gives a virtual environment pip from the interpreter's own ensurepip.

ansible-test looks for get-pip.py in its cache and otherwise downloads it from a server that is no package registry.
runner.py puts this file there if the cache has none. Runs on every Python that ansible-test tests with.
"""

from __future__ import annotations

import subprocess
import sys

# These two options are get-pip's own: pip does not know them.
options = [option for option in sys.argv[1:] if option not in ("--no-setuptools", "--no-wheel")]

subprocess.check_call([sys.executable, "-m", "ensurepip"], stdout=subprocess.DEVNULL)
sys.exit(subprocess.call([sys.executable, "-m", "pip", "install", *options]))
