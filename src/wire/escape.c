/* escape.c - text from elsewhere, made fit for a terminal.
 *
 * What a peer, a program or a file says ends up in messages that a person reads in a terminal, where
 * control characters do things, and those that turn the direction of writing hide things. So they are
 * written out, and the length is bounded. Names with such characters are no names. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "escape.h"

#include <string.h>

#include "bounds.h"
#include "tractor-error.h"

/* Not seen, and yet it does something to what is. */
static gboolean
is_harmful (gunichar character)
{
  switch (g_unichar_type (character)) {
  case G_UNICODE_CONTROL:
  case G_UNICODE_LINE_SEPARATOR:
  case G_UNICODE_PARAGRAPH_SEPARATOR:
    return TRUE;
  default: /* joiners are part of words and of pictures; marks and overrides of direction are not */
    return character == 0x200e || character == 0x200f || character == 0x061c ||
           (character >= 0x202a && character <= 0x202e) ||
           (character >= 0x2066 && character <= 0x2069);
  }
}

static char *
escape (const char *text, gsize length, gsize limit, const char *allowed)
{
  GString *escaped = g_string_new (NULL);

  for (const char *at = text; at < text + length && escaped->len < limit;
       at = g_utf8_next_char (at)) {
    gunichar character = g_utf8_get_char (at);

    if (!is_harmful (character) ||
        (character > 0 && character < 0x80 && strchr (allowed, (int) character) != NULL))
      g_string_append_unichar (escaped, character);
    else
      g_string_append_printf (escaped, character < 0x100 ? "\\x%02x" : "\\u%04x", character);
  }
  return g_string_free (escaped, FALSE);
}

char *
tractor__escape (const char *text)
{
  return tractor__escape_part (text, strlen (text));
}

char *
tractor__escape_part (const char *text, gsize length)
{
  return escape (text, length, LIMIT_ERROR_TEXT_BYTES, "\n\t");
}

char *
tractor__escape_name (const char *text)
{
  /* What does not fit is cut off, with room for the character that is the last one. */
  return escape (text, strlen (text), LIMIT_NAME_BYTES - 6, "");
}

gboolean
tractor__is_name (const char *text)
{
  gboolean ok = strlen (text) <= LIMIT_NAME_BYTES && g_utf8_validate (text, -1, NULL);

  for (const char *at = text; ok && *at != '\0'; at = g_utf8_next_char (at))
    ok = !is_harmful (g_utf8_get_char (at));
  return ok;
}

gboolean
tractor__check_actor_name (const char *name, GError **error)
{
  gsize length = name != NULL ? strlen (name) : 0;
  gboolean ok = length >= 1 && length <= LIMIT_NAME_BYTES && g_utf8_validate (name, -1, NULL);

  for (const char *at = name; ok && *at != '\0'; at = g_utf8_next_char (at))
    ok = *at != '/' && g_unichar_isprint (g_utf8_get_char (at));
  if (!ok)
    g_set_error (error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE,
                 "An actor's name must be 1 to %d bytes of printable UTF-8 without '/'",
                 LIMIT_NAME_BYTES);
  return ok;
}
