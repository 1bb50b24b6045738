// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (c) 2026, openeuler.livepatch contributors

/*
 * Replaces the system call pause(2) by the same: a task that sleeps in the old one, or later in this one, keeps
 * a transition from ending until the kernel wakes it, which it does every 15 seconds.
 */

#include <linux/sched/signal.h>

#include "test_patch.h"

static long test_sys_pause(const struct pt_regs *regs)
{
	while (!signal_pending(current)) {
		__set_current_state(TASK_INTERRUPTIBLE);
		schedule();
	}
	return -ERESTARTNOHAND;
}

TEST_PATCH("__x64_sys_pause", test_sys_pause);
