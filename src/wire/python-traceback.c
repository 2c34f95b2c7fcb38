/* python-traceback.c - what a Python actor writes of an exception.
 *
 * Upstream sends an ordinary exception's text nowhere but in its traceback, whose last line is
 * "ValueError: bad value here"; or not the last, if the text has several lines or notes follow it. A
 * class that is not built in has its module before it. Of an error that was passed on, the traceback
 * stands inside others, behind the strokes of their boxes. So the line is known by the class, and the
 * last such line is the one: what it was caused by is written before it. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "python-traceback.h"

#include <string.h>

static gboolean
is_of_name (gunichar character)
{
  return g_unichar_isalnum (character) || character == '_';
}

/* Whether a module and @type_name stand at @line, and then a colon or nothing. */
static gboolean
tells_of (const char *line, gsize length, const char *type_name)
{
  const char *end = memchr (line, ':', length);
  gsize name_length = strlen (type_name);
  const char *name;

  if (end == NULL)
    end = line + length;
  if ((gsize) (end - line) < name_length)
    return FALSE;
  name = end - name_length;
  if (strncmp (name, type_name, name_length) != 0 || (name > line && name[-1] != '.'))
    return FALSE;
  for (const char *at = line; at < name; at = g_utf8_next_char (at))
    if (*at != '.' && !is_of_name (g_utf8_get_char (at)))
      return FALSE;
  return TRUE;
}

/* Without what is drawn around it. */
static const char *
skip_strokes (const char *line, const char *end)
{
  while (line < end && !is_of_name (g_utf8_get_char (line)))
    line = g_utf8_next_char (line);
  return line;
}

char *
tractor__python_traceback_get_line (const char *traceback, const char *type_name)
{
  const char *found = NULL;
  gsize found_length = 0;

  if (type_name[0] == '\0')
    return NULL;
  for (const char *line = traceback; *line != '\0';) {
    gsize length = strcspn (line, "\n");
    const char *begin = skip_strokes (line, line + length);
    gsize rest = length - (gsize) (begin - line);

    if (tells_of (begin, rest, type_name)) {
      found = begin;
      found_length = rest;
    }
    line += length + (line[length] == '\n');
  }
  return found != NULL ? g_strchomp (g_strndup (found, found_length)) : NULL;
}
