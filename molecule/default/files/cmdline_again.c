// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (c) 2026, openeuler.livepatch contributors

/* A second patch of the same function. */

#include <linux/seq_file.h>

#include "test_patch.h"

static int test_cmdline_proc_show(struct seq_file *m, void *v)
{
	seq_puts(m, "this has been live patched again\n");
	return 0;
}

TEST_PATCH("cmdline_proc_show", test_cmdline_proc_show);
