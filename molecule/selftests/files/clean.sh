# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# shellcheck shell=sh
# Usage: sh clean.sh DIRECTORY
# Takes out what a test of the suite that went wrong may have left.
cd "$1" || exit
[ ! -e pids ] || tr ',' ' ' < pids | xargs kill
rm -f pids
echo 1 > /proc/sys/kernel/ftrace_enabled
echo nop > /sys/kernel/tracing/current_tracer
echo > /sys/kernel/tracing/set_ftrace_filter
for patch in /sys/kernel/livepatch/*; do
  echo 0 > "$patch/enabled"
done
for try in 1 2 3 4 5 6 7 8 9 10; do
  modules=$(awk '/^test_klp_/ {print $1}' /proc/modules)
  [ -n "$modules" ] || exit 0
  for module in $modules; do
    rmmod "$module"
  done
  sleep "$try"
done
exit 1
