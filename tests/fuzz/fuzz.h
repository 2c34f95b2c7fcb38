/* fuzz.h - what is private to src/ is given any bytes at all, and must hold what it promises.
 *
 * Each target is a program. Built with libFuzzer (./dev fuzz) it is given bytes that reach ever more of
 * the code; built without, it replays those of corpus/, as a test. What a target asserts is what its
 * headers promise of bytes that a peer chose: the sanitizers see the rest. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

/* What each target defines. Returns: 0. */
int LLVMFuzzerTestOneInput (const guint8 *bytes, gsize length);

/* Of text for people: UTF-8, no control characters but newline and tab. */
static inline void
fuzz_assert_readable (const char *text)
{
  g_assert_true (g_utf8_validate (text, -1, NULL));
  for (const char *c = text; *c != '\0'; c++)
    g_assert_true ((guchar) *c >= ' ' || *c == '\n' || *c == '\t');
}

/* @ok: what a function returned that sets @error, (transfer full), if it fails. */
static inline void
fuzz_assert_outcome (gboolean ok, GError *error)
{
  g_assert_true (ok == (error == NULL));
  if (error != NULL)
    fuzz_assert_readable (error->message);
  g_clear_error (&error);
}
