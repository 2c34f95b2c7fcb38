/* plain-words.c - what a person is to see of a text that may have a backtrace in it.
 *
 * The message of an error may stand in a dialog. So what a program has written of its end, and what a peer says, is
 * taken apart: frames go where tractor_error_describe() finds them, and the words stay. Frames are known by their form,
 * line by line: those of Python are everything that is indented behind a "Traceback" line, and ours are what
 * tractor_dump_crash() writes. A text without any stays as it is, to the byte. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "plain-words.h"

#include <string.h>

#define TRACEBACK "Traceback (most recent call last):"

/* "file(name+0x1a)[0x55d0c0de]", perhaps with ", 7 times" behind it. */
static gboolean
is_frame (const char *line)
{
  const char *address = strstr (line, ")[0x");

  if (address == NULL)
    return g_str_has_prefix (line, "(Names are missing because the program is stripped");
  address += strlen (")[0x");
  address += strspn (address, "0123456789abcdef");
  return strcmp (address, "]") == 0 || g_str_has_prefix (address, "], ");
}

static gboolean
is_indented (const char *line)
{
  return line[0] == ' ' || line[0] == '\t' || line[0] == '\0';
}

char *
tractor__plain_words (const char *text)
{
  g_auto (GStrv) lines = g_strsplit (text, "\n", -1);
  g_autoptr (GString) words = g_string_new (NULL);
  gboolean has_backtrace = FALSE;
  gboolean is_in_traceback = FALSE;

  for (char **line = lines; *line != NULL; line++) {
    if (strstr (*line, TRACEBACK) != NULL)
      has_backtrace = is_in_traceback = TRUE;
    else if (is_frame (*line))
      has_backtrace = TRUE;
    else if (!is_in_traceback || !is_indented (*line)) {
      is_in_traceback = FALSE;
      g_string_append_printf (words, "%s%s", words->len > 0 ? "\n" : "", *line);
    }
  }
  if (!has_backtrace)
    return g_strdup (text);
  return g_strchomp (g_strdup (words->str));
}

char *
tractor__join_lines (const char *text, gsize max)
{
  g_auto (GStrv) lines = g_strsplit (text, "\n", -1);
  g_autoptr (GString) joined = g_string_new (NULL);
  gsize start;

  for (char **line = lines; *line != NULL; line++)
    if (g_strstrip (*line)[0] != '\0')
      g_string_append_printf (joined, "%s%s", joined->len > 0 ? " | " : "", *line);
  if (joined->len <= max)
    return g_strdup (joined->str);
  start = joined->len - max;
  while (((guchar) joined->str[start] & 0xc0) == 0x80) /* inside a character */
    start++;
  return g_strconcat ("...", joined->str + start, NULL);
}
