// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026, openeuler.livepatch contributors */

/* A module that is not in the kernel's source. greeting.c is compiled once, and its source removed. */

#include <linux/module.h>
#include <linux/proc_fs.h>
#include <linux/seq_file.h>

const char *greeting(void);

static int hello_show(struct seq_file *m, void *v)
{
	seq_printf(m, "%s, kernel\n", greeting());
	return 0;
}

static int __init hello_init(void)
{
	return proc_create_single("hello", 0, NULL, hello_show) ? 0 : -ENOMEM;
}

static void __exit hello_exit(void)
{
	remove_proc_entry("hello", NULL);
}

module_init(hello_init);
module_exit(hello_exit);
MODULE_DESCRIPTION("Says hello in /proc/hello");
MODULE_LICENSE("GPL");
