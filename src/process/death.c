/* death.c - how a child actor ended, in words.
 *
 * There is what the kernel tells of the process, what the actor said of its end (an error, over the link),
 * and what it wrote: while it booted, what its program wrote to stderr; since then our own last words
 * (last-words.c). An error of all that is made here; who gets it is for who watches the child. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "death.h"

#include <string.h>
#include <unistd.h>

#include "bounds.h"
#include "debug-lock.h"
#include "escape.h"
#include "last-words.h"
#include "patience.h"
#include "plain-words.h"

/* (transfer full): the last of what it wrote while booting; or of what it said of its crash; empty if
 * nothing. */
static char *
read_stderr_tail (Child *child)
{
  char bytes[LIMIT_STDERR_TAIL_BYTES];
  /* Its place in the file is ours too: as far as it has written. */
  off_t written = child->words_fd >= 0 ? lseek (child->words_fd, 0, SEEK_CUR) : 0;
  off_t start = MAX (written - (off_t) sizeof bytes, 0);
  g_autofree char *text = NULL;
  gssize n;

  if (written <= 0)
    return g_strdup ("");
  n = pread (child->words_fd, bytes, (gsize) (written - start), start);
  text = g_utf8_make_valid (bytes, MAX (n, 0));
  return g_strchomp (tractor__escape (text));
}

/* It has left of its own accord, and says why. */
static gboolean
has_explained_end (const Child *child, const char *words)
{
  return child->has_booted && words[0] != '\0' && child->process.end == PROCESS_EXITED &&
         (child->process.status == 0 || child->process.status == STATUS_FAILED ||
          child->process.status == STATUS_ORPHANED);
}

/* A program that is no actor ends as if it had nothing to do; one that says why is believed. */
static gboolean
may_be_no_actor (const Child *child, const char *words)
{
  return !child->has_booted && !child->connects_back && child->process.end == PROCESS_EXITED &&
         (child->process.status == 0 || words[0] == '\0');
}

static GError *
describe_death (Child *child)
{
  g_autofree char *end = tractor__process_describe_end (&child->process);
  g_autofree char *tail = read_stderr_tail (child);
  g_autofree char *plain = tractor__plain_words (tail);
  g_autofree char *words = tractor__join_lines (plain, LIMIT_MESSAGE_TAIL_BYTES);
  gboolean is_explained = has_explained_end (child, tail);
  gboolean is_doubtful = may_be_no_actor (child, tail);
  guint n_calls = child->link->requests.n_entries;
  GString *text = g_string_new (NULL);
  GError *error;

  if (n_calls > 0 && child->following != NULL)
    n_calls--; /* which is not the program's */
  g_string_printf (text, "Actor '%s' (pid %d) %s", child->id.name, (int) child->process.pid,
                   is_explained ? "has ended" : end);
  if (!child->has_booted)
    g_string_append (text, " before it had booted");
  else if (child->cancel_requested)
    g_string_append (text, " after it had been cancelled");
  else if (n_calls > 0)
    g_string_append_printf (text, ", with %u call%s open", n_calls, n_calls == 1 ? "" : "s");
  if (is_doubtful)
    g_string_append (text, ". Does its main() begin with tractor_child_main()?");
  /* Once it has booted the words are ours, and not the program's (last-words.c). */
  if (words[0] != '\0')
    g_string_append_printf (text, "%s%s",
                            child->has_booted ? ": "
                            : is_doubtful     ? " It wrote: "
                                              : "; it wrote: ",
                            words);
  error = tractor_error_new_traced (TRACTOR_ERROR_ACTOR_FAILURE,
                                    strcmp (words, tail) != 0 ? tail : NULL, text->str);
  g_string_free (text, TRUE);
  tractor__debug_note_death (error, child->process.pid);
  return error;
}

gboolean
tractor__child_has_failed (const Child *child)
{
  return child->link->last_words != NULL && child->process.end == PROCESS_EXITED &&
         child->process.status == STATUS_FAILED;
}

/* Which is found in the death that it is. */
static GError *
describe_failure (Child *child)
{
  const GError *failure = child->link->last_words;
  g_autofree char *text = g_strdup_printf ("Actor '%s' (pid %d) has failed: %s", child->id.name,
                                           (int) child->process.pid, failure->message);

  return tractor_error_new_remote (TRACTOR_ERROR_ACTOR_FAILURE, tractor_error_get_remote (failure),
                                   NULL, text);
}

GError *
tractor__child_describe_end (Child *child)
{
  return tractor__child_has_failed (child) ? describe_failure (child) : describe_death (child);
}

gboolean
tractor__child_has_broken_protocol (Child *child)
{
  return g_error_matches (child->link->read_failure, TRACTOR_ERROR, TRACTOR_ERROR_PROTOCOL);
}

GError *
tractor__child_describe_own_end (Child *child)
{
  if (tractor__child_has_broken_protocol (child))
    return g_error_copy (child->link->read_failure);
  return tractor__child_describe_end (child);
}

GError *
tractor__child_new_unresponsive_error (Child *child, gint64 since, const char *what)
{
  return g_error_new (TRACTOR_ERROR, TRACTOR_ERROR_ACTOR_FAILURE,
                      "Actor '%s' (pid %d) %s, after %.1f s", child->id.name,
                      (int) child->process.pid, what,
                      (double) (tractor__patience_now () - since) / G_USEC_PER_SEC);
}

GError *
tractor__child_new_boot_too_slow_error (Child *child)
{
  g_autofree char *tail = read_stderr_tail (child);

  return g_error_new (TRACTOR_ERROR, TRACTOR_ERROR_ACTOR_TOO_SLOW,
                      "Actor '%s' (pid %d) did not boot in %d s. Does its main() begin with "
                      "tractor_child_main()?%s%s",
                      child->id.name, (int) child->process.pid,
                      (int) (PATIENCE_BOOT_USEC / G_USEC_PER_SEC),
                      tail[0] != '\0' ? " It wrote:\n" : "", tail);
}

GError *
tractor__child_new_ended_error (Child *child)
{
  return g_error_new (TRACTOR_ERROR, TRACTOR_ERROR_TRANSPORT_CLOSED,
                      "Actor '%s' (pid %d) was cancelled, and has ended", child->id.name,
                      (int) child->process.pid);
}
