/* log-spec.c - how much is to be told of which part, as text.
 *
 * Pieces between commas: a level, for all parts that are not named, or "part:level"; of several for one the last
 * counts. Bad pieces are found one by one, so that whoever reads the environment can do without them, and
 * whoever is asked by the program can refuse all of it. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "log-spec.h"

#include <string.h>

#define SHOWN_BYTES 64 /* of a bad piece */

static const struct {
  const char *name;
  GLogLevelFlags level;
} levels[] = {
  { "error", G_LOG_LEVEL_ERROR },     { "critical", G_LOG_LEVEL_CRITICAL },
  { "warning", G_LOG_LEVEL_WARNING }, { "message", G_LOG_LEVEL_MESSAGE },
  { "info", G_LOG_LEVEL_INFO },       { "debug", G_LOG_LEVEL_DEBUG },
};

static const char *const part_names[N_LOG_PARTS] = {
  [LOG_LINK] = "link",
  [LOG_CALL] = "call",
  [LOG_SUPERVISE] = "supervise",
  [LOG_REGISTRY] = "registry",
};

GLogLevelFlags
tractor__log_level_from_name (const char *name)
{
  for (guint i = 0; i < G_N_ELEMENTS (levels); i++)
    if (g_ascii_strcasecmp (levels[i].name, name) == 0)
      return levels[i].level;
  return 0;
}

const char *
tractor__log_level_get_name (GLogLevelFlags level)
{
  guint i = 0;

  while (levels[i].level != level)
    i++;
  return levels[i].name;
}

const char *
tractor__log_part_get_name (LogPart part)
{
  return part_names[part];
}

/* --- reading it -------------------------------------------------------------------------------- */

/* Returns: N_LOG_PARTS if there is none of that name. */
static LogPart
find_part (const char *name)
{
  guint part = 0;

  while (part < N_LOG_PARTS && g_ascii_strcasecmp (part_names[part], name) != 0)
    part++;
  return part;
}

static void
add_problem (GString *problems, const char *piece, const char *what)
{
  g_autofree char *cut = g_strndup (piece, SHOWN_BYTES);
  g_autofree char *shown = g_strescape (cut, NULL);

  g_string_append_printf (problems, "%s\"%s\" %s", problems->len > 0 ? ", " : "", shown, what);
}

/* @piece: is written in. */
static void
parse_piece (char *piece, LogSpec *spec, GString *problems)
{
  char *colon = strchr (piece, ':');
  LogPart part = N_LOG_PARTS;
  const char *name = piece;
  GLogLevelFlags level;

  if (colon != NULL) {
    *colon = '\0';
    part = find_part (g_strchomp (piece));
    if (part == N_LOG_PARTS) {
      add_problem (problems, piece, "is no part");
      return;
    }
    name = g_strchug (colon + 1);
  }
  level = tractor__log_level_from_name (name);
  if (level == 0)
    add_problem (problems, name, "is no level");
  else if (part == N_LOG_PARTS)
    spec->rest = level;
  else
    spec->parts[part] = level;
}

/* So that nobody has to look it up. */
static void
add_what_there_is (GString *problems)
{
  g_string_append (problems, ". The parts are");
  for (guint i = 0; i < N_LOG_PARTS; i++)
    g_string_append_printf (problems, "%s %s",
                            i == 0                 ? ""
                            : i == N_LOG_PARTS - 1 ? " and"
                                                   : ",",
                            part_names[i]);
  g_string_append (problems, ", the levels");
  for (guint i = 0; i < G_N_ELEMENTS (levels); i++)
    g_string_append_printf (problems, "%s %s",
                            i == 0                           ? ""
                            : i == G_N_ELEMENTS (levels) - 1 ? " and"
                                                             : ",",
                            levels[i].name);
}

char *
tractor__log_spec_parse (const char *text, LogSpec *ret_spec)
{
  g_autoptr (GString) problems = g_string_new (NULL);
  g_auto (GStrv) pieces = NULL;

  *ret_spec = (LogSpec){ 0 };
  if (text == NULL || *text == '\0') /* as good as not set */
    return NULL;
  pieces = g_strsplit (text, ",", -1);
  for (char **piece = pieces; *piece != NULL; piece++)
    if (*g_strstrip (*piece) == '\0')
      add_problem (problems, *piece, "says nothing");
    else
      parse_piece (*piece, ret_spec, problems);
  if (problems->len == 0)
    return NULL;
  add_what_there_is (problems);
  return g_string_free (g_steal_pointer (&problems), FALSE);
}

/* --- what it says ------------------------------------------------------------------------------ */

GLogLevelFlags
tractor__log_spec_get (const LogSpec *spec, LogPart part)
{
  return spec->parts[part] != 0 ? spec->parts[part] : spec->rest;
}

LogSpec
tractor__log_spec_put_over (const LogSpec *spec, const LogSpec *below)
{
  LogSpec both = *spec;

  if (spec->rest != 0)
    return both;
  both.rest = below->rest;
  for (guint i = 0; i < N_LOG_PARTS; i++)
    if (both.parts[i] == 0)
      both.parts[i] = below->parts[i];
  return both;
}

char *
tractor__log_spec_to_string (const LogSpec *spec)
{
  GString *text = g_string_new (NULL);

  if (spec->rest != 0)
    g_string_append (text, tractor__log_level_get_name (spec->rest));
  for (guint i = 0; i < N_LOG_PARTS; i++)
    if (spec->parts[i] != 0)
      g_string_append_printf (text, "%s%s:%s", text->len > 0 ? "," : "", part_names[i],
                              tractor__log_level_get_name (spec->parts[i]));
  return g_string_free (text, FALSE);
}
