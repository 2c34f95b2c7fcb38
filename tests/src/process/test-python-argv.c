/* test-python-argv.c - the command line by which a Python parent starts a child. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <string.h>

#include "bounds.h"
#include "harness.h"
#include "python-argv.h"
#include "tractor-error.h"

#define UID    "--uid", "('worker', '1-2')"
#define PARENT "--parent_addr", "('127.0.0.1', 1616)"

static gboolean
parse (const char *const *argv, PythonArgv *ret_argv, GError **error)
{
  return tractor__python_argv_parse ((int) g_strv_length ((char **) argv), (char **) argv, ret_argv,
                                     error);
}

static gboolean
parse_uid (const char *literal, PythonArgv *ret_argv, GError **error)
{
  const char *argv[] = { "x", "-m", "tractor._child", PARENT, "--uid", literal, NULL };

  return parse (argv, ret_argv, error);
}

/* --- the command line --------------------------------------------------------------------------- */

static void
test_as_upstream_starts_it (void)
{
  const char *argv[] = { "./c_prog", "-m",         "tractor._child", UID,
                         PARENT,     "--loglevel", "CANCEL",         NULL };
  g_auto (PythonArgv) parsed = { 0 };
  g_autofree char *parent = NULL;
  g_autoptr (GError) error = NULL;

  g_assert_true (parse (argv, &parsed, &error));
  g_assert_no_error (error);
  parent = tractor__address_to_string (&parsed.parent);
  g_assert_cmpstr (parsed.id.name, ==, "worker");
  g_assert_cmpstr (parsed.id.uuid, ==, "1-2");
  g_assert_cmpstr (parent, ==, "tcp://127.0.0.1:1616");
  g_assert_cmpstr (parsed.log_level, ==, "CANCEL");
  g_assert_false (parsed.is_asyncio);
}

static void
test_in_any_order_and_with_equals (void)
{
  const char *argv[] = {
    "x", "-m", "tractor._child", "--parent_addr=('/run/t', 'a@1.sock')", "--asyncio", UID, NULL
  };
  g_auto (PythonArgv) parsed = { 0 };
  g_autofree char *parent = NULL;

  g_assert_true (parse (argv, &parsed, NULL));
  parent = tractor__address_to_string (&parsed.parent);
  g_assert_cmpstr (parent, ==, "unix:/run/t/a@1.sock");
  g_assert_null (parsed.log_level);
  g_assert_true (parsed.is_asyncio);
}

static void
test_other_command_lines_are_left_alone (void)
{
  const char *cases[][4] = {
    { NULL },
    { "x", NULL },
    { "x", "-m", NULL },
    { "x", "-m", "tractor", NULL },
    { "x", "-c", "tractor._child", NULL },
    { "x", "tractor._child", "-m", NULL },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
    PythonArgv parsed;
    g_autoptr (GError) error = NULL;

    g_assert_false (parse (cases[i], &parsed, &error));
    g_assert_no_error (error);
  }
}

static void
test_a_wrong_argument_is_named (void)
{
  static const struct {
    const char *argv[10];
    const char *part_of_message;
  } cases[] = {
    { { "x", "-m", "tractor._child", NULL }, "--uid: it is missing" },
    { { "x", "-m", "tractor._child", UID, NULL }, "--parent_addr: it is missing" },
    { { "x", "-m", "tractor._child", PARENT, "--uid", NULL }, "--uid: its value is missing" },
    { { "x", "-m", "tractor._child", UID, UID, NULL }, "--uid \"('worker', '1-2')\": it is there" },
    { { "x", "-m", "tractor._child", "--what\033", NULL }, "--what\\033: it is not known" },
    { { "x", "-m", "tractor._child", "--uids", NULL }, "--uids: it is not known" },
    { { "x", "-m", "tractor._child", UID, PARENT, "--loglevel", "", NULL }, "--loglevel" },
    { { "x", "-m", "tractor._child", UID, PARENT, "--loglevel", "\xff", NULL }, "--loglevel" },
    { { "x", "-m", "tractor._child", UID, "--parent_addr", "None", NULL },
      "--parent_addr \"None\": no tuple, at byte 0" },
    { { "x", "-m", "tractor._child", UID, "--parent_addr", "(1, 1)", NULL }, "--parent_addr" },
    { { "x", "-m", "tractor._child", UID, "--parent_addr", "('::1', 65536)", NULL },
      "--parent_addr" },
    { { "x", "-m", "tractor._child", UID, "--parent_addr", "('::1', -1)", NULL }, "--parent_addr" },
    { { "x", "-m", "tractor._child", UID, "--parent_addr", "('::1', 99999999999999999999)", NULL },
      "--parent_addr" },
    { { "x", "-m", "tractor._child", UID, "--parent_addr", "('nowhere.org', 1)", NULL },
      "--parent_addr" },
    { { "x", "-m", "tractor._child", UID, "--parent_addr", "('/run', '../x')", NULL },
      "--parent_addr" },
    { { "x", "-m", "tractor._child", PARENT, "--uid", "('a', 1)", NULL }, "--uid" },
    { { "x", "-m", "tractor._child", PARENT, "--uid", "('', 'u')", NULL }, "--uid" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
    GError *error = NULL;
    PythonArgv parsed;

    g_assert_false (parse (cases[i].argv, &parsed, &error));
    if (strstr (error->message, cases[i].part_of_message) == NULL)
      g_error ("%s", error->message);
    harness_assert_error (error, TRACTOR_ERROR, TRACTOR_ERROR_PROTOCOL);
  }
}

static void
test_long_names_are_refused (void)
{
  g_autofree char *name = g_strnfill (LIMIT_NAME_BYTES + 1, 'x');
  g_autofree char *literal = tractor__python_literal_tuple (name, "u", 0);
  GError *error = NULL;
  PythonArgv parsed;

  g_assert_false (parse_uid (literal, &parsed, &error));
  harness_assert_error (error, TRACTOR_ERROR, TRACTOR_ERROR_PROTOCOL);
}

static void
test_what_we_build_is_parsed (void)
{
  const char *addresses[] = { "tcp://[::1]:1616", "unix:/run/it's/a.sock", "unix:/a.sock" };

  for (guint i = 0; i < G_N_ELEMENTS (addresses); i++) {
    PythonArgv wanted = { .id = { (char *) "it's \"\xc3\xa9\"\n", (char *) "1-2" },
                          .log_level = i == 0 ? NULL : (char *) "ERROR",
                          .is_asyncio = i == 1 };
    g_auto (PythonArgv) parsed = { 0 };
    g_auto (GStrv) argv = NULL;
    g_autoptr (GError) error = NULL;

    g_assert_true (tractor__address_parse (addresses[i], &wanted.parent, NULL));
    argv = tractor__python_argv_build ("python3", &wanted);
    g_assert_cmpstr (argv[0], ==, "python3");
    g_assert_true (parse ((const char *const *) argv, &parsed, &error));
    g_assert_no_error (error);
    g_assert_true (actor_id_equal (&parsed.id, &wanted.id));
    g_assert_true (tractor__address_equal (&parsed.parent, &wanted.parent));
    g_assert_cmpstr (parsed.log_level, ==, wanted.log_level);
    g_assert_cmpint (parsed.is_asyncio, ==, wanted.is_asyncio);
    tractor__address_clear (&wanted.parent);
  }
}

/* --- literals ----------------------------------------------------------------------------------- */

static void
test_literals_that_python_has (void)
{
  static const struct {
    const char *literal;
    const char *name;
  } cases[] = {
    { "('a', 'u')", "a" },
    { "(\"a\", \"u\")", "a" },
    { " ( u'a' , U\"u\" , ) ", "a" },
    { "(\t'a',\n'u')", "a" },
    { "('it\"s', 'u')", "it\"s" },
    { "(\"it's\", 'u')", "it's" },
    { "('it\\'s', 'u')", "it's" },
    { "('\\\"', 'u')", "\"" },
    { "('\\\\n', 'u')", "\\n" },
    { "('\\n\\t\\r\\a\\b\\f\\v', 'u')", "\n\t\r\a\b\f\v" },
    { "('\\xe9\\u20ac\\U0001F600', 'u')", "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80" },
    { "('\xc3\xa9', 'u')", "\xc3\xa9" },
    { "('\\101\\1012\\7x\\777', 'u')", "AA2\ax\xc7\xbf" },
    { "('a\\\nb', 'u')", "ab" },                   /* a line that goes on */
    { "('\\d\\\xc3\xa9', 'u')", "\\d\\\xc3\xa9" }, /* no escapes */
    { "('(,)', 'u')", "(,)" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
    g_auto (PythonArgv) parsed = { 0 };
    g_autoptr (GError) error = NULL;

    parse_uid (cases[i].literal, &parsed, &error);
    g_assert_no_error (error);
    g_assert_cmpstr (parsed.id.name, ==, cases[i].name);
    g_assert_cmpstr (parsed.id.uuid, ==, "u");
  }
}

static void
test_literals_that_are_wrong (void)
{
  const char *literals[] = {
    "",
    " ",
    "'a'",
    "(",
    "()",
    "('a')",
    "('a',)",
    "('a' 'u')",
    "('a', 'u'",
    "('a', 'u',,)",
    "('a', 'u', 'v')",
    "('a', 'u')x",
    "('a', 'u') ('b', 'v')",
    "['a', 'u']",
    "(('a', 'u'))",
    "('a, 'u')",
    "('a\", 'u')",
    "('a\n', 'u')",
    "('a', 'u",
    "('a', 'u\\",
    "('a', u",
    "('a', b'u')",
    "('a', r'u')",
    "('a', '''u''')",
    "('\\x4', 'u')",
    "('\\u123', 'u')",
    "('\\U0001F60', 'u')",
    "('\\U00110000', 'u')",
    "('\\Uffffffff', 'u')",
    "('\\ud83d\\ude00', 'u')", /* surrogates */
    "('\\0', 'u')",
    "('\\x00', 'u')",
    "('\\N{BULLET}', 'u')",
    "('\xff', 'u')",
    "(None, 'u')",
    "('a', -)",
  };

  for (guint i = 0; i < G_N_ELEMENTS (literals); i++) {
    GError *error = NULL;
    PythonArgv parsed;

    if (parse_uid (literals[i], &parsed, &error))
      g_error ("passed: %s", literals[i]);
    harness_assert_error (error, TRACTOR_ERROR, TRACTOR_ERROR_PROTOCOL);
  }
}

static void
test_literals_as_python_writes_them (void)
{
  g_autofree char *pair =
      tractor__python_literal_tuple ("a", "it's\\\n\x7f\xc3\xa9\xe2\x82\xac", 0);
  g_autofree char *address = tractor__python_literal_tuple ("127.0.0.1", NULL, 1616);

  g_assert_cmpstr (pair, ==, "('a', 'it\\'s\\\\\\x0a\\x7f\\xe9\\u20ac')");
  g_assert_cmpstr (address, ==, "('127.0.0.1', 1616)");
}

static char *
make_random_text (void)
{
  GString *text = g_string_new (NULL);
  int length = g_test_rand_int_range (1, 20);

  while (length-- > 0) {
    gunichar character = (gunichar) g_test_rand_int_range (1, g_test_rand_bit () ? 0x80 : 0x110000);

    if (g_unichar_validate (character))
      g_string_append_unichar (text, character);
  }
  g_string_append_c (text, 'x');
  return g_string_free (text, FALSE);
}

static void
test_random_strings_come_back (void)
{
  for (int round = 0; round < 20000; round++) {
    g_autofree char *name = make_random_text ();
    g_autofree char *literal = tractor__python_literal_tuple (name, "u", 0);
    g_auto (PythonArgv) parsed = { 0 };
    g_autoptr (GError) error = NULL;

    g_assert_true (g_str_is_ascii (literal));
    parse_uid (literal, &parsed, &error);
    g_assert_no_error (error);
    g_assert_cmpstr (parsed.id.name, ==, name);
  }
}

static void
test_random_literals (void)
{
  static const char alphabet[] = "(),'\"\\ uUxN01789aefn-+\n\xc3\xa9";
  static const char *const seeds[] = { "('worker', '1-2')",
                                       "('\\xe9\\u20ac\\U0001F600', \"it's\",)",
                                       "('127.0.0.1', 1616)", "(u'/run/t', 'a.sock')" };

  for (int round = 0; round < 100000; round++) {
    g_autofree char *literal = g_strdup (seeds[g_test_rand_int_range (0, G_N_ELEMENTS (seeds))]);
    int length = (int) strlen (literal);
    const char *as_uid[] = { "x", "-m", "tractor._child", PARENT, "--uid", literal, NULL };
    const char *as_parent[] = { "x", "-m", "tractor._child", UID, "--parent_addr", literal, NULL };
    gboolean is_wholly_random = round % 4 == 0;
    int n_changes = is_wholly_random ? length : g_test_rand_int_range (1, 4);
    g_auto (PythonArgv) uid = { 0 };
    g_auto (PythonArgv) parent = { 0 };

    for (int i = 0; i < n_changes; i++)
      literal[is_wholly_random ? i : g_test_rand_int_range (0, length)] =
          alphabet[g_test_rand_int_range (0, sizeof alphabet)]; /* also its NUL */
    if (parse (as_uid, &uid, NULL))
      g_assert_true (g_utf8_validate (uid.id.name, -1, NULL));
    parse (as_parent, &parent, NULL);
  }
}

int
main (int argc, char **argv)
{
  harness_init (&argc, &argv);
  harness_add ("/src/python-argv/as-upstream-starts-it", test_as_upstream_starts_it);
  harness_add ("/src/python-argv/in-any-order-and-with-equals", test_in_any_order_and_with_equals);
  harness_add ("/src/python-argv/other-command-lines-are-left-alone",
               test_other_command_lines_are_left_alone);
  harness_add ("/src/python-argv/a-wrong-argument-is-named", test_a_wrong_argument_is_named);
  harness_add ("/src/python-argv/long-names-are-refused", test_long_names_are_refused);
  harness_add ("/src/python-argv/what-we-build-is-parsed", test_what_we_build_is_parsed);
  harness_add ("/src/python-argv/literals-that-python-has", test_literals_that_python_has);
  harness_add ("/src/python-argv/literals-that-are-wrong", test_literals_that_are_wrong);
  harness_add ("/src/python-argv/literals-as-python-writes-them",
               test_literals_as_python_writes_them);
  harness_add ("/src/python-argv/random-strings-come-back", test_random_strings_come_back);
  harness_add ("/src/python-argv/random-literals", test_random_literals);
  return harness_run ();
}
