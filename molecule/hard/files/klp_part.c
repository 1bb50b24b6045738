// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (c) 2026, openeuler.livepatch contributors

/*
 * One of several modules to patch: PART is its number, 1 for klp_part1. /proc/klp_part1 is printed by klp_part1_show().
 * While its parameter nap is true, whoever reads that sleeps there, and no signal wakes him.
 */

#include <linux/delay.h>
#include <linux/module.h>
#include <linux/proc_fs.h>
#include <linux/seq_file.h>

/* GCC has it since version 8; the compiler of 4.19 is older. */
#if __has_attribute(noipa)
#define UNCHANGED __attribute__((noipa))
#else
#define UNCHANGED noinline
#endif

#define JOIN_(part, end) klp_part##part##end
#define JOIN(part, end) JOIN_(part, end)
#define STRING_OF(x) #x
#define STRING(x) STRING_OF(x)
#define NAME STRING(JOIN(PART, ))

static bool nap;
module_param(nap, bool, 0644);
MODULE_PARM_DESC(nap, "let readers sleep");

static UNCHANGED int JOIN(PART, _show)(struct seq_file *m, void *v)
{
	while (READ_ONCE(nap))
		msleep(20);
	seq_puts(m, "part\n");
	return 0;
}

static int __init part_init(void)
{
	return proc_create_single(NAME, 0, NULL, JOIN(PART, _show)) ? 0 : -ENOMEM;
}

static void __exit part_exit(void)
{
	remove_proc_entry(NAME, NULL);
}

module_init(part_init);
module_exit(part_exit);
MODULE_DESCRIPTION("A module to be live-patched, one of several");
MODULE_LICENSE("GPL");
