/* test-escape.c - text from elsewhere, made fit for a terminal. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <string.h>

#include "bounds.h"
#include "escape.h"
#include "harness.h"

static void
assert_escaped (const char *text, const char *expected)
{
  g_autofree char *escaped = tractor__escape (text);

  g_assert_cmpstr (escaped, ==, expected);
}

static void
test_texts (void)
{
  assert_escaped ("plain, \xc3\xa4 and \xe2\x82\xac", "plain, \xc3\xa4 and \xe2\x82\xac");
  assert_escaped ("a\tb\nc", "a\tb\nc");
  assert_escaped ("\x1b[2J\x07\r\x7f", "\\x1b[2J\\x07\\x0d\\x7f");
  assert_escaped ("\xc2\x9b"
                  "31m",
                  "\\x9b31m"); /* a terminal's CSI in one */
  assert_escaped ("\xe2\x80\xae"
                  "txt.exe",
                  "\\u202etxt.exe"); /* shown backwards */
  assert_escaped ("\xe2\x80\xa8"
                  "x",
                  "\\u2028x");                                    /* a line of its own */
  assert_escaped ("\xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x92\xbb", /* one picture of two */
                  "\xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x92\xbb");
}

static void
test_parts (void)
{
  g_autofree char *escaped = tractor__escape_part ("a\0b\0c", 4);

  g_assert_cmpstr (escaped, ==, "a\\x00b\\x00");
}

static void
test_bounds (void)
{
  g_autofree char *text = g_strnfill (2 * LIMIT_ERROR_TEXT_BYTES, '\x1b');
  g_autofree char *escaped = tractor__escape (text);
  g_autofree char *name = tractor__escape_name (text);

  g_assert_cmpuint (strlen (escaped), <, LIMIT_ERROR_TEXT_BYTES + 4);
  g_assert_cmpuint (strlen (name), <=, LIMIT_NAME_BYTES);
  g_assert_true (tractor__is_name (name));
}

static void
test_names (void)
{
  g_autofree char *longest = g_strnfill (LIMIT_NAME_BYTES, 'x');
  g_autofree char *longer = g_strnfill (LIMIT_NAME_BYTES + 1, 'x');
  g_autofree char *shown = tractor__escape_name ("a\nb\tc");

  g_assert_true (tractor__is_name (longest));
  g_assert_false (tractor__is_name (longer));
  g_assert_false (tractor__is_name ("two\nlines"));
  g_assert_false (tractor__is_name ("\xc3"));
  g_assert_cmpstr (shown, ==, "a\\x0ab\\x09c");
}

int
main (int argc, char **argv)
{
  harness_init (&argc, &argv);
  harness_add ("/escape/S18-texts", test_texts);
  harness_add ("/escape/S18-parts", test_parts);
  harness_add ("/escape/S18-bounds", test_bounds);
  harness_add ("/escape/S18-names", test_names);
  return harness_run ();
}
