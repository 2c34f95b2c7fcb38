/* log-level.c - how much an actor writes to its log.
 *
 * The level belongs to the process, and is set only in one that was spawned as an actor: a program
 * that has actors keeps its own log writer. It counts for all that the process logs, and for what the library
 * tells of itself where nobody has named its part (log.c). An actor hands its level down to its children, to a Python
 * one by the name of what is as important there: Python's error is GLib's critical. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "log-level.h"

#include <unistd.h>

#include "log.h"
#include "tractor-error.h"

static const struct {
  GLogLevelFlags level;
  const char *name;
} pythons[] = {
  { G_LOG_LEVEL_ERROR, "critical" },
  { G_LOG_LEVEL_CRITICAL, "error" },
  { G_LOG_LEVEL_WARNING, "warning" },
  { G_LOG_LEVEL_MESSAGE, "cancel" },
  { G_LOG_LEVEL_INFO, "info" },
  { G_LOG_LEVEL_DEBUG, "debug" },
  /* What it has besides, and what shows as much here. */
  { G_LOG_LEVEL_ERROR, "pdb" },
  { G_LOG_LEVEL_MESSAGE, "io" },
  { G_LOG_LEVEL_DEBUG, "devx" },
  { G_LOG_LEVEL_DEBUG, "runtime" },
  { G_LOG_LEVEL_DEBUG, "transport" },
};

static GLogLevelFlags current; /* 0: none was given */

gboolean
tractor__log_level_check (const char *name, GError **error)
{
  if (name == NULL || tractor__log_level_from_name (name) != 0)
    return TRUE;
  g_set_error (error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE,
               "A log level is error, critical, warning, message, info or debug, not \"%s\"", name);
  return FALSE;
}

/* GLib's numbers grow as importance shrinks. */
static GLogWriterOutput
write_if_important (GLogLevelFlags level,
                    const GLogField *fields,
                    gsize n_fields,
                    G_GNUC_UNUSED gpointer data)
{
  if (tractor__log_is_own (fields, n_fields)) /* which looks by itself who wants it */
    return g_log_writer_default (level, fields, n_fields, NULL);
  if ((level & G_LOG_LEVEL_MASK) > current)
    return G_LOG_WRITER_HANDLED;
  if (g_log_writer_is_journald (STDERR_FILENO) &&
      g_log_writer_journald (level, fields, n_fields, NULL) == G_LOG_WRITER_HANDLED)
    return G_LOG_WRITER_HANDLED;
  return g_log_writer_standard_streams (level, fields, n_fields, NULL);
}

void
tractor__log_level_apply (const char *name)
{
  GLogLevelFlags level = name != NULL ? tractor__log_level_from_name (name) : 0;

  if (level == 0)
    return;
  if (current == 0)
    g_log_set_writer_func (write_if_important, NULL, NULL);
  current = level;
  tractor__log_set_inherited (level);
}

const char *
tractor__log_level_get (void)
{
  return current != 0 ? tractor__log_level_get_name (current) : NULL;
}

const char *
tractor__log_level_to_python (const char *name)
{
  GLogLevelFlags level = name != NULL ? tractor__log_level_from_name (name) : 0;
  guint i = 0;

  if (level == 0)
    return NULL;
  while (pythons[i].level != level)
    i++;
  return pythons[i].name;
}

const char *
tractor__log_level_from_python (const char *name)
{
  for (guint i = 0; i < G_N_ELEMENTS (pythons); i++)
    if (g_ascii_strcasecmp (pythons[i].name, name) == 0)
      return tractor__log_level_get_name (pythons[i].level);
  return NULL;
}
