/* old-valgrind.c - loaded into processes that run under a Valgrind which does not know pidfd_open() (3.19 has not).
 *
 * Who starts an actor gives it a descriptor of itself, which becomes readable when it is gone. So does the end of a
 * pipe whose other end it alone has, and keeps. For any other process there is none, as for one that is gone. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <sys/syscall.h>
#include <unistd.h>

static int
open_own_pidfd (void)
{
  int ends[2];

  return pipe2 (ends, O_CLOEXEC) == 0 ? ends[0] : -1;
}

long
syscall (long number, ...)
{
  long (*real) (long number, ...) = (long (*) (long, ...)) dlsym (RTLD_NEXT, "syscall");
  long a[6];
  va_list arguments;

  va_start (arguments, number);
  for (int i = 0; i < 6; i++)
    a[i] = va_arg (arguments, long);
  va_end (arguments);
  if (number == SYS_pidfd_open && a[0] == getpid ())
    return open_own_pidfd ();
  return real (number, a[0], a[1], a[2], a[3], a[4], a[5]);
}
