/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026, openeuler.livepatch contributors */

/*
 * What an openEuler kernel with CONFIG_LIVEPATCH_WO_FTRACE declares in linux/livepatch.h, as far as patch modules use it,
 * with the members in the order of openEuler 6.6. It takes the place of that header in the build tree of the emulation.
 */

#ifndef _LINUX_LIVEPATCH_H_
#define _LINUX_LIVEPATCH_H_

#include <linux/kobject.h>
#include <linux/list.h>
#include <linux/module.h>
#include <linux/workqueue.h>

#define KLP_NORMAL_FORCE 0
#define KLP_ENFORCEMENT 1
#define KLP_STACK_OPTIMIZE 2

struct klp_func_node;
struct klp_object;
struct klp_patch;

struct klp_func {
	const char *old_name;
	void *new_func;
	unsigned long old_sympos;
	int force;

	void *old_func;
	struct kobject kobj;
	struct list_head node;
	struct list_head stack_node;
	unsigned long old_size, new_size;
	bool nop;
	bool patched;
	struct klp_func_node *func_node;
};

struct klp_hook {
	void (*hook)(void);
};

struct klp_callbacks {
	int (*pre_patch)(struct klp_object *obj);
	void (*post_patch)(struct klp_object *obj);
	void (*pre_unpatch)(struct klp_object *obj);
	void (*post_unpatch)(struct klp_object *obj);
	bool post_unpatch_enabled;
};

struct klp_object {
	const char *name;
	struct klp_func *funcs;
	struct klp_hook *hooks_load;
	struct klp_hook *hooks_unload;
	struct klp_callbacks callbacks;

	struct kobject kobj;
	struct list_head func_list;
	struct list_head node;
	struct module *mod;
	bool dynamic;
	bool patched;
};

struct klp_state {
	unsigned long id;
	unsigned int version;
	void *data;
};

struct klp_patch {
	struct module *mod;
	struct klp_object *objs;
	struct klp_state *states;
	bool replace;

	struct list_head list;
	struct kobject kobj;
	struct list_head obj_list;
	bool enabled;
	bool forced;
	struct work_struct free_work;
	struct completion finish;
};

int klp_register_patch(struct klp_patch *patch);
int klp_unregister_patch(struct klp_patch *patch);

#endif
