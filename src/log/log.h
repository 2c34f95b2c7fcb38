/* log.h - what the actors' part of the library tells of itself.
 *
 * log_debug (LOG_LINK, "actor '%s' is connected", name): with who tells it, as a structured message. A level that
 * nobody wants costs a load and a branch: its arguments are not looked at. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#ifndef TRACTOR_SRC_BUILD
#error "private to src/"
#endif

#include <glib.h>

#include "log-spec.h"

/* The least important level of each part that somebody wants; GLib's numbers grow as importance shrinks. */
G_GNUC_INTERNAL extern guint tractor__log_levels[N_LOG_PARTS];

static inline gboolean
log_is_wanted (LogPart part, GLogLevelFlags level)
{
  return G_UNLIKELY ((guint) level <=
                     __atomic_load_n (&tractor__log_levels[part], __ATOMIC_RELAXED));
}

#define log_at(part, level, ...)                                                                   \
  G_STMT_START                                                                                     \
  {                                                                                                \
    if (log_is_wanted ((part), (level)))                                                           \
      tractor__log_write ((part), (level), __FILE__, G_STRINGIFY (__LINE__), G_STRFUNC,            \
                          __VA_ARGS__);                                                            \
  }                                                                                                \
  G_STMT_END
#define log_debug(part, ...)   log_at (part, G_LOG_LEVEL_DEBUG, __VA_ARGS__)
#define log_info(part, ...)    log_at (part, G_LOG_LEVEL_INFO, __VA_ARGS__)
#define log_message(part, ...) log_at (part, G_LOG_LEVEL_MESSAGE, __VA_ARGS__)
#define log_warning(part, ...) log_at (part, G_LOG_LEVEL_WARNING, __VA_ARGS__)

/* Leaves errno alone. */
G_GNUC_INTERNAL void tractor__log_write (LogPart part,
                                         GLogLevelFlags level,
                                         const char *file,
                                         const char *line_number,
                                         const char *function,
                                         const char *format,
                                         ...) G_GNUC_PRINTF (6, 7) __attribute__ ((cold));
/* Whether it has come from there: then it is one that somebody wants. */
G_GNUC_INTERNAL gboolean tractor__log_is_own (const GLogField *fields, gsize n_fields);

/* Reads what the environment wants, and tells once on stderr what is wrong in it. Called when a runtime is
 * opened, so that what was said meanwhile by g_log_set_debug_enabled() is seen. */
G_GNUC_INTERNAL void tractor__log_begin (void);
/* @level: what counts where nobody has named a part: a child's, from its parent; 0: none */
G_GNUC_INTERNAL void tractor__log_set_inherited (GLogLevelFlags level);
/* (transfer full) (nullable): what is to be changed in the environment of an actor, for it to be told what we
 * have been: "NAME=value", or "NAME" for nothing; NULL if that is there already. */
G_GNUC_INTERNAL char *tractor__log_make_variable (void);

/* Who is running: set by the room that knows. Both may be given back as NULL. */
typedef void (*LogWhoFunc) (const char **ret_name, const char **ret_uuid);
G_GNUC_INTERNAL void tractor__log_set_who (LogWhoFunc func);
