// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (c) 2026, openeuler.livepatch contributors

#include <linux/seq_file.h>

#include "test_patch.h"

static bool verbose;
module_param(verbose, bool, 0444);

static int levels[4];
module_param_array(levels, int, NULL, 0444);

static int test_version_proc_show(struct seq_file *m, void *v)
{
	seq_puts(m, "live patched version\n");
	return 0;
}

TEST_PATCH("version_proc_show", test_version_proc_show);
