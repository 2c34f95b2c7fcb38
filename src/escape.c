/* escape.c - text from elsewhere, made fit for a terminal.
 *
 * What a peer, a program or a file says ends up in messages that a person reads in a terminal, where
 * control characters do things. So they are written out, and the length is bounded. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "escape.h"

#include "bounds.h"

char *
tractor__escape (const char *text)
{
  GString *escaped = g_string_new (NULL);

  for (const char *at = text; *at != '\0' && escaped->len < LIMIT_ERROR_TEXT_BYTES;
       at = g_utf8_next_char (at)) {
    gunichar character = g_utf8_get_char (at);

    if (character == '\n' || character == '\t' || !g_unichar_iscntrl (character))
      g_string_append_unichar (escaped, character);
    else
      g_string_append_printf (escaped, "\\x%02x", character);
  }
  return g_string_free (escaped, FALSE);
}
