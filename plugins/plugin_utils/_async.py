# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""Where the results of asynchronous jobs are on a host."""

from __future__ import annotations

from ansible.plugins.action import ActionBase


def fix_async_dir(action: ActionBase) -> None:
    """Make the directory of the connection's jobs an absolute one, before the job of an asynchronous task begins.

    Otherwise the job takes `~` for its HOME, which `environment` may set, and whoever waits for it for the user's
    home: the result is not found.
    """
    if not action._task.async_val:
        return
    shell = action._connection._shell
    directory = action.get_shell_option("async_dir", default="~/.ansible_async")
    shell.set_option("async_dir", action._remote_expand_user(directory))
