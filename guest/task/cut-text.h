/* cut-text.h - texts that are cut short, but never inside a character: what is not UTF-8 any more cannot be
 * sent to another actor.
 *
 * An inline part of guest/. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#ifndef TRACTOR_GUEST_BUILD
#error "private to guest/"
#endif

#include <glib.h>
#include <string.h>

/* Returns: how many bytes of @text to keep, at most @max: whole characters, if it is UTF-8. */
static inline gsize
cut_text_length (const char *text, gsize max)
{
  gsize length = strnlen (text, max + 1);
  const char *cut;

  if (length <= max)
    return length;
  cut = g_utf8_find_prev_char (text,
                               text + length); /* what the first byte that is too much is part of */
  return cut != NULL ? (gsize) (cut - text) : max;
}

/* g_strlcpy() for @size > 0. */
static inline void
cut_text_copy (char *to, const char *text, gsize size)
{
  gsize length = cut_text_length (text, size - 1);

  memcpy (to, text, length);
  to[length] = '\0';
}
