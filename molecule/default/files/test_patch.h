/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026, openeuler.livepatch contributors */

/* What the test patches have in common: a patch of one function of the kernel. */

#include <linux/kernel.h>
#include <linux/livepatch.h>
#include <linux/module.h>
#include <linux/version.h>

#ifndef TEST_PATCH_REPLACE
#define TEST_PATCH_REPLACE false
#endif

/* Before 5.1 no patch can replace others, and each is registered before it is enabled. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(5, 1, 0)
#define SET_REPLACE .replace = TEST_PATCH_REPLACE,
#else
#define SET_REPLACE
#endif

#ifdef CONFIG_LIVEPATCH_WO_FTRACE
#define TEST_PATCH_START(patch) klp_register_patch(patch)
#define TEST_PATCH_END(patch) WARN_ON(klp_unregister_patch(patch))
#elif LINUX_VERSION_CODE >= KERNEL_VERSION(5, 1, 0)
#define TEST_PATCH_START(patch) klp_enable_patch(patch)
#define TEST_PATCH_END(patch)
#else
#define TEST_PATCH_START(patch) (klp_register_patch(patch) ?: klp_enable_patch(patch))
#define TEST_PATCH_END(patch) WARN_ON(klp_unregister_patch(patch))
#endif

#define TEST_PATCH(old, new) \
	static struct klp_func funcs[] = { { .old_name = old, .new_func = new }, { } }; \
	static struct klp_object objs[] = { { .funcs = funcs }, { } }; \
	static struct klp_patch patch = { .mod = THIS_MODULE, .objs = objs, SET_REPLACE }; \
	static int test_patch_init(void) { return TEST_PATCH_START(&patch); } \
	static void test_patch_exit(void) { TEST_PATCH_END(&patch); } \
	module_init(test_patch_init); \
	module_exit(test_patch_exit); \
	MODULE_DESCRIPTION("Test patch of " old); \
	MODULE_LICENSE("GPL"); \
	MODULE_INFO(livepatch, "Y")
