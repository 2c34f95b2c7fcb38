/* asker.c - an actor that stops, or wants something else of the broker: what is known of it, and what is said to it. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "asker.h"

#include <sys/socket.h>
#include <time.h>

#include "words.h"

int64_t
asker_now_usec (void)
{
  struct timespec now;

  clock_gettime (CLOCK_MONOTONIC, &now);
  return now.tv_sec * INT64_C (1000000) + now.tv_nsec / 1000;
}

int64_t
asker_get_msec (const Asker *asker)
{
  return asker_now_usec () / 1000 - asker->since_msec;
}

void
asker_set_state (Asker *asker, State state)
{
  asker->state = state;
  asker->since_msec = asker_now_usec () / 1000;
}

bool
asker_is_foreign (const Asker *asker)
{
  return asker->ask.kind == DEBUG_KIND_FOREIGN;
}

/* --- what it says, and what is said to it ------------------------------------------------------ */

/* What an actor is called is its own business, but not what that does to a terminal. */
static void
make_plain (char *text)
{
  for (; *text != '\0'; text++)
    if ((unsigned char) *text < ' ' || *text == 0x7f)
      *text = '?';
}

void
asker_take (Asker *asker, const DebugMsg *ask)
{
  asker->ask = *ask;
  asker->ask.actor[sizeof asker->ask.actor - 1] = '\0';
  asker->ask.task[sizeof asker->ask.task - 1] = '\0';
  make_plain (asker->ask.actor);
  make_plain (asker->ask.task);
  asker->ask.kind = asker->ask.kind <= DEBUG_KIND_FOREIGN ? asker->ask.kind : 0;
  if (asker_is_foreign (asker))
    asker->pid = asker->ask.tid;
}

bool
asker_has_asked (const Asker *asker)
{
  return asker->ask.type == DEBUG_MSG_ASK;
}

bool
asker_tell (int fd, DebugMsgType type)
{
  DebugMsg message = { .version = DEBUG_VERSION, .type = (uint8_t) type };

  return send (fd, &message, sizeof message, MSG_NOSIGNAL | MSG_DONTWAIT) ==
         (ssize_t) sizeof message;
}

void
asker_let_trace (const Asker *asker, pid_t process)
{
  DebugMsg message = { .version = DEBUG_VERSION, .type = DEBUG_MSG_GO, .tid = process };

  send (asker->fd, &message, sizeof message, MSG_NOSIGNAL | MSG_DONTWAIT);
}

bool
asker_say (const Asker *asker, const char *text)
{
  static const char *const kinds[] = { "waits", "has paused", "has crashed",
                                       "has failed", [DEBUG_KIND_FOREIGN] = "has stopped" };

  return words_say ("tractor: actor %s (pid %d) %s%s", asker->ask.actor, (int) asker->pid,
                    kinds[asker->ask.kind], text);
}
