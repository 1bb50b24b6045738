// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (c) 2026, openeuler.livepatch contributors

/*
 * Patches of functions that print into a seq_file, as the macros given to the compiler say: FIRST (and SECOND) are the
 * functions, TEXT (and TEXT2) what their replacements print, OBJECT the module that they are in. REPLACE sets replace,
 * HIDDEN_REPLACE sets it only when the module is loaded, as those of kpatch-build do; SYMPOS is the position of FIRST,
 * HOOKS adds hooks that write into the kernel's log, WARNS a warning to the first function. PER_TASK is for mainline's
 * ABI. SILENT is for a function that takes nothing and returns 0; patches that are never enabled may name any function.
 * DEADLY panics when it is loaded, in the load hook if there are hooks, while kernel.panic is 1; it hangs while that is 2.
 * While its parameter sits is true, whoever calls the first function of one with SITS sleeps in it.
 * Whoever calls that of one with SPINS under the name lp_spins locks up a CPU in it until the parameter spins is false.
 * REFUSES does not let itself be loaded, SLOW takes seconds for it, PERMANENT has no exit function.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/delay.h>
#include <linux/kernel.h>
#include <linux/livepatch.h>
#include <linux/module.h>
#include <linux/preempt.h>
#include <linux/sched.h>
#include <linux/seq_file.h>
#include <linux/string.h>
#include <linux/version.h>

/* Before 5.14 panic() is in kernel.h. */
#if __has_include(<linux/panic.h>)
#include <linux/panic.h>
#endif

/* Before 5.1 no patch can replace others. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(5, 1, 0)
#define HAS_REPLACE
#endif

#define STRING_OF(x) #x
#define STRING(x) STRING_OF(x)

#ifdef SITS
static bool sits;
module_param(sits, bool, 0644);
MODULE_PARM_DESC(sits, "keep its callers in the first function");
#endif

#ifdef SPINS
static bool spins = true;
module_param(spins, bool, 0644);
MODULE_PARM_DESC(spins, "lock up the CPU of a caller named lp_spins");

static void spin(void)
{
	preempt_disable();
	while (READ_ONCE(spins))
		cpu_relax();
	preempt_enable();
}
#endif

static int show_first(struct seq_file *m, void *v)
{
#ifdef SPINS
	if (!strcmp(current->comm, "lp_spins"))
		spin();
#endif
#ifdef SITS
	while (READ_ONCE(sits))
		msleep(20);
#endif
#ifdef WARNS
	WARN_ON_ONCE(1);
#endif
#ifndef SILENT
	seq_puts(m, STRING(TEXT) "\n");
#endif
	return 0;
}

#ifdef SECOND
static int show_second(struct seq_file *m, void *v)
{
	seq_puts(m, STRING(TEXT2) "\n");
	return 0;
}
#endif

static struct klp_func funcs[] = {
	{
		.old_name = STRING(FIRST),
		.new_func = show_first,
#ifdef SYMPOS
		.old_sympos = SYMPOS,
#endif
	},
#ifdef SECOND
	{ .old_name = STRING(SECOND), .new_func = show_second },
#endif
	{ }
};

#ifdef DEADLY
static void __maybe_unused be_deadly(void)
{
	if (panic_timeout == 1)
		panic("deadly live patch");
	if (panic_timeout == 2) {
		pr_emerg("hangs\n");
		ssleep(3600);
	}
}
#else
static void __maybe_unused be_deadly(void)
{
}
#endif

#ifdef HOOKS
static void loaded(void)
{
	pr_info("load hook\n");
	be_deadly();
}

static void unloaded(void)
{
	pr_info("unload hook\n");
}

static struct klp_hook hooks_load[] = { { .hook = loaded }, { } };
static struct klp_hook hooks_unload[] = { { .hook = unloaded }, { } };
#endif

#ifdef REFUSES
static int refused = -ENODEV;

static int __maybe_unused refuse(struct klp_object *obj)
{
	return refused;
}
#endif

static struct klp_object objs[] = {
	{
#ifdef OBJECT
		.name = STRING(OBJECT),
#endif
		.funcs = funcs,
#ifdef HOOKS
		.hooks_load = hooks_load,
		.hooks_unload = hooks_unload,
#endif
#if defined(REFUSES) && defined(PER_TASK)
		.callbacks.pre_patch = refuse,
#endif
	}, { }
};

static struct klp_patch patch = {
	.mod = THIS_MODULE,
	.objs = objs,
#if defined(REPLACE) && defined(HAS_REPLACE)
	.replace = true,
#endif
};

static int show_patch_init(void)
{
#if defined(HIDDEN_REPLACE) && defined(HAS_REPLACE)
	patch.replace = true;
#endif
#ifdef SLOW
	ssleep(3);
#endif
#ifdef PER_TASK
	be_deadly();
	return klp_enable_patch(&patch);
#elif defined(REFUSES)
	return READ_ONCE(refused) ?: klp_register_patch(&patch);
#else
	return klp_register_patch(&patch);
#endif
}

static void __maybe_unused show_patch_exit(void)
{
#ifndef PER_TASK
	WARN_ON(klp_unregister_patch(&patch));
#endif
}

module_init(show_patch_init);
#ifndef PERMANENT
module_exit(show_patch_exit);
#endif
MODULE_DESCRIPTION("Test patch of " STRING(FIRST));
MODULE_LICENSE("GPL");
MODULE_INFO(livepatch, "Y");
