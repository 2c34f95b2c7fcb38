/* title.c - what ps shows of an actor besides its program.
 *
 * It is the second word of its command line, and so also argv[1] of its main(). A process that is started before it is known
 * what it will be (a spare, a fork server) is given a word that is long enough for any name, and has its own written over it. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "title.h"

#include <string.h>

#include "bounds.h"

static char *title;
static gsize title_bytes;

char *
tractor__title_make (const char *text)
{
  return g_strdup_printf ("%-*s", LIMIT_NAME_BYTES, text);
}

void
tractor__title_find (int argc, char **argv)
{
  if (argc <= 1)
    return;
  title = argv[1];
  title_bytes = strlen (title);
}

void
tractor__title_set (const char *text)
{
  if (title == NULL)
    return;
  memset (title, 0, title_bytes);
  memcpy (title, text, MIN (strlen (text), title_bytes));
}
