/* text.h - what is written: text from elsewhere, made fit for a terminal or for JSON; colours; numbers for people. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

/* (transfer full): @text, whatever it holds, in one line that does nothing to a terminal. */
char *text_escape (const char *text);

/* Whether lines may be drawn with what is not ASCII. */
gboolean text_is_utf8 (void);

typedef enum {
  COLOUR_GOOD,
  COLOUR_BAD,
  COLOUR_CHANGING,
  COLOUR_ASIDE
} Colour;

/* Appends @text, escaped, and in colour if stdout is a terminal that is to have some. */
void text_append (GString *out, Colour colour, const char *text);

/* (transfer full): "1,234,567" */
char *text_from_number (guint64 number);
/* (transfer full): "0.3 s", "4 min" */
char *text_from_usec (gint64 usec);

/* --- JSON: each member is put behind those that there are ------------------------------------------ */

/* @bracket: '{' or '['. @key: (nullable): in an object its name. */
void json_open (GString *out, const char *key, char bracket);
/* @bracket: '}' or ']' */
void json_close (GString *out, char bracket);
/* @text: (nullable): null */
void json_add_text (GString *out, const char *key, const char *text);
void json_add_number (GString *out, const char *key, gint64 number);
void json_add_real (GString *out, const char *key, double number);
/* @value: less than 0: null */
void json_add_flag (GString *out, const char *key, int value);
void json_add_null (GString *out, const char *key);
/* Ends the line, and writes it to stdout. */
void json_print (GString *out);
