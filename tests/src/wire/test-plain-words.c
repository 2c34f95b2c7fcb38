/* test-plain-words.c - texts for people, without backtraces. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "harness.h"
#include "plain-words.h"

#define TRACEBACK "Traceback (most recent call last):\n  File \"x.py\", line 3, in f\n    raise x\n"

static void
assert_words (const char *text, const char *expected)
{
  g_autofree char *words = tractor__plain_words (text);

  g_assert_cmpstr (words, ==, expected);
}

static void
test_as_it_is (void)
{
  assert_words ("", "");
  assert_words ("no such paper", "no such paper");
  assert_words ("two\n  lines, and one that is empty\n\n",
                "two\n  lines, and one that is empty\n\n");
  assert_words ("the register [0x7f] is bad", "the register [0x7f] is bad");
  assert_words ("f(x)[0xyz]", "f(x)[0xyz]");
}

static void
test_python (void)
{
  assert_words (TRACEBACK "ValueError: no\n", "ValueError: no");
  assert_words ("starting\n" TRACEBACK "ValueError: one\ntwo\n", "starting\nValueError: one\ntwo");
  assert_words (TRACEBACK, "");
}

static void
test_python_cause (void)
{
  assert_words (TRACEBACK
                "KeyError: 1\n\nDuring handling of the above exception, another exception "
                "occurred:\n\n" TRACEBACK "ValueError: no\n",
                "KeyError: 1\n\nDuring handling of the above exception, another exception "
                "occurred:\n\nValueError: no");
}

/* In the boxes of an exception group. */
static void
test_python_group (void)
{
  assert_words ("  + Exception Group Traceback (most recent call last):\n"
                "  |   File \"x.py\", line 3, in f\n"
                "  | ExceptionGroup: two (2 sub-exceptions)\n"
                "  +-+---------------- 1 ----------------\n"
                "    | ValueError: no\n"
                "    +------------------------------------\n",
                "");
}

static void
test_crash (void)
{
  assert_words ("in task 'fault'\n"
                "/usr/bin/x(fault+0x1a)[0x55d0c0de]\n"
                "/usr/bin/x(down+0x2)[0x55d0c0ff], 7 times\n"
                "/usr/bin/x(+0x2)[0x55d0c0ff]\n"
                "(Names are missing because the program is stripped: do not strip it)\n",
                "in task 'fault'");
  assert_words ("/usr/bin/x(fault+0x1a)[0x55d0c0de]", "");
}

static void
assert_joined (const char *text, gsize max, const char *expected)
{
  g_autofree char *line = tractor__join_lines (text, max);

  g_assert_cmpstr (line, ==, expected);
}

static void
test_one_line (void)
{
  assert_joined ("", 10, "");
  assert_joined ("one", 10, "one");
  assert_joined ("one\n\n  two\r\nthree\n", 20, "one | two | three");
  assert_joined ("one\ntwo", 9, "one | two");
  assert_joined ("one\ntwo", 8, "...ne | two");
  assert_joined ("\xc3\xa9\xc3\xa9", 3, "...\xc3\xa9");
}

int
main (int argc, char **argv)
{
  harness_init (&argc, &argv);

  harness_add ("/src/plain-words/as-it-is", test_as_it_is);
  harness_add ("/src/plain-words/python", test_python);
  harness_add ("/src/plain-words/python-with-a-cause", test_python_cause);
  harness_add ("/src/plain-words/python-group", test_python_group);
  harness_add ("/src/plain-words/crash", test_crash);
  harness_add ("/src/plain-words/one-line", test_one_line);
  return harness_run ();
}
