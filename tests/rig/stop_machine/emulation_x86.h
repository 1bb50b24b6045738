/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026, openeuler.livepatch contributors */

/* What openEuler does in another way on x86_64 than on arm64. Included by klp_stop_machine_emulation.c, once. */

#include <asm/cpufeature.h>
#include <asm/sync_core.h>

#define REPLACED_BYTES 5
#define JMP_REL32 0xe9

static struct {
	int (*stack_trace_save_tsk_reliable)(struct task_struct *tsk, unsigned long *store, unsigned int size);
	void *(*text_poke)(void *addr, const void *opcode, size_t len);
} arch_kernel;

static int check_processor(void)
{
	if (boot_cpu_has(X86_FEATURE_IBT)) {
		pr_err("emulation: the jumps would be no valid targets with IBT, boot with ibt=off\n");
		return -ENODEV;
	}
	return 0;
}

/* The function that a probe by name sits in. */
static void *start_of_probed(void *place)
{
#ifdef CONFIG_X86_KERNEL_IBT
	/* The probe sits behind the function's endbr64. */
	return (void *)((unsigned long)place & ~0xfUL);
#else
	return place;
#endif
}

static bool find_arch_kernel(void)
{
	return FIND(arch_kernel, stack_trace_save_tsk_reliable) && FIND(arch_kernel, text_poke);
}

static void write_jump(u8 *place, void *target)
{
	u8 code[REPLACED_BYTES] = { JMP_REL32 };
	s32 distance = (long)target - ((long)place + REPLACED_BYTES);

	memcpy(code + 1, &distance, sizeof(distance));
	arch_kernel.text_poke(place, code, REPLACED_BYTES);
}

static void write_back(u8 *place, const u8 *saved)
{
	arch_kernel.text_poke(place, saved, REPLACED_BYTES);
}

static void serialize_this_cpu(void *unused)
{
	sync_core();
}

/* Runs the change on one CPU while all others wait with interrupts off. */
static int change_in_stopped_machine(int (*change)(void *), void *data)
{
	int ret = kernel.stop_machine_cpuslocked(change, data, NULL);

	on_each_cpu(serialize_this_cpu, NULL, 1);
	return ret;
}

static int save_stack(struct task_struct *task, unsigned long *entries, unsigned int size)
{
	int count = arch_kernel.stack_trace_save_tsk_reliable(task, entries, size);

	if (count < 0)
		pr_err("%s:%d has an unreliable stack, ret=%d\n", task->comm, task->pid, count);
	return count;
}

/* Tells of the task that is in the way. */
static void print_task(struct task_struct *task, unsigned long *entries, int count, int ret)
{
	int i;

	pr_info("Call Trace:\n");
	for (i = 0; i < count; i++)
		pr_info("[<%p>] %pS\n", (void *)entries[i], (void *)entries[i]);
	pr_info("%s:%d check stack failed, ret=%d\n", task->comm, task->pid, ret);
}
