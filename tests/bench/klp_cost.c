// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (c) 2026, openeuler.livepatch contributors

/*
 * A module whose function costs nothing, so that what its patches cost shows. To read the parameter "measured" calls the
 * function CALLS times with interrupts off, and prints the ticks of the time stamp counter and the nanoseconds that took.
 * Under QEMU's -icount shift=0 both count the instructions that the processor has executed.
 */

#include <linux/irqflags.h>
#include <linux/ktime.h>
#include <linux/module.h>
#include <linux/seq_file.h>
#include <linux/timex.h>

#define CALLS 10000

static noinline __attribute__((noipa)) int klp_cost_target(struct seq_file *m, void *v)
{
	return 0;
}

static int measure(char *buffer, const struct kernel_param *param)
{
	unsigned long flags;
	u64 ticks, nanoseconds;
	int call;

	local_irq_save(flags);
	nanoseconds = ktime_get_ns();
	ticks = get_cycles();
	for (call = 0; call < CALLS; call++)
		klp_cost_target(NULL, NULL);
	ticks = get_cycles() - ticks;
	nanoseconds = ktime_get_ns() - nanoseconds;
	local_irq_restore(flags);
	return sprintf(buffer, "%d %llu %llu\n", CALLS, ticks, nanoseconds);
}

static const struct kernel_param_ops measuring = { .get = measure };
module_param_cb(measured, &measuring, NULL, 0444);
MODULE_PARM_DESC(measured, "calls, ticks, nanoseconds");

static int __init klp_cost_init(void)
{
	return 0;
}

static void __exit klp_cost_exit(void)
{
}

module_init(klp_cost_init);
module_exit(klp_cost_exit);
MODULE_DESCRIPTION("Measures what a live patch costs its callers");
MODULE_LICENSE("GPL");
