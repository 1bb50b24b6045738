// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (c) 2026, openeuler.livepatch contributors

/*
 * A patch of the system call getppid(2), which does what the kernel does, and counts in its parameter calls. PER_TASK is
 * for mainline's ABI.
 */

#include <linux/livepatch.h>
#include <linux/module.h>
#include <linux/pid.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>

static unsigned int calls;
module_param(calls, uint, 0444);
MODULE_PARM_DESC(calls, "how often the system call was made, about");

static asmlinkage long patched_getppid(const struct pt_regs *regs)
{
	long pid;

	WRITE_ONCE(calls, READ_ONCE(calls) + 1);
	rcu_read_lock();
	pid = task_tgid_vnr(rcu_dereference(current->real_parent));
	rcu_read_unlock();
	return pid;
}

static struct klp_func funcs[] = { { .old_name = "__x64_sys_getppid", .new_func = patched_getppid }, { } };
static struct klp_object objs[] = { { .funcs = funcs }, { } };

static struct klp_patch patch = {
	.mod = THIS_MODULE,
	.objs = objs,
};

static int call_patch_init(void)
{
#ifdef PER_TASK
	return klp_enable_patch(&patch);
#else
	return klp_register_patch(&patch);
#endif
}

static void call_patch_exit(void)
{
#ifndef PER_TASK
	WARN_ON(klp_unregister_patch(&patch));
#endif
}

module_init(call_patch_init);
module_exit(call_patch_exit);
MODULE_DESCRIPTION("Test patch of a system call");
MODULE_LICENSE("GPL");
MODULE_INFO(livepatch, "Y");
