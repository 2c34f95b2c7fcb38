/* log-level.c - how much an actor writes to its log.
 *
 * The level belongs to the process, and is set only in one that was spawned as an actor: a program
 * that has actors keeps its own log writer. An actor hands its level down to its children, to a Python
 * one by the name of what is as important there: Python's error is GLib's critical. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "log-level.h"

#include <string.h>

#include "tractor-error.h"

static const struct {
  const char *name;
  GLogLevelFlags level;
  const char *pythons;
} levels[] = {
  { "error", G_LOG_LEVEL_ERROR, "critical" },    { "critical", G_LOG_LEVEL_CRITICAL, "error" },
  { "warning", G_LOG_LEVEL_WARNING, "warning" }, { "message", G_LOG_LEVEL_MESSAGE, "cancel" },
  { "info", G_LOG_LEVEL_INFO, "info" },          { "debug", G_LOG_LEVEL_DEBUG, "debug" },
};

/* What Python has besides, and what shows as much here. */
static const struct {
  const char *pythons;
  const char *name;
} more[] = { { "pdb", "error" },
             { "io", "message" },
             { "devx", "debug" },
             { "runtime", "debug" },
             { "transport", "debug" } };

static const char *current; /* a name from the table */
static GLogLevelFlags current_level;

/* Returns: its place in the table; -1 if it is not there. */
static int
find_level (const char *name)
{
  for (guint i = 0; i < G_N_ELEMENTS (levels); i++)
    if (g_ascii_strcasecmp (levels[i].name, name) == 0)
      return (int) i;
  return -1;
}

gboolean
tractor__log_level_check (const char *name, GError **error)
{
  if (name == NULL || find_level (name) >= 0)
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
  if ((level & G_LOG_LEVEL_MASK) > current_level)
    return G_LOG_WRITER_HANDLED;
  return g_log_writer_standard_streams (level, fields, n_fields, NULL);
}

void
tractor__log_level_apply (const char *name)
{
  int i = name != NULL ? find_level (name) : -1;

  if (i < 0)
    return;
  if (current == NULL)
    g_log_set_writer_func (write_if_important, NULL, NULL);
  current = levels[i].name;
  current_level = levels[i].level;
}

const char *
tractor__log_level_get (void)
{
  return current;
}

const char *
tractor__log_level_to_python (const char *name)
{
  int i = name != NULL ? find_level (name) : -1;

  return i >= 0 ? levels[i].pythons : NULL;
}

const char *
tractor__log_level_from_python (const char *name)
{
  for (guint i = 0; i < G_N_ELEMENTS (levels); i++)
    if (g_ascii_strcasecmp (levels[i].pythons, name) == 0)
      return levels[i].name;
  for (guint i = 0; i < G_N_ELEMENTS (more); i++)
    if (g_ascii_strcasecmp (more[i].pythons, name) == 0)
      return more[i].name;
  return NULL;
}
