/* python-argv.c - the command line by which the Python project tractor starts a child.
 *
 *   X -m tractor._child --uid "('NAME', 'UUID')" --parent_addr "('127.0.0.1', 1616)"
 *     [--loglevel LEVEL] [--asyncio]
 *
 * X is whatever program the parent was told to run, so a C program can be such a child; and with
 * Python for X we can start one. Options may be written "--uid VALUE" or "--uid=VALUE".
 *
 * The values are tuples of two as Python's repr() writes them. We read what a person could write in
 * their place too: any quotes, any escape but names of characters, spaces, a comma at the end. We
 * do not read other literals, joined strings or arithmetic. What we write is ASCII, as nobody knows
 * in which encoding the other side will decode its arguments.
 *
 * The texts come from the parent, but anybody may start a program with any arguments: nothing here
 * trusts them, and nothing recurses. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "python-argv.h"

#include <string.h>

#include "bounds.h"
#include "tractor-error.h"

/* --- reading literals -------------------------------------------------------------------------- */

/* Where we are in a literal, which a NUL ends; and what was wrong there, or NULL. */
typedef struct {
  const char *at;
  const char *problem;
} Cursor;

typedef struct {
  char *string; /* NULL: it is an integer */
  gint64 integer;
} Literal;

static gboolean
fail (Cursor *cursor, const char *problem)
{
  cursor->problem = problem;
  return FALSE;
}

static void
skip_space (Cursor *cursor)
{
  while (g_ascii_isspace (*cursor->at))
    cursor->at++;
}

static gboolean
take_char (Cursor *cursor, char wanted, const char *problem)
{
  skip_space (cursor);
  if (*cursor->at != wanted)
    return fail (cursor, problem);
  cursor->at++;
  return TRUE;
}

static gboolean
append_code_point (Cursor *cursor, GString *string, guint32 code_point)
{
  if (code_point == 0)
    return fail (cursor, "a NUL in a string");
  if (!g_unichar_validate (code_point))
    return fail (cursor, "an escape that is no character");
  g_string_append_unichar (string, code_point);
  return TRUE;
}

/* \xNN, \uNNNN, \UNNNNNNNN, from behind the letter */
static gboolean
take_hex_escape (Cursor *cursor, GString *string, guint n_digits)
{
  guint32 code_point = 0;

  for (guint i = 0; i < n_digits; i++, cursor->at++) {
    if (!g_ascii_isxdigit (*cursor->at))
      return fail (cursor, "an escape with too few digits");
    code_point = code_point << 4 | (guint32) g_ascii_xdigit_value (*cursor->at);
  }
  return append_code_point (cursor, string, code_point);
}

/* \N, \NN, \NNN */
static gboolean
take_octal_escape (Cursor *cursor, GString *string)
{
  guint32 code_point = 0;

  for (guint i = 0; i < 3 && *cursor->at >= '0' && *cursor->at <= '7'; i++, cursor->at++)
    code_point = code_point << 3 | (guint32) (*cursor->at - '0');
  return append_code_point (cursor, string, code_point);
}

static gboolean
take_escape (Cursor *cursor, GString *string)
{
  static const char letters[] = "\\'\"abfnrtv";
  static const char meanings[] = "\\'\"\a\b\f\n\r\t\v";
  char letter = *++cursor->at; /* behind the backslash */
  const char *found;

  if (letter == '\0')
    return fail (cursor, "a string without an end");
  if (letter >= '0' && letter <= '7')
    return take_octal_escape (cursor, string);
  cursor->at++;
  found = strchr (letters, letter);
  if (found != NULL)
    g_string_append_c (string, meanings[found - letters]);
  else if (letter == 'x')
    return take_hex_escape (cursor, string, 2);
  else if (letter == 'u')
    return take_hex_escape (cursor, string, 4);
  else if (letter == 'U')
    return take_hex_escape (cursor, string, 8);
  else if (letter == 'N')
    return fail (cursor, "an escape by the name of a character");
  else if (letter != '\n') {
    /* Python leaves what it does not know as it is. */
    g_string_append_c (string, '\\');
    cursor->at--;
  }
  return TRUE;
}

static gboolean
take_string (Cursor *cursor, char **ret_string)
{
  GString *string = g_string_new (NULL);
  char quote;
  gboolean ok = TRUE;

  if (*cursor->at == 'u' || *cursor->at == 'U')
    cursor->at++;
  quote = *cursor->at++;
  while (ok && *cursor->at != quote) {
    if (*cursor->at == '\0' || *cursor->at == '\n')
      ok = fail (cursor, "a string without an end");
    else if (*cursor->at == '\\')
      ok = take_escape (cursor, string);
    else
      g_string_append_c (string, *cursor->at++);
  }
  if (!ok) {
    g_string_free (string, TRUE);
    return FALSE;
  }
  cursor->at++;
  *ret_string = g_string_free (string, FALSE);
  return TRUE;
}

static gboolean
take_integer (Cursor *cursor, gint64 *ret_integer)
{
  const char *digits = cursor->at + (*cursor->at == '-' || *cursor->at == '+');
  char *end;

  if (!g_ascii_isdigit (*digits))
    return fail (cursor, "neither a string nor an integer");
  *ret_integer = g_ascii_strtoll (cursor->at, &end, 10); /* at most: the largest there is */
  cursor->at = end;
  return TRUE;
}

static gboolean
is_at_string (const Cursor *cursor)
{
  char first = cursor->at[0];

  if (first == 'u' || first == 'U')
    first = cursor->at[1];
  return first == '\'' || first == '"';
}

static gboolean
take_literal (Cursor *cursor, Literal *literal)
{
  skip_space (cursor);
  if (is_at_string (cursor))
    return take_string (cursor, &literal->string);
  return take_integer (cursor, &literal->integer);
}

static gboolean
take_tuple (Cursor *cursor, Literal *literals)
{
  if (!take_char (cursor, '(', "no tuple") || !take_literal (cursor, &literals[0]) ||
      !take_char (cursor, ',', "a tuple that is not of two") ||
      !take_literal (cursor, &literals[1]))
    return FALSE;
  skip_space (cursor);
  if (*cursor->at == ',')
    cursor->at++;
  return take_char (cursor, ')', "a tuple that is not of two") &&
         take_char (cursor, '\0', "something after the tuple");
}

/* @value: (nullable) */
static gboolean
set_argument_error (GError **error, const char *option, const char *value, const char *problem)
{
  g_autofree char *escaped_option = g_strescape (option, NULL);
  g_autofree char *escaped_value = g_strescape (value != NULL ? value : "", NULL);

  if (value == NULL)
    g_set_error (error, TRACTOR_ERROR, TRACTOR_ERROR_PROTOCOL, "the argument %s: %s",
                 escaped_option, problem);
  else
    g_set_error (error, TRACTOR_ERROR, TRACTOR_ERROR_PROTOCOL, "the argument %s \"%s\": %s",
                 escaped_option, escaped_value, problem);
  return FALSE;
}

/* @literals: two, zeroed; to be cleared in any case. */
static gboolean
parse_tuple (const char *option, const char *text, Literal *literals, GError **error)
{
  Cursor cursor = { .at = text };
  g_autofree char *problem = NULL;

  if (!g_utf8_validate (text, -1, NULL))
    return set_argument_error (error, option, text, "it is not UTF-8");
  if (take_tuple (&cursor, literals))
    return TRUE;
  problem = g_strdup_printf ("%s, at byte %d", cursor.problem, (int) (cursor.at - text));
  return set_argument_error (error, option, text, problem);
}

static void
clear_literals (Literal *literals)
{
  g_free (literals[0].string);
  g_free (literals[1].string);
}

/* --- reading the command line ------------------------------------------------------------------ */

typedef enum {
  OPTION_UID,
  OPTION_PARENT_ADDR,
  OPTION_LOGLEVEL,
  N_OPTIONS,
} Option;

static const char *const option_names[N_OPTIONS] = { "--uid", "--parent_addr", "--loglevel" };

/* *@ret_value: behind its '=', or NULL. Returns: N_OPTIONS for none of them. */
static Option
find_option (const char *argument, const char **ret_value)
{
  for (Option option = 0; option < N_OPTIONS; option++) {
    gsize length = strlen (option_names[option]);

    if (strncmp (argument, option_names[option], length) == 0 &&
        (argument[length] == '\0' || argument[length] == '=')) {
      *ret_value = argument[length] == '=' ? argument + length + 1 : NULL;
      return option;
    }
  }
  return N_OPTIONS;
}

static gboolean
collect (char **at, char **end, const char **values, gboolean *ret_is_asyncio, GError **error)
{
  for (; at < end; at++) {
    const char *value = NULL;
    Option option = find_option (*at, &value);

    if (strcmp (*at, "--asyncio") == 0) {
      *ret_is_asyncio = TRUE;
      continue;
    }
    if (option == N_OPTIONS)
      return set_argument_error (error, *at, NULL, "it is not known");
    if (value == NULL && at + 1 < end)
      value = *++at;
    if (value == NULL)
      return set_argument_error (error, option_names[option], NULL, "its value is missing");
    if (values[option] != NULL)
      return set_argument_error (error, option_names[option], value, "it is there twice");
    values[option] = value;
  }
  return TRUE;
}

static gboolean
is_fit_for_id (const Literal *literal)
{
  return literal->string != NULL && literal->string[0] != '\0' &&
         strlen (literal->string) <= LIMIT_NAME_BYTES;
}

static gboolean
parse_id (const char *text, ActorId *ret_id, GError **error)
{
  const char *option = option_names[OPTION_UID];
  Literal literals[2] = { 0 };
  gboolean ok = parse_tuple (option, text, literals, error);

  if (ok && (!is_fit_for_id (&literals[0]) || !is_fit_for_id (&literals[1])))
    ok = set_argument_error (
        error, option, text,
        "it has to be a name and a uuid, of 1 to " G_STRINGIFY (LIMIT_NAME_BYTES) " bytes each");
  if (ok) {
    ret_id->name = g_steal_pointer (&literals[0].string);
    ret_id->uuid = g_steal_pointer (&literals[1].string);
  }
  clear_literals (literals);
  return ok;
}

static gboolean
parse_parent (const char *text, Address *ret_address, GError **error)
{
  const char *option = option_names[OPTION_PARENT_ADDR];
  Literal literals[2] = { 0 };
  gboolean ok = parse_tuple (option, text, literals, error);

  if (ok && literals[0].string == NULL)
    ok = set_argument_error (error, option, text, "it has to begin with a host or a directory");
  else if (ok && !tractor__address_from_halves (literals[0].string, literals[1].string,
                                                literals[1].integer, ret_address, error)) {
    g_prefix_error (error, "the argument %s: ", option);
    ok = FALSE;
  }
  clear_literals (literals);
  return ok;
}

static gboolean
parse_log_level (const char *text, char **ret_log_level, GError **error)
{
  if (text == NULL)
    return TRUE;
  if (text[0] == '\0' || !g_utf8_validate (text, -1, NULL))
    return set_argument_error (error, option_names[OPTION_LOGLEVEL], text, "it is no level");
  *ret_log_level = g_strdup (text);
  return TRUE;
}

gboolean
tractor__python_argv_parse (int argc, char **argv, PythonArgv *ret_argv, GError **error)
{
  g_auto (PythonArgv) parsed = { 0 };
  const char *values[N_OPTIONS] = { NULL };

  if (argc < 3 || strcmp (argv[1], "-m") != 0 || strcmp (argv[2], "tractor._child") != 0)
    return FALSE;
  if (!collect (argv + 3, argv + argc, values, &parsed.is_asyncio, error))
    return FALSE;
  for (Option option = OPTION_UID; option <= OPTION_PARENT_ADDR; option++)
    if (values[option] == NULL)
      return set_argument_error (error, option_names[option], NULL, "it is missing");
  if (!parse_id (values[OPTION_UID], &parsed.id, error) ||
      !parse_parent (values[OPTION_PARENT_ADDR], &parsed.parent, error) ||
      !parse_log_level (values[OPTION_LOGLEVEL], &parsed.log_level, error))
    return FALSE;
  *ret_argv = parsed;
  parsed = (PythonArgv){ 0 };
  return TRUE;
}

void
tractor__python_argv_clear (PythonArgv *argv)
{
  actor_id_clear (&argv->id);
  tractor__address_clear (&argv->parent);
  g_clear_pointer (&argv->log_level, g_free);
}

/* --- writing ----------------------------------------------------------------------------------- */

static void
append_string (GString *literal, const char *string)
{
  g_string_append_c (literal, '\'');
  for (const char *at = string; *at != '\0'; at = g_utf8_next_char (at)) {
    gunichar character = g_utf8_get_char (at);

    if (character == '\\' || character == '\'')
      g_string_append_printf (literal, "\\%c", (char) character);
    else if (character >= 0x20 && character < 0x7f)
      g_string_append_c (literal, (char) character);
    else if (character <= 0xff)
      g_string_append_printf (literal, "\\x%02x", character);
    else if (character <= 0xffff)
      g_string_append_printf (literal, "\\u%04x", character);
    else
      g_string_append_printf (literal, "\\U%08x", character);
  }
  g_string_append_c (literal, '\'');
}

char *
tractor__python_literal_tuple (const char *first, const char *second, gint64 integer)
{
  GString *literal = g_string_new ("(");

  append_string (literal, first);
  g_string_append (literal, ", ");
  if (second != NULL)
    append_string (literal, second);
  else
    g_string_append_printf (literal, "%" G_GINT64_FORMAT, integer);
  g_string_append_c (literal, ')');
  return g_string_free (literal, FALSE);
}

static char *
make_address_literal (const Address *address)
{
  g_autofree char *dir = NULL;
  const char *filename;

  if (address->kind != ADDRESS_UNIX)
    return tractor__python_literal_tuple (address->host, NULL, address->port);
  dir = tractor__address_split_path (address, &filename);
  return tractor__python_literal_tuple (dir, filename, 0);
}

char **
tractor__python_argv_build (const char *python, const PythonArgv *argv)
{
  g_autoptr (GStrvBuilder) builder = g_strv_builder_new ();
  g_autofree char *id = tractor__python_literal_tuple (argv->id.name, argv->id.uuid, 0);
  g_autofree char *parent = make_address_literal (&argv->parent);

  g_strv_builder_add_many (builder, python, "-m", "tractor._child", option_names[OPTION_UID], id,
                           option_names[OPTION_PARENT_ADDR], parent, NULL);
  if (argv->log_level != NULL)
    g_strv_builder_add_many (builder, option_names[OPTION_LOGLEVEL], argv->log_level, NULL);
  if (argv->is_asyncio)
    g_strv_builder_add (builder, "--asyncio");
  return g_strv_builder_end (builder);
}
