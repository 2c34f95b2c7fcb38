/* fuzz-escape.c - text from elsewhere, made fit for a terminal, and not endless. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <string.h>

#include "bounds.h"
#include "escape.h"
#include "fuzz.h"

int
LLVMFuzzerTestOneInput (const guint8 *bytes, gsize length)
{
  g_autofree char *text = g_utf8_make_valid ((const char *) bytes, (gssize) length);
  g_autofree char *escaped = tractor__escape (text);

  fuzz_assert_readable (escaped);
  g_assert_cmpuint (strlen (escaped), <=, LIMIT_ERROR_TEXT_BYTES + 16);
  return 0;
}
