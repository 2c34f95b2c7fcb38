/* log.c - what the actors' part of the library tells of itself, and to whom.
 *
 * What is wanted is worked out when somebody says it, and not when something is told. Of each part it is the
 * first that there is of: what TRACTOR_LOG says; what the program says (tractor_log_set_spec()); the level that
 * the parent gave this actor; "debug" if G_MESSAGES_DEBUG has this domain; "message". Whoever starts a program has
 * the last word, and a child finds what its parent was told in its own TRACTOR_LOG.
 *
 * A line that is wanted goes to the program's log writer, as a structured message of its true level, and that is
 * never taken away from the program: GLib lets it be set once. But GLib's own writer drops "info" and
 * "debug" unless G_MESSAGES_DEBUG has the domain, and so does one of the program that asks
 * g_log_writer_default_would_drop(), as it should. Then, and only then, the line is written to stderr from here
 * as well. So it is seen once, whoever writes; but one that writes all that it gets to stderr has it there
 * twice, which g_log_set_debug_enabled() ends. What the writer is cannot be asked; and to give out a line for a
 * more important one, so that the default writer shows it, would be a lie to all others. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sigpipe.h"
#include "tractor-error.h"
#include "tractor-log.h"
#include "tractor-task.h"

#define VARIABLE   "TRACTOR_LOG"
#define PART_FIELD "TRACTOR_PART"

guint tractor__log_levels[N_LOG_PARTS] = { [0 ... N_LOG_PARTS - 1] = G_LOG_LEVEL_MESSAGE };

static LogWhoFunc find_who; /* (nullable) */

G_LOCK_DEFINE_STATIC (wanted);
static struct {
  gboolean is_read;
  gboolean is_malformed; /* the environment's */
  LogSpec environment;
  LogSpec program;
  GLogLevelFlags inherited; /* 0: none */
} wanted;

/* --- what is wanted ---------------------------------------------------------------------------- */

/* Called with the lock. */
static void
work_out (void)
{
  LogSpec spec = tractor__log_spec_put_over (&wanted.environment, &wanted.program);
  gboolean glib_shows_all = !g_log_writer_default_would_drop (G_LOG_LEVEL_DEBUG, G_LOG_DOMAIN);

  for (guint part = 0; part < N_LOG_PARTS; part++) {
    GLogLevelFlags level = tractor__log_spec_get (&spec, part);

    if (level == 0)
      level = wanted.inherited;
    if (level == 0)
      level = glib_shows_all ? G_LOG_LEVEL_DEBUG : G_LOG_LEVEL_MESSAGE;
    __atomic_store_n (&tractor__log_levels[part], (guint) level, __ATOMIC_RELAXED);
  }
}

void
tractor__log_begin (void)
{
  g_autofree char *problem = NULL;

  G_LOCK (wanted);
  if (!wanted.is_read) {
    wanted.is_read = TRUE;
    problem = tractor__log_spec_parse (secure_getenv (VARIABLE), &wanted.environment);
    wanted.is_malformed = problem != NULL;
  }
  work_out ();
  G_UNLOCK (wanted);
  if (problem != NULL)
    g_printerr ("tractor: in the environment variable " VARIABLE " %s. The rest of it counts.\n",
                problem);
}

void
tractor__log_set_inherited (GLogLevelFlags level)
{
  G_LOCK (wanted);
  wanted.inherited = level;
  work_out ();
  G_UNLOCK (wanted);
}

gboolean
tractor_log_set_spec (const char *spec, GError **error)
{
  LogSpec parsed;
  g_autofree char *problem = tractor__log_spec_parse (spec, &parsed);

  if (problem != NULL) {
    g_set_error (error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE, "In what is to be logged %s", problem);
    return FALSE;
  }
  tractor__log_begin ();
  G_LOCK (wanted);
  wanted.program = parsed;
  work_out ();
  G_UNLOCK (wanted);
  return TRUE;
}

char *
tractor__log_make_variable (void)
{
  g_autofree char *text = NULL;
  gboolean is_known;
  LogSpec spec;

  G_LOCK (wanted);
  spec = tractor__log_spec_put_over (&wanted.environment, &wanted.program);
  is_known = !wanted.is_malformed && memcmp (&spec, &wanted.environment, sizeof (LogSpec)) == 0;
  G_UNLOCK (wanted);
  if (is_known)
    return NULL;
  text = tractor__log_spec_to_string (&spec);
  return *text != '\0' ? g_strconcat (VARIABLE "=", text, NULL) : g_strdup (VARIABLE);
}

/* --- a line ------------------------------------------------------------------------------------ */

typedef struct {
  GLogField fields[12];
  gsize n;
} Line;

/* @value: (nullable): then there is no such field */
static void
add_field (Line *line, const char *key, const char *value)
{
  if (value != NULL)
    line->fields[line->n++] = (GLogField){ key, value, -1 };
}

/* As syslog has it. */
static const char *
get_priority (GLogLevelFlags level)
{
  switch (level) {
  case G_LOG_LEVEL_WARNING:
    return "4";
  case G_LOG_LEVEL_MESSAGE:
    return "5";
  case G_LOG_LEVEL_INFO:
    return "6";
  default:
    return "7";
  }
}

/* What GLib's writer throws away. */
static void
write_to_stderr (GLogLevelFlags level, const Line *line)
{
  g_autofree char *text = NULL;
  g_autofree char *whole = NULL;

  if (g_log_writer_is_journald (STDERR_FILENO) &&
      g_log_writer_journald (level, line->fields, line->n, NULL) == G_LOG_WRITER_HANDLED)
    return;
  text = g_log_writer_format_fields (level, line->fields, line->n,
                                     g_log_writer_supports_color (STDERR_FILENO));
  whole = g_strconcat (text, "\n", NULL); /* in one piece: there are other actors */
  fputs (whole, stderr);
  fflush (stderr);
}

static void
deliver (GLogLevelFlags level, const Line *line)
{
  gboolean holds_sigpipe = sigpipe_hold_back (); /* nobody may want to hear it any more */

  g_log_structured_array (level, line->fields, line->n);
  if (g_log_writer_default_would_drop (level, G_LOG_DOMAIN))
    write_to_stderr (level, line);
  if (holds_sigpipe)
    sigpipe_release ();
}

/* Whether GLib's writers put program and process before it: as they have it. */
static gboolean
has_pid_already (GLogLevelFlags level)
{
  static const GDebugKey keys[] = {
    { "error", G_LOG_LEVEL_ERROR },     { "critical", G_LOG_LEVEL_CRITICAL },
    { "warning", G_LOG_LEVEL_WARNING }, { "message", G_LOG_LEVEL_MESSAGE },
    { "info", G_LOG_LEVEL_INFO },       { "debug", G_LOG_LEVEL_DEBUG }
  };
  const char *named = g_getenv ("G_MESSAGES_PREFIXED");
  guint prefixed = named != NULL ? g_parse_debug_string (named, keys, G_N_ELEMENTS (keys))
                                 : G_LOG_LEVEL_ERROR | G_LOG_LEVEL_CRITICAL | G_LOG_LEVEL_WARNING |
                                       G_LOG_LEVEL_DEBUG;

  return (prefixed & level) != 0;
}

/* (transfer full): "[worker 4711 echo#12] link: actor 'x' is connected". @actor, @pid, @task: (nullable) */
static char *
make_message (LogPart part, const char *actor, const char *pid, const char *task, const char *text)
{
  const char *const given[] = { actor, pid, task };
  const char *names[G_N_ELEMENTS (given) + 1] = { NULL };
  g_autofree char *who = NULL;

  for (guint i = 0, n = 0; i < G_N_ELEMENTS (given); i++)
    if (given[i] != NULL)
      names[n++] = given[i];
  who = g_strjoinv (" ", (char **) names);
  return g_strdup_printf ("[%s] %s: %s", who, tractor__log_part_get_name (part), text);
}

/* @text: without who tells it */
static void
tell (LogPart part, GLogLevelFlags level, Line *line, const char *text)
{
  LogWhoFunc who = g_atomic_pointer_get (&find_who);
  const char *actor = NULL;
  const char *uuid = NULL;
  const char *name = tractor_task_get_name ();
  g_autofree char *pid = g_strdup_printf ("%d", (int) getpid ());
  g_autofree char *id = NULL;
  g_autofree char *task = NULL;
  g_autofree char *message = NULL;

  if (who != NULL)
    who (&actor, &uuid);
  if (name != NULL) {
    id = g_strdup_printf ("%" G_GUINT64_FORMAT, tractor_task_get_id ());
    task = g_strconcat (name, "#", id, NULL);
  }
  message = make_message (part, actor, has_pid_already (level) ? NULL : pid, task, text);
  add_field (line, "MESSAGE", message);
  add_field (line, "PRIORITY", get_priority (level));
  add_field (line, "GLIB_DOMAIN", G_LOG_DOMAIN);
  add_field (line, PART_FIELD, tractor__log_part_get_name (part));
  add_field (line, "TRACTOR_PID", pid);
  add_field (line, "TRACTOR_ACTOR", actor);
  add_field (line, "TRACTOR_ACTOR_UUID", uuid);
  add_field (line, "TRACTOR_TASK", name);
  add_field (line, "TRACTOR_TASK_ID", id);
  deliver (level, line);
}

void
tractor__log_write (LogPart part,
                    GLogLevelFlags level,
                    const char *file,
                    const char *line_number,
                    const char *function,
                    const char *format,
                    ...)
{
  int saved_errno = errno;
  g_autofree char *text = NULL;
  Line line = { .n = 0 };
  va_list args;

  va_start (args, format);
  text = g_strdup_vprintf (format, args);
  va_end (args);
  add_field (&line, "CODE_FILE", file);
  add_field (&line, "CODE_LINE", line_number);
  add_field (&line, "CODE_FUNC", function);
  tell (part, level, &line, text);
  errno = saved_errno;
}

gboolean
tractor__log_is_own (const GLogField *fields, gsize n_fields)
{
  for (gsize i = 0; i < n_fields; i++)
    if (strcmp (fields[i].key, PART_FIELD) == 0)
      return TRUE;
  return FALSE;
}

void
tractor__log_set_who (LogWhoFunc func)
{
  g_atomic_pointer_set (&find_who, func);
}
