// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (c) 2026, openeuler.livepatch contributors

/*
 * A kprobe in any function: tracefs sets none in a function that may not be traced. The parameters symbol and offset say
 * where, hits counts. insmod fails with what register_kprobe() has answered.
 */

#include <linux/kernel.h>
#include <linux/kprobes.h>
#include <linux/module.h>

static char *symbol = "";
module_param(symbol, charp, 0444);
MODULE_PARM_DESC(symbol, "the function");

static unsigned int offset;
module_param(offset, uint, 0444);
MODULE_PARM_DESC(offset, "how many bytes behind its beginning");

static unsigned int hits;
module_param(hits, uint, 0444);
MODULE_PARM_DESC(hits, "how often it was reached, about");

static int count(struct kprobe *probe, struct pt_regs *regs)
{
	WRITE_ONCE(hits, READ_ONCE(hits) + 1);
	return 0;
}

static struct kprobe probe = { .pre_handler = count };

static int __init klp_probe_init(void)
{
	probe.symbol_name = symbol;
	probe.offset = offset;
	return register_kprobe(&probe);
}

static void __exit klp_probe_exit(void)
{
	unregister_kprobe(&probe);
}

module_init(klp_probe_init);
module_exit(klp_probe_exit);
MODULE_DESCRIPTION("A kprobe for tests");
MODULE_LICENSE("GPL");
