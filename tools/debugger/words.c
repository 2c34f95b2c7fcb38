/* words.c - what the broker says to people.
 *
 * While it waits to say something the whole tree is held, and who reads its words may have stopped doing so: a terminal
 * is stopped by Ctrl-S, a pipe is full. So it writes without waiting, and what cannot be written is not said.
 *
 * Whether a descriptor waits is a matter of the open file, which others have too, the whole tree: so the file is opened
 * once more where that can be done. A socket has its own way. What is left never waits (a file), or is asked first. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "words.h"

#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "terminal.h"

typedef enum {
  NOT_LOOKED_AT,
  IS_FILE,
  IS_SOCKET,
} Kind;

static Kind kind_of_stderr;
static int own_stderr = STDERR_FILENO;

static void
look_at_stderr (void)
{
  struct stat status;
  int fd;

  kind_of_stderr = IS_FILE;
  if (fstat (STDERR_FILENO, &status) != 0)
    return;
  if (S_ISSOCK (status.st_mode))
    kind_of_stderr = IS_SOCKET;
  if (!S_ISFIFO (status.st_mode) && !S_ISCHR (status.st_mode))
    return;
  fd = open ("/proc/self/fd/2", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
  if (fd >= 0)
    own_stderr = fd;
}

static bool
write_now (int fd, const char *text, size_t n)
{
  struct pollfd room = { .fd = fd, .events = POLLOUT };

  return poll (&room, 1, 0) == 1 && (room.revents & POLLOUT) != 0 && write (fd, text, n) > 0;
}

static bool
write_to_stderr (const char *text, size_t n)
{
  if (kind_of_stderr == NOT_LOOKED_AT)
    look_at_stderr ();
  if (kind_of_stderr == IS_SOCKET)
    return send (STDERR_FILENO, text, n, MSG_DONTWAIT | MSG_NOSIGNAL) > 0;
  return write_now (own_stderr, text, n);
}

/* Room for a line and its end. */
typedef struct {
  char text[514];
  size_t n;
} Line;

static void
line_set (Line *line, const char *end, const char *format, va_list arguments)
{
  vsnprintf (line->text, sizeof line->text - 2, format, arguments);
  strcat (line->text, end);
  line->n = strlen (line->text);
}

bool
words_say (const char *format, ...)
{
  bool is_on_terminal = terminal_get_fd () >= 0;
  Line line;
  va_list arguments;

  va_start (arguments, format);
  line_set (&line, is_on_terminal ? "\r\n" : "\n", format, arguments);
  va_end (arguments);
  return is_on_terminal ? write_now (terminal_get_words_fd (), line.text, line.n)
                        : write_to_stderr (line.text, line.n);
}

bool
words_report (const char *format, ...)
{
  Line line;
  va_list arguments;

  va_start (arguments, format);
  line_set (&line, "\n", format, arguments);
  va_end (arguments);
  return write_to_stderr (line.text, line.n);
}
