// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (c) 2026, openeuler.livepatch contributors

/* An ordinary module, no live patch. */

#include <linux/module.h>

static int plain_init(void)
{
	return 0;
}

static void plain_exit(void)
{
}

module_init(plain_init);
module_exit(plain_exit);
MODULE_DESCRIPTION("No live patch");
MODULE_LICENSE("GPL");
