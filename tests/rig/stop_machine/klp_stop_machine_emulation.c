// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (c) 2026, openeuler.livepatch contributors

/*
 * An emulation of openEuler's live patching without ftrace (CONFIG_LIVEPATCH_WO_FTRACE) as a module for a mainline
 * kernel, for tests. It changes running kernel text for real; it is not for production, and not openEuler's code.
 * See README.md for what it does like openEuler, and what it does not do.
 */

#define pr_fmt(fmt) "livepatch: " fmt

#include <linux/cpu.h>
#include <linux/ftrace.h>
#include <linux/kallsyms.h>
#include <linux/kprobes.h>
#include <linux/livepatch.h>
#include <linux/proc_fs.h>
#include <linux/sched/signal.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/stacktrace.h>
#include <linux/stop_machine.h>

#define STACK_ENTRIES 100
#define SEPARATOR "-----------------------------------------------\n"

static bool stack;
module_param(stack, bool, 0444);
MODULE_PARM_DESC(stack, "behave as with CONFIG_LIVEPATCH_STACK (openEuler ships kernels without it)");

static int busy_errno = EAGAIN;
module_param(busy_errno, int, 0644);
MODULE_PARM_DESC(busy_errno, "errno of a function on some stack: 11 (EAGAIN), or 16 (EBUSY) as on openEuler 22.03 GA");

static bool accept_replace;
module_param(accept_replace, bool, 0644);
MODULE_PARM_DESC(accept_replace, "register patches with replace, as 5.10 does; they cannot be enabled here");

static bool isolate;
module_param(isolate, bool, 0644);
MODULE_PARM_DESC(isolate, "behave as with CONFIG_LIVEPATCH_ISOLATE_KPROBE: patch behind what ftrace has at the entry");

/* Nothing of this is exported to modules: found by name at start. */
static struct {
	unsigned long (*kallsyms_lookup_name)(const char *name);
	int (*kallsyms_lookup_size_offset)(unsigned long addr, unsigned long *size, unsigned long *offset);
	int (*kallsyms_on_each_match_symbol)(int (*fn)(void *, unsigned long), const char *name, void *data);
	int (*module_kallsyms_on_each_symbol)(const char *modname, int (*fn)(void *, const char *, unsigned long),
					      void *data);
	struct module *(*find_module)(const char *name);
	struct kprobe *(*get_kprobe)(void *addr);
	unsigned long (*ftrace_location)(unsigned long ip);
	int (*stop_machine_cpuslocked)(int (*fn)(void *), void *data, const struct cpumask *cpus);
	struct task_struct *(*idle_task)(int cpu);
	struct mutex *text_mutex;
	struct kobject **klp_root_kobj;
} kernel;

static unsigned long symbol_address(const char *name)
{
	unsigned long address = kernel.kallsyms_lookup_name(name);

	if (!address)
		pr_err("emulation: this kernel has no %s\n", name);
	return address;
}

#define FIND(table, member) \
	({ \
		(table).member = (void *)symbol_address(#member); \
		(table).member != NULL; \
	})

#if defined(CONFIG_X86_64)
#include "emulation_x86.h"
#elif defined(CONFIG_ARM64)
#include "emulation_arm64.h"
#else
#error "only openEuler's x86_64 and arm64 are emulated"
#endif

/* The active versions of one function, the newest first, the place of the jump, and the bytes that it has replaced. */
struct klp_func_node {
	struct list_head node;
	struct list_head func_stack;
	void *old_func;
	u8 *place;
	u8 saved[REPLACED_BYTES];
};

static DEFINE_MUTEX(klp_mutex);
static LIST_HEAD(klp_patches);
static LIST_HEAD(klp_func_nodes);
static struct proc_dir_entry *proc_livepatch;

#define for_each_object(patch, obj) for (obj = (patch)->objs; obj->funcs || obj->name; obj++)
#define for_each_func(obj, func) \
	for (func = (obj)->funcs; func && (func->old_name || func->new_func || func->old_sympos); func++)

/* ---- symbols ---- */

struct symbol_search {
	const char *name;
	unsigned long address;
	unsigned long count;
	unsigned long position;
};

static int count_symbol(void *data, unsigned long address)
{
	struct symbol_search *search = data;

	search->count++;
	if (search->position == 0 || search->count == search->position)
		search->address = address;
	/* One more than the wanted position, or than one, is not needed. */
	return search->position ? search->count == search->position : search->count > 1;
}

static int count_module_symbol(void *data, const char *name, unsigned long address)
{
	struct symbol_search *search = data;

	return strcmp(name, search->name) ? 0 : count_symbol(data, address);
}

static int find_symbol(const char *object, const char *name, unsigned long position, void **address)
{
	struct symbol_search search = { .name = name, .position = position };

	if (object)
		kernel.module_kallsyms_on_each_symbol(object, count_module_symbol, &search);
	else
		kernel.kallsyms_on_each_match_symbol(count_symbol, name, &search);

	if (search.count == 0) {
		pr_err("symbol '%s' not found in symbol table\n", name);
		return -EINVAL;
	}
	if (position == 0 && search.count > 1) {
		pr_err("unresolvable ambiguity for symbol '%s' in object '%s'\n", name, object);
		return -EINVAL;
	}
	if (position > search.count) {
		pr_err("symbol position %lu for symbol '%s' in object '%s' not found\n", position, name,
		       object ? object : "vmlinux");
		return -EINVAL;
	}
	*address = (void *)search.address;
	return 0;
}

/* ---- changing text ---- */

static struct klp_func_node *find_node(void *old_func)
{
	struct klp_func_node *node;

	list_for_each_entry(node, &klp_func_nodes, node)
		if (node->old_func == old_func)
			return node;
	return NULL;
}

static struct klp_func *live_func(struct klp_func_node *node)
{
	return list_first_entry_or_null(&node->func_stack, struct klp_func, stack_node);
}

/* Where the jump comes to stand in a function. A function that ftrace cannot trace has no site at its entry. */
static u8 *place_of_jump(void *old_func)
{
	unsigned long site = isolate ? kernel.ftrace_location((unsigned long)old_func) : 0;

	return site ? (u8 *)site + MCOUNT_INSN_SIZE : old_func;
}

static void lead_to_live_func(struct klp_func_node *node)
{
	struct klp_func *live = live_func(node);

	if (live)
		write_jump(node->place, live->new_func);
	else
		write_back(node->place, node->saved);
}

static void patch_func(struct klp_func *func)
{
	list_add(&func->stack_node, &func->func_node->func_stack);
	func->patched = true;
	lead_to_live_func(func->func_node);
}

static void unpatch_func(struct klp_func *func)
{
	bool was_live = live_func(func->func_node) == func;

	list_del(&func->stack_node);
	func->patched = false;
	if (was_live)
		lead_to_live_func(func->func_node);
}

/* ---- may it be changed now ---- */

static bool is_probed(void *address)
{
	bool probed;

	preempt_disable();
	probed = kernel.get_kprobe(address) != NULL;
	preempt_enable();
	return probed;
}

static int check_kprobes(struct klp_patch *patch)
{
	struct klp_object *obj;
	struct klp_func *func;
	u8 *at;

	for_each_object(patch, obj) {
		for_each_func(obj, func) {
			for (at = place_of_jump(func->old_func); at < (u8 *)func->old_func + func->old_size; at++) {
				if (!is_probed(at))
					continue;
				pr_err("func %s has been probed, (un)patch failed\n", func->old_name);
				return -EINVAL;
			}
		}
	}
	return 0;
}

/* The code of this function that some task may be in: what is live before the patch, or the patch's own. */
static void code_in_use(struct klp_func *func, bool enabling, unsigned long *address, unsigned long *size)
{
	struct klp_func_node *node = find_node(func->old_func);
	struct klp_func *live = node ? live_func(node) : NULL;

	if (!enabling)
		live = func;
	*address = live ? (unsigned long)live->new_func : (unsigned long)func->old_func;
	*size = live ? live->new_size : func->old_size;
}

static struct klp_func *func_on_stack(struct klp_patch *patch, bool enabling, unsigned long *entries, int count)
{
	unsigned long address, size;
	struct klp_object *obj;
	struct klp_func *func;
	int i;

	for_each_object(patch, obj) {
		for_each_func(obj, func) {
			if (enabling && func->force == KLP_ENFORCEMENT)
				continue;
			code_in_use(func, enabling, &address, &size);
			for (i = 0; i < count; i++)
				if (entries[i] >= address && entries[i] < address + size)
					return func;
		}
	}
	return NULL;
}

static int check_task(struct klp_patch *patch, bool enabling, struct task_struct *task)
{
	static unsigned long entries[STACK_ENTRIES];
	struct klp_func *func;
	int count;

	/* These tasks run the stop itself. */
	if (!strncmp(task->comm, "migration/", 10))
		return 0;
	count = save_stack(task, entries, ARRAY_SIZE(entries));
	if (count < 0)
		return count;
	func = func_on_stack(patch, enabling, entries, count);
	if (!func)
		return 0;
	pr_warn("func %s is in use!\n", func->old_name);
	print_task(task, entries, count, -busy_errno);
	return -busy_errno;
}

static int check_stacks(struct klp_patch *patch, bool enabling)
{
	struct task_struct *process, *task;
	unsigned int cpu;
	int ret;

	for_each_process_thread(process, task) {
		ret = check_task(patch, enabling, task);
		if (ret)
			return ret;
	}
	for_each_online_cpu(cpu) {
		ret = check_task(patch, enabling, kernel.idle_task(cpu));
		if (ret)
			return ret;
	}
	return 0;
}

/* ---- enabling and disabling ---- */

struct change {
	struct klp_patch *patch;
	bool enabling;
};

/* Runs on one CPU while all others wait with interrupts off. */
static int change_stopped(void *data)
{
	struct change *change = data;
	struct klp_object *obj;
	struct klp_func *func;
	int ret;

	ret = check_stacks(change->patch, change->enabling);
	if (ret)
		return ret;
	pr_notice("%s patch '%s'\n", change->enabling ? "enabling" : "disabling", change->patch->mod->name);
	for_each_object(change->patch, obj) {
		for_each_func(obj, func) {
			if (change->enabling)
				patch_func(func);
			else
				unpatch_func(func);
		}
		obj->patched = change->enabling;
	}
	return 0;
}

static int change_patch(struct klp_patch *patch, bool enabling)
{
	struct change change = { .patch = patch, .enabling = enabling };
	int ret;

	ret = check_kprobes(patch);
	if (ret)
		return ret;
	cpus_read_lock();
	mutex_lock(kernel.text_mutex);
	ret = change_in_stopped_machine(change_stopped, &change);
	mutex_unlock(kernel.text_mutex);
	cpus_read_unlock();
	return ret;
}

static void drop_nodes(struct klp_patch *patch)
{
	struct klp_func_node *node, *next;
	struct klp_object *obj;
	struct klp_func *func;

	for_each_object(patch, obj)
		for_each_func(obj, func)
			if (!func->patched)
				func->func_node = NULL;
	list_for_each_entry_safe(node, next, &klp_func_nodes, node) {
		if (list_empty(&node->func_stack)) {
			list_del(&node->node);
			kfree(node);
		}
	}
}

static int make_nodes(struct klp_patch *patch)
{
	struct klp_object *obj;
	struct klp_func *func;

	for_each_object(patch, obj) {
		for_each_func(obj, func) {
			struct klp_func_node *node = find_node(func->old_func);

			if (!node) {
				node = kzalloc(sizeof(*node), GFP_KERNEL);
				if (!node) {
					pr_err("alloc func_node failed\n");
					return -ENOMEM;
				}
				INIT_LIST_HEAD(&node->func_stack);
				node->old_func = func->old_func;
				node->place = place_of_jump(func->old_func);
				memcpy(node->saved, node->place, REPLACED_BYTES);
				list_add(&node->node, &klp_func_nodes);
			}
			func->func_node = node;
		}
	}
	return 0;
}

static int enable_patch(struct klp_patch *patch)
{
	int ret;

	if (stack && patch->list.prev != &klp_patches && !list_prev_entry(patch, list)->enabled) {
		pr_err("only the first disabled patch can be enabled\n");
		return -EBUSY;
	}
	if (patch->replace) {
		pr_err("emulation: openEuler 5.10 would enable '%s' and hang CPUs, this refuses\n", patch->mod->name);
		return -EPERM;
	}
	pr_notice_once("tainting kernel with TAINT_LIVEPATCH\n");
	add_taint(TAINT_LIVEPATCH, LOCKDEP_STILL_OK);
	if (!try_module_get(patch->mod))
		return -ENODEV;
	ret = make_nodes(patch);
	if (!ret)
		ret = change_patch(patch, true);
	if (ret) {
		drop_nodes(patch);
		module_put(patch->mod);
		return ret;
	}
	patch->enabled = true;
	if (!stack)
		list_move_tail(&patch->list, &klp_patches);
	return 0;
}

static int disable_patch(struct klp_patch *patch)
{
	int ret;

	if (stack && !list_is_last(&patch->list, &klp_patches) && list_next_entry(patch, list)->enabled) {
		pr_err("only the last enabled patch can be disabled\n");
		return -EBUSY;
	}
	ret = change_patch(patch, false);
	if (ret)
		return ret;
	patch->enabled = false;
	drop_nodes(patch);
	module_put(patch->mod);
	return 0;
}

/* ---- sysfs ---- */

static bool is_registered(struct klp_patch *patch)
{
	struct klp_patch *other;

	list_for_each_entry(other, &klp_patches, list)
		if (other == patch)
			return true;
	return false;
}

static ssize_t enabled_store(struct kobject *kobj, struct kobj_attribute *attr, const char *buf, size_t count)
{
	struct klp_patch *patch = container_of(kobj, struct klp_patch, kobj);
	bool enabling;
	int ret;

	ret = kstrtobool(buf, &enabling);
	if (ret)
		return ret;
	mutex_lock(&klp_mutex);
	if (!is_registered(patch) || patch->enabled == enabling)
		ret = -EINVAL;
	else
		ret = enabling ? enable_patch(patch) : disable_patch(patch);
	mutex_unlock(&klp_mutex);
	return ret ? ret : count;
}

static ssize_t enabled_show(struct kobject *kobj, struct kobj_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%d\n", container_of(kobj, struct klp_patch, kobj)->enabled);
}

static struct kobj_attribute enabled_attribute = __ATTR(enabled, 0644, enabled_show, enabled_store);
static struct attribute *patch_attrs[] = { &enabled_attribute.attr, NULL };
ATTRIBUTE_GROUPS(patch);

static void release_patch(struct kobject *kobj)
{
	complete(&container_of(kobj, struct klp_patch, kobj)->finish);
}

static void release_nothing(struct kobject *kobj)
{
	/* The memory is the patch module's, which stays until its patch is released. */
}

static const struct kobj_type patch_type = {
	.release = release_patch,
	.sysfs_ops = &kobj_sysfs_ops,
	.default_groups = patch_groups,
};

static const struct kobj_type member_type = {
	.release = release_nothing,
	.sysfs_ops = &kobj_sysfs_ops,
};

/* A function of another patch, which 5.10 adds to a patch with replace. */
struct added_func {
	struct list_head node;
	struct kobject *kobj;
};

static int add_func_of_other(struct klp_object *obj, struct klp_func *func)
{
	struct added_func *added = kzalloc(sizeof(*added), GFP_KERNEL);

	if (!added)
		return -ENOMEM;
	added->kobj = kobject_create_and_add(kobject_name(&func->kobj), &obj->kobj);
	if (!added->kobj) {
		kfree(added);
		return -ENOMEM;
	}
	list_add_tail(&added->node, &obj->func_list);
	return 0;
}

static bool is_added(struct klp_object *obj, const char *name)
{
	struct added_func *added;

	list_for_each_entry(added, &obj->func_list, node)
		if (!strcmp(kobject_name(added->kobj), name))
			return true;
	return false;
}

static void remove_added_funcs(struct klp_object *obj)
{
	struct added_func *added, *next;

	list_for_each_entry_safe(added, next, &obj->func_list, node) {
		kobject_put(added->kobj);
		kfree(added);
	}
}

static int add_funcs_of_others(struct klp_patch *patch, struct klp_object *obj)
{
	struct klp_patch *other;
	struct klp_object *other_obj;
	struct klp_func *func, *own;
	bool found;
	int ret;

	list_for_each_entry(other, &klp_patches, list) {
		for_each_object(other, other_obj) {
			if (strcmp(other_obj->name ?: "vmlinux", obj->name ?: "vmlinux"))
				continue;
			for_each_func(other_obj, func) {
				found = is_added(obj, kobject_name(&func->kobj));
				for_each_func(obj, own)
					found |= own->old_func == func->old_func;
				ret = found ? 0 : add_func_of_other(obj, func);
				if (ret)
					return ret;
			}
		}
	}
	return 0;
}

/* ---- registering ---- */

static int init_func(struct klp_object *obj, struct klp_func *func)
{
	unsigned long limit;
	int ret;

	if (!func->old_name || !strlen(func->old_name)) {
		pr_err("old name is invalid\n");
		return -EINVAL;
	}
	if (!func->new_func) {
		pr_err("new_func is invalid\n");
		return -EINVAL;
	}
	if (strlen(func->old_name) >= KSYM_NAME_LEN) {
		pr_err("function old name is too long\n");
		return -EINVAL;
	}
	func->patched = false;
	ret = find_symbol(obj->name, func->old_name, func->old_sympos, &func->old_func);
	if (ret)
		return ret;
	if (!kernel.kallsyms_lookup_size_offset((unsigned long)func->old_func, &func->old_size, NULL)) {
		pr_err("kallsyms size lookup failed for '%s'\n", func->old_name);
		return -ENOENT;
	}
	limit = place_of_jump(func->old_func) - (u8 *)func->old_func + REPLACED_BYTES;
	if (func->old_size < limit) {
		pr_err("%s size less than limit (%lu < %lu)\n", func->old_name, func->old_size, limit);
		return -EINVAL;
	}
	if (!kernel.kallsyms_lookup_size_offset((unsigned long)func->new_func, &func->new_size, NULL)) {
		pr_err("kallsyms size lookup failed for '%s' replacement\n", func->old_name);
		return -ENOENT;
	}
	return 0;
}

static int add_func(struct klp_object *obj, struct klp_func *func)
{
	return kobject_init_and_add(&func->kobj, &member_type, &obj->kobj, "%s,%lu", func->old_name,
				    func->old_sympos ? func->old_sympos : 1);
}

static int pin_target(struct klp_object *obj)
{
	struct module *mod;
	int ret = 0;

	if (!obj->name)
		return 0;
	rcu_read_lock_sched();
	mod = kernel.find_module(obj->name);
	if (!mod) {
		pr_err("module '%s' not loaded\n", obj->name);
		ret = -ENOPKG;
	} else if (mod->state != MODULE_STATE_LIVE || !try_module_get(mod)) {
		ret = -EINVAL;
	} else {
		obj->mod = mod;
	}
	rcu_read_unlock_sched();
	return ret;
}

static int init_object(struct klp_patch *patch, struct klp_object *obj)
{
	struct klp_func *func;
	int ret;

	if (!obj->funcs)
		return -EINVAL;
	if (obj->name && strlen(obj->name) >= MODULE_NAME_LEN) {
		pr_err("obj name is too long\n");
		return -EINVAL;
	}
	obj->patched = false;
	INIT_LIST_HEAD(&obj->func_list);
	ret = pin_target(obj);
	if (ret)
		return ret;
	ret = kobject_init_and_add(&obj->kobj, &member_type, &patch->kobj, "%s", obj->name ?: "vmlinux");
	if (ret)
		return ret;
	for_each_func(obj, func) {
		ret = init_func(obj, func);
		if (!ret)
			ret = add_func(obj, func);
		if (ret)
			return ret;
	}
	return patch->replace ? add_funcs_of_others(patch, obj) : 0;
}

static void run_hooks(struct klp_hook *hooks)
{
	for (; hooks && hooks->hook; hooks++)
		hooks->hook();
}

/* Takes the patch's whole directory away and waits until nobody is in it. Not under klp_mutex: a writer may be. */
static void remove_patch(struct klp_patch *patch)
{
	struct klp_object *obj;
	struct klp_func *func;

	for_each_object(patch, obj) {
		for_each_func(obj, func) {
			if (func->kobj.state_initialized)
				kobject_put(&func->kobj);
		}
		if (obj->kobj.state_initialized) {
			remove_added_funcs(obj);
			kobject_put(&obj->kobj);
		}
		if (obj->mod)
			module_put(obj->mod);
		obj->mod = NULL;
	}
	kobject_put(&patch->kobj);
	wait_for_completion(&patch->finish);
}

static int init_patch(struct klp_patch *patch)
{
	struct klp_object *obj;
	int ret;

	if (patch->replace && !accept_replace) {
		pr_err("Replacing is not supported\n");
		return -EINVAL;
	}
	patch->enabled = false;
	init_completion(&patch->finish);
	INIT_LIST_HEAD(&patch->list);
	ret = kobject_init_and_add(&patch->kobj, &patch_type, *kernel.klp_root_kobj, "%s", patch->mod->name);
	if (ret)
		return ret;
	for_each_object(patch, obj) {
		ret = init_object(patch, obj);
		if (ret)
			return ret;
	}
	for_each_object(patch, obj)
		run_hooks(obj->hooks_load);
	list_add_tail(&patch->list, &klp_patches);
	return 0;
}

int klp_register_patch(struct klp_patch *patch)
{
	int ret;

	if (!patch || !patch->mod || !patch->objs)
		return -EINVAL;
	if (!is_livepatch_module(patch->mod)) {
		pr_err("module %s is not marked as a livepatch module\n", patch->mod->name);
		return -EINVAL;
	}
	mutex_lock(&klp_mutex);
	if (is_registered(patch)) {
		mutex_unlock(&klp_mutex);
		return -EINVAL;
	}
	ret = init_patch(patch);
	mutex_unlock(&klp_mutex);
	if (ret && patch->kobj.state_initialized)
		remove_patch(patch);
	return ret;
}
EXPORT_SYMBOL_GPL(klp_register_patch);

int klp_unregister_patch(struct klp_patch *patch)
{
	struct klp_object *obj;
	int ret = 0;

	mutex_lock(&klp_mutex);
	if (!is_registered(patch))
		ret = -EINVAL;
	else if (patch->enabled)
		ret = -EBUSY;
	else
		list_del_init(&patch->list);
	mutex_unlock(&klp_mutex);
	if (ret)
		return ret;
	for_each_object(patch, obj)
		run_hooks(obj->hooks_unload);
	remove_patch(patch);
	return 0;
}
EXPORT_SYMBOL_GPL(klp_unregister_patch);

/* ---- /proc/livepatch/state ---- */

static int show_state(struct seq_file *file, void *unused)
{
	struct klp_patch *patch;
	int index = 1;

	seq_printf(file, "%-5s\t%-26s\t%-8s\n", "Index", "Patch", "State");
	seq_puts(file, SEPARATOR);
	mutex_lock(&klp_mutex);
	list_for_each_entry(patch, &klp_patches, list)
		seq_printf(file, "%-5d\t%-26s\t%-8s\n", index++, patch->mod->name,
			   patch->enabled ? "enabled" : "disabled");
	mutex_unlock(&klp_mutex);
	seq_puts(file, SEPARATOR);
	return 0;
}

/* ---- start and end ---- */

static int find_kernel(void)
{
	struct kprobe probe = { .symbol_name = "kallsyms_lookup_name" };
	int ret = register_kprobe(&probe);

	if (ret)
		return ret;
	kernel.kallsyms_lookup_name = start_of_probed(probe.addr);
	unregister_kprobe(&probe);
	if (!FIND(kernel, kallsyms_lookup_size_offset) || !FIND(kernel, kallsyms_on_each_match_symbol) ||
	    !FIND(kernel, module_kallsyms_on_each_symbol) || !FIND(kernel, find_module) || !FIND(kernel, get_kprobe) ||
	    !FIND(kernel, ftrace_location) || !FIND(kernel, text_mutex) || !FIND(kernel, idle_task) ||
	    !FIND(kernel, stop_machine_cpuslocked) || !FIND(kernel, klp_root_kobj) || !find_arch_kernel())
		return -ENOENT;
	return 0;
}

static int __init emulation_init(void)
{
	int ret = check_processor();

	if (!ret)
		ret = find_kernel();
	if (ret)
		return ret;
	proc_livepatch = proc_mkdir("livepatch", NULL);
	if (!proc_livepatch)
		return -ENOMEM;
	if (!proc_create_single("state", 0, proc_livepatch, show_state)) {
		proc_remove(proc_livepatch);
		return -ENOMEM;
	}
	return 0;
}

static void __exit emulation_exit(void)
{
	proc_remove(proc_livepatch);
}

module_init(emulation_init);
module_exit(emulation_exit);
MODULE_DESCRIPTION("Emulation of openEuler's live patching without ftrace, for tests");
MODULE_LICENSE("GPL");
