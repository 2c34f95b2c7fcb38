/* test-python-traceback.c - the line of a traceback that says what was raised. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "harness.h"
#include "python-traceback.h"

#define FRAMES "Traceback (most recent call last):\n  File \"x.py\", line 3, in f\n    raise x\n"

static void
assert_line (const char *traceback, const char *type_name, const char *expected)
{
  g_autofree char *line = tractor__python_traceback_get_line (traceback, type_name);

  g_assert_cmpstr (line, ==, expected);
}

static void
test_last_line (void)
{
  assert_line (FRAMES "ValueError: bad value here\n", "ValueError", "ValueError: bad value here");
  assert_line (FRAMES "ValueError: bad value here", "ValueError", "ValueError: bad value here");
  assert_line (FRAMES "ValueError\n", "ValueError", "ValueError");
}

static void
test_more_behind_it (void)
{
  assert_line (FRAMES "ValueError: one\ntwo\na note: three\n", "ValueError", "ValueError: one");
}

static void
test_cause_before_it (void)
{
  assert_line (FRAMES "ValueError: cause\n\nDuring handling of the above exception, another "
                      "exception occurred:\n\n" FRAMES "ValueError: effect\n",
               "ValueError", "ValueError: effect");
}

static void
test_module_before_it (void)
{
  assert_line (FRAMES "my.errors.Late: now\n", "Late", "my.errors.Late: now");
  assert_line (FRAMES "TooLate: now\n", "Late", NULL);
  assert_line (FRAMES "not my.Late: now\n", "Late", NULL);
}

static void
test_passed_on (void)
{
  assert_line ("<RemoteActorError(\n |_boxed:\n   \xe2\x94\x82 " FRAMES
               "   \xe2\x94\x82 ValueError: bad\n)>\n",
               "ValueError", "ValueError: bad");
}

static void
test_nothing_found (void)
{
  assert_line ("", "ValueError", NULL);
  assert_line ("\n\n:\n", "ValueError", NULL);
  assert_line (FRAMES, "ValueError", NULL);
  assert_line ("ValueError: x\n", "", NULL);
}

int
main (int argc, char **argv)
{
  harness_init (&argc, &argv);

  harness_add ("/src/python-traceback/last-line", test_last_line);
  harness_add ("/src/python-traceback/more-behind-it", test_more_behind_it);
  harness_add ("/src/python-traceback/cause-before-it", test_cause_before_it);
  harness_add ("/src/python-traceback/module-before-it", test_module_before_it);
  harness_add ("/src/python-traceback/passed-on", test_passed_on);
  harness_add ("/src/python-traceback/nothing-found", test_nothing_found);
  return harness_run ();
}
