/* raw-text.h - text for whoever looks at a process that hangs or crashes.
 *
 * Written with write(2) only, so that a signal handler may do it. What cannot be written is lost: there
 * is nobody left to tell. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#ifndef TRACTOR_GUEST_BUILD
#error "private to guest/"
#endif

#include <glib.h>
#include <string.h>
#include <unistd.h>

static inline void
put_text (int fd, const char *text)
{
  gssize n = write (fd, text, strlen (text));

  (void) n;
}

static inline void
put_number (int fd, gsize number)
{
  char digits[24];
  char *digit = digits + sizeof digits - 1;

  *digit = '\0';
  do
    *--digit = (char) ('0' + number % 10);
  while ((number /= 10) > 0);
  put_text (fd, digit);
}
