// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (c) 2026, openeuler.livepatch contributors

#include "test_patch.h"

static void test_nothing(void)
{
}

TEST_PATCH("no_such_function_in_any_kernel", test_nothing);
