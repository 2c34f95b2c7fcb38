/* text.c - what is written: text from elsewhere, made fit for a terminal or for JSON; colours; numbers for people.
 *
 * The names of actors, of their tasks and of their programs are whatever somebody has called them. What is no UTF-8, or
 * does something to a terminal, is written out as \xNN or \uNNNN, in JSON too: there it is text like any other. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "text.h"

#include <langinfo.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* --- for a terminal ------------------------------------------------------------------------------ */

/* Not seen, and yet it does something to what is. */
static gboolean
is_harmful (gunichar character)
{
  switch (g_unichar_type (character)) {
  case G_UNICODE_CONTROL:
  case G_UNICODE_FORMAT:
  case G_UNICODE_LINE_SEPARATOR:
  case G_UNICODE_PARAGRAPH_SEPARATOR:
  case G_UNICODE_SURROGATE:
  case G_UNICODE_UNASSIGNED:
  case G_UNICODE_PRIVATE_USE:
    /* Joiners are parts of words and of pictures. */
    return character != 0x200c && character != 0x200d;
  default:
    return FALSE;
  }
}

char *
text_escape (const char *text)
{
  GString *escaped = g_string_new (NULL);

  for (const char *at = text; *at != '\0';) {
    gunichar character = g_utf8_get_char_validated (at, -1);

    if (character >= (gunichar) -2) {
      g_string_append_printf (escaped, "\\x%02x", (guchar) *at++);
      continue;
    }
    if (!is_harmful (character))
      g_string_append_unichar (escaped, character);
    else
      g_string_append_printf (escaped, character < 0x100 ? "\\x%02x" : "\\u%04x", character);
    at = g_utf8_next_char (at);
  }
  return g_string_free (escaped, FALSE);
}

gboolean
text_is_utf8 (void)
{
  return strcmp (nl_langinfo (CODESET), "UTF-8") == 0;
}

/* As https://no-color.org has it. */
static gboolean
wants_colours (void)
{
  const char *refused = getenv ("NO_COLOR");
  const char *terminal = getenv ("TERM");

  return isatty (STDOUT_FILENO) && (refused == NULL || *refused == '\0') && terminal != NULL &&
         strcmp (terminal, "dumb") != 0;
}

void
text_append (GString *out, Colour colour, const char *text)
{
  static const char *const codes[] = { "\033[32m", "\033[31m", "\033[33m", "\033[36m" };
  g_autofree char *escaped = text_escape (text);

  if (wants_colours ())
    g_string_append_printf (out, "%s%s\033[0m", codes[colour], escaped);
  else
    g_string_append (out, escaped);
}

char *
text_from_number (guint64 number)
{
  g_autofree char *digits = g_strdup_printf ("%" G_GUINT64_FORMAT, number);
  gsize n = strlen (digits);
  GString *text = g_string_new (NULL);

  for (gsize i = 0; i < n; i++) {
    if (i > 0 && (n - i) % 3 == 0)
      g_string_append_c (text, ',');
    g_string_append_c (text, digits[i]);
  }
  return g_string_free (text, FALSE);
}

char *
text_from_usec (gint64 usec)
{
  if (usec < 0)
    return g_strdup ("0 s");
  if (usec < G_USEC_PER_SEC / 10)
    return g_strdup_printf ("%.1f ms", (double) usec / 1000);
  if (usec < 60 * G_USEC_PER_SEC)
    return g_strdup_printf ("%.1f s", (double) usec / G_USEC_PER_SEC);
  if (usec < (gint64) 120 * 60 * G_USEC_PER_SEC)
    return g_strdup_printf ("%.0f min", (double) usec / G_USEC_PER_SEC / 60);
  return g_strdup_printf ("%.0f h", (double) usec / G_USEC_PER_SEC / 3600);
}

/* --- JSON ---------------------------------------------------------------------------------------- */

static void
append_quoted (GString *out, const char *text)
{
  g_autofree char *escaped = text_escape (text); /* no control character is left */

  g_string_append_c (out, '"');
  for (const char *at = escaped; *at != '\0'; at++) {
    if (*at == '"' || *at == '\\')
      g_string_append_c (out, '\\');
    g_string_append_c (out, *at);
  }
  g_string_append_c (out, '"');
}

static void
begin_member (GString *out, const char *key)
{
  if (out->len > 0 && strchr ("{[:", out->str[out->len - 1]) == NULL)
    g_string_append_c (out, ',');
  if (key != NULL) {
    append_quoted (out, key);
    g_string_append_c (out, ':');
  }
}

void
json_open (GString *out, const char *key, char bracket)
{
  begin_member (out, key);
  g_string_append_c (out, bracket);
}

void
json_close (GString *out, char bracket)
{
  g_string_append_c (out, bracket);
}

void
json_add_null (GString *out, const char *key)
{
  begin_member (out, key);
  g_string_append (out, "null");
}

void
json_add_text (GString *out, const char *key, const char *text)
{
  if (text == NULL) {
    json_add_null (out, key);
    return;
  }
  begin_member (out, key);
  append_quoted (out, text);
}

void
json_add_number (GString *out, const char *key, gint64 number)
{
  begin_member (out, key);
  g_string_append_printf (out, "%" G_GINT64_FORMAT, number);
}

void
json_add_real (GString *out, const char *key, double number)
{
  char digits[G_ASCII_DTOSTR_BUF_SIZE];

  begin_member (out, key);
  g_string_append (out, g_ascii_formatd (digits, sizeof digits, "%.3f", number));
}

void
json_add_flag (GString *out, const char *key, int value)
{
  if (value < 0) {
    json_add_null (out, key);
    return;
  }
  begin_member (out, key);
  g_string_append (out, value ? "true" : "false");
}

void
json_print (GString *out)
{
  g_string_append_c (out, '\n');
  fwrite (out->str, 1, out->len, stdout);
  g_string_truncate (out, 0);
}
