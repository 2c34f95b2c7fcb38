/* stdio-fd.h - new descriptors keep off stdin, stdout and stderr, and are closed once.
 *
 * A private header that guest/ and src/ share: both make descriptors, and neither layer may want a
 * symbol of the other that is not public. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#if !defined(TRACTOR_GUEST_BUILD) && !defined(TRACTOR_SRC_BUILD)
#error "private to guest/ and src/"
#endif

#include <fcntl.h>
#include <unistd.h>

/* In a program whose stdin, stdout or stderr is closed, a new descriptor gets that number, and
 * would be printed to. Returns: 0 with a higher one in its place; or -1 with errno set, and @fd as
 * it was, open unless it was -1. */
static inline int
keep_off_stdio (int *fd)
{
  int moved;

  if (*fd < 0)
    return -1;
  if (*fd > STDERR_FILENO)
    return 0;
  moved = fcntl (*fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
  if (moved < 0)
    return -1;
  close (*fd);
  *fd = moved;
  return 0;
}

/* Harmless if it is -1, as it is afterwards. */
static inline void
close_fd (int *fd)
{
  if (*fd >= 0)
    close (*fd);
  *fd = -1;
}
