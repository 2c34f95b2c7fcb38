/* libfuzzer.c - a target under libFuzzer, which has a main() of its own. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "fuzz.h"

int LLVMFuzzerInitialize (int *argc, char ***argv);

int
LLVMFuzzerInitialize (G_GNUC_UNUSED int *argc, G_GNUC_UNUSED char ***argv)
{
  /* As g_test_init() does: a critical is a fault. */
  g_log_set_always_fatal (G_LOG_FATAL_MASK | G_LOG_LEVEL_CRITICAL | G_LOG_LEVEL_WARNING);
  return 0;
}
