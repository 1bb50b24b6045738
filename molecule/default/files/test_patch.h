/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026, openeuler.livepatch contributors */

/* What the test patches have in common: a patch of one function of the kernel. */

#include <linux/kernel.h>
#include <linux/livepatch.h>
#include <linux/module.h>

#ifndef TEST_PATCH_REPLACE
#define TEST_PATCH_REPLACE false
#endif

#define TEST_PATCH(old, new) \
	static struct klp_func funcs[] = { { .old_name = old, .new_func = new }, { } }; \
	static struct klp_object objs[] = { { .funcs = funcs }, { } }; \
	static struct klp_patch patch = { .mod = THIS_MODULE, .objs = objs, .replace = TEST_PATCH_REPLACE }; \
	static int test_patch_init(void) { return klp_enable_patch(&patch); } \
	static void test_patch_exit(void) { } \
	module_init(test_patch_init); \
	module_exit(test_patch_exit); \
	MODULE_DESCRIPTION("Test patch of " old); \
	MODULE_LICENSE("GPL"); \
	MODULE_INFO(livepatch, "Y")
