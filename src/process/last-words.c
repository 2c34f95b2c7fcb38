/* last-words.c - why an actor ends that nobody has asked to, for its parent.
 *
 * They are written into a file that the parent has open too (spawn.c), and which it reads when the process
 * is gone (death.c): so they are in the error of each call that the end has ended, also where there is
 * no connection any more, or no stack to send over it. What a program writes to stderr is not among them. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "last-words.h"

#include <string.h>
#include <unistd.h>

static int words_fd = -1;

void
tractor__last_words_go_to (int fd)
{
  words_fd = fd;
}

int
tractor__last_words_get_fd (void)
{
  return words_fd;
}

void
tractor__last_words_say (const char *text)
{
  gssize n = words_fd >= 0 ? write (words_fd, text, strlen (text)) : 0;

  (void) n; /* nobody is left to tell */
}
