// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (c) 2026, openeuler.livepatch contributors

/* A patch that would disable all others. */

#define TEST_PATCH_REPLACE true

#include <linux/seq_file.h>

#include "test_patch.h"

static int test_version_proc_show(struct seq_file *m, void *v)
{
	seq_puts(m, "replaced\n");
	return 0;
}

TEST_PATCH("version_proc_show", test_version_proc_show);
