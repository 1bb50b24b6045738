// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (c) 2026, openeuler.livepatch contributors

/*
 * A module to patch: /proc/klp_target is printed by klp_target_show(), and /proc/klp_target_untraced by one that ftrace
 * cannot trace. While its parameter hold is true, a kernel thread sits in klp_target_hold().
 */

#include <linux/delay.h>
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/proc_fs.h>
#include <linux/seq_file.h>

/* GCC has it since version 8; the compiler of 4.19 is older. */
#if __has_attribute(noipa)
#define UNCHANGED __attribute__((noipa))
#else
#define UNCHANGED noinline
#endif

static bool hold;
module_param(hold, bool, 0644);
MODULE_PARM_DESC(hold, "keep the thread klp_target in klp_target_hold()");

static struct task_struct *thread;

static UNCHANGED int klp_target_show(struct seq_file *m, void *v)
{
	seq_puts(m, "target\n");
	return 0;
}

static notrace UNCHANGED int klp_target_untraced_show(struct seq_file *m, void *v)
{
	seq_puts(m, "target\n");
	return 0;
}

static UNCHANGED int klp_target_hold(void)
{
	while (READ_ONCE(hold) && !kthread_should_stop())
		msleep(20);
	return 0;
}

static int klp_target_thread(void *unused)
{
	while (!kthread_should_stop()) {
		klp_target_hold();
		msleep(20);
	}
	return 0;
}

static int __init klp_target_init(void)
{
	int answer = -ENOMEM;

	if (!proc_create_single("klp_target", 0, NULL, klp_target_show))
		return answer;
	if (!proc_create_single("klp_target_untraced", 0, NULL, klp_target_untraced_show))
		goto no_untraced;
	thread = kthread_run(klp_target_thread, NULL, "klp_target");
	if (!IS_ERR(thread))
		return 0;
	answer = PTR_ERR(thread);
	remove_proc_entry("klp_target_untraced", NULL);
no_untraced:
	remove_proc_entry("klp_target", NULL);
	return answer;
}

static void __exit klp_target_exit(void)
{
	kthread_stop(thread);
	remove_proc_entry("klp_target_untraced", NULL);
	remove_proc_entry("klp_target", NULL);
}

module_init(klp_target_init);
module_exit(klp_target_exit);
MODULE_DESCRIPTION("A module to be live-patched");
MODULE_LICENSE("GPL");
