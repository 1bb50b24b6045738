/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026, openeuler.livepatch contributors */

/* What openEuler does in another way on arm64 than on x86_64. Included by klp_stop_machine_emulation.c, once. */

#include <linux/sched/task_stack.h>
#include <linux/sizes.h>
#include <asm/cpufeature.h>

/* The longest jump, which each function must have room for; a near one has one instruction. */
#define FAR_WORDS 4
#define REPLACED_BYTES (FAR_WORDS * sizeof(u32))

/* Instructions, from the Arm Architecture Reference Manual; x16 is what veneers may change between two functions. */
#define B(words) (0x14000000U | ((words) & 0x03ffffffU))
#define MOVN_X16(bits) (0x92800010U | (u32)(bits) << 5)
#define MOVK_X16(bits, quarter) (0xf2800010U | (quarter) << 21 | (u32)(bits) << 5)
#define BR_X16 0xd61f0200U

static bool far_jumps;
module_param(far_jumps, bool, 0644);
MODULE_PARM_DESC(far_jumps, "write four instructions as to code that is more than 128 MiB away, wherever it is");

static struct {
	void (*arch_stack_walk)(stack_trace_consume_fn consume_entry, void *cookie, struct task_struct *task,
				struct pt_regs *regs);
	void (*put_task_stack)(struct task_struct *task);
	void (*show_stack)(struct task_struct *task, unsigned long *sp, const char *loglvl);
	int (*aarch64_insn_patch_text_nosync)(void *addr, u32 insn);
} arch_kernel;

static int check_processor(void)
{
	if (system_supports_bti_kernel()) {
		pr_err("emulation: the jumps would be no valid targets with BTI, boot with arm64.nobti\n");
		return -ENODEV;
	}
	return 0;
}

/* The function that a probe by name sits in. */
static void *start_of_probed(void *place)
{
	return place;
}

static bool find_arch_kernel(void)
{
	return FIND(arch_kernel, arch_stack_walk) && FIND(arch_kernel, put_task_stack) &&
	       FIND(arch_kernel, show_stack) && FIND(arch_kernel, aarch64_insn_patch_text_nosync);
}

/* It cleans the data cache and invalidates the instruction cache, for all CPUs. */
static void write_words(u8 *place, const u32 *words, int count)
{
	int i, ret;

	for (i = 0; i < count; i++) {
		ret = arch_kernel.aarch64_insn_patch_text_nosync(place + i * sizeof(u32), words[i]);
		if (ret)
			pr_err("patch instruction failed, ret=%d\n", ret);
	}
}

static void write_jump(u8 *place, void *target)
{
	unsigned long address = (unsigned long)target;
	long distance = (long)address - (long)place;

	if (!far_jumps && distance >= -SZ_128M && distance < SZ_128M) {
		const u32 near = B((u32)(distance >> 2));

		write_words(place, &near, 1);
	} else {
		const u32 far[FAR_WORDS] = {
			MOVN_X16(~address & 0xffff),
			MOVK_X16(address >> 16 & 0xffff, 1),
			MOVK_X16(address >> 32 & 0xffff, 2),
			BR_X16,
		};

		write_words(place, far, FAR_WORDS);
	}
}

/* All words, also those that a near jump has not touched. */
static void write_back(u8 *place, const u8 *saved)
{
	u32 words[FAR_WORDS];

	memcpy(words, saved, sizeof(words));
	write_words(place, words, FAR_WORDS);
}

struct stopped_change {
	int (*change)(void *data);
	void *data;
	int ret;
	atomic_t begun;
	bool done;
};

/* No CPU may run new text before it has thrown away what it has fetched: each waits for the change, and does that. */
static int change_or_wait(void *data)
{
	struct stopped_change *stopped = data;

	if (atomic_inc_return(&stopped->begun) == 1) {
		stopped->ret = stopped->change(stopped->data);
		smp_store_release(&stopped->done, true);
	} else {
		while (!smp_load_acquire(&stopped->done))
			cpu_relax();
	}
	isb();
	return 0;
}

/* Runs the change on one CPU while all others wait with interrupts off. */
static int change_in_stopped_machine(int (*change)(void *), void *data)
{
	struct stopped_change stopped = { .change = change, .data = data, .begun = ATOMIC_INIT(0) };

	return kernel.stop_machine_cpuslocked(change_or_wait, &stopped, cpu_online_mask) ?: stopped.ret;
}

struct saved_stack {
	unsigned long *entries;
	unsigned int size;
	unsigned int count;
};

static bool save_entry(void *cookie, unsigned long address)
{
	struct saved_stack *saved = cookie;

	saved->entries[saved->count++] = address;
	return saved->count < saved->size;
}

/* No stack is unreliable here: the walk ends where it does not know the way. */
static int save_stack(struct task_struct *task, unsigned long *entries, unsigned int size)
{
	struct saved_stack saved = { .entries = entries, .size = size };

	if (!try_get_task_stack(task))
		return 0;
	arch_kernel.arch_stack_walk(save_entry, &saved, task, NULL);
	arch_kernel.put_task_stack(task);
	return saved.count;
}

/* Tells of the task that is in the way. */
static void print_task(struct task_struct *task, unsigned long *entries, int count, int ret)
{
	pr_info("PID: %d Comm: %s\n", task->pid, task->comm);
	arch_kernel.show_stack(task, NULL, KERN_INFO);
}
