// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (c) 2026, openeuler.livepatch contributors

/* A patch of five modules (see klp_part.c). PER_TASK is for mainline's ABI. */

#include <linux/livepatch.h>
#include <linux/module.h>
#include <linux/seq_file.h>

static int show_patched(struct seq_file *m, void *v)
{
	seq_puts(m, "patched\n");
	return 0;
}

static struct klp_func part1[] = { { .old_name = "klp_part1_show", .new_func = show_patched }, { } };
static struct klp_func part2[] = { { .old_name = "klp_part2_show", .new_func = show_patched }, { } };
static struct klp_func part3[] = { { .old_name = "klp_part3_show", .new_func = show_patched }, { } };
static struct klp_func part4[] = { { .old_name = "klp_part4_show", .new_func = show_patched }, { } };
static struct klp_func part5[] = { { .old_name = "klp_part5_show", .new_func = show_patched }, { } };

static struct klp_object objs[] = {
	{ .name = "klp_part1", .funcs = part1 },
	{ .name = "klp_part2", .funcs = part2 },
	{ .name = "klp_part3", .funcs = part3 },
	{ .name = "klp_part4", .funcs = part4 },
	{ .name = "klp_part5", .funcs = part5 },
	{ }
};

static struct klp_patch patch = {
	.mod = THIS_MODULE,
	.objs = objs,
};

static int parts_patch_init(void)
{
#ifdef PER_TASK
	return klp_enable_patch(&patch);
#else
	return klp_register_patch(&patch);
#endif
}

static void parts_patch_exit(void)
{
#ifndef PER_TASK
	WARN_ON(klp_unregister_patch(&patch));
#endif
}

module_init(parts_patch_init);
module_exit(parts_patch_exit);
MODULE_DESCRIPTION("Test patch of five modules");
MODULE_LICENSE("GPL");
MODULE_INFO(livepatch, "Y");
