/* descriptors.c - descriptors that who stands between two others is not to keep open.
 *
 * What a program inherits it may close, and whoever reads the other end of it waits for that: a pipe ends when nobody has
 * it open any more. We have it, too, as we have handed it on; so we let it go when the program has it. stderr stays, for
 * what we have to say. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "descriptors.h"

#include <fcntl.h>
#include <unistd.h>

static gboolean
is_among (int fd, const int *kept, gsize n_kept)
{
  for (gsize i = 0; i < n_kept; i++)
    if (kept[i] == fd)
      return TRUE;
  return FALSE;
}

static void
replace_by_nothing (void)
{
  int nothing = open ("/dev/null", O_RDWR | O_CLOEXEC);

  if (nothing < 0)
    return;
  dup2 (nothing, STDIN_FILENO);
  dup2 (nothing, STDOUT_FILENO);
  close (nothing);
}

void
descriptors_close_all_but (const int *kept, gsize n_kept)
{
  int last = STDERR_FILENO;

  for (gsize i = 0; i < n_kept; i++)
    last = MAX (last, kept[i]);
  for (int fd = STDERR_FILENO + 1; fd < last; fd++)
    if (!is_among (fd, kept, n_kept))
      close (fd);
  close_range ((unsigned) last + 1, ~0U, 0);
  replace_by_nothing ();
}
