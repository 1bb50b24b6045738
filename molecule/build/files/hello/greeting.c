// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026, openeuler.livepatch contributors */

const char *greeting(void);

const char *greeting(void)
{
	return "hello";
}
