/* log-spec.h - how much is to be told of which part, as text: "info,link:debug". */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#ifndef TRACTOR_SRC_BUILD
#error "private to src/"
#endif

#include <glib.h>

/* What a user tells apart; tractor-log.h says what is in each. */
typedef enum {
  LOG_LINK,
  LOG_CALL,
  LOG_SUPERVISE,
  LOG_REGISTRY,
  N_LOG_PARTS,
} LogPart;

typedef struct {
  GLogLevelFlags rest; /* 0: nothing is said of those that are not named */
  GLogLevelFlags parts[N_LOG_PARTS];
} LogSpec;

/* Returns: one of GLib's levels, or 0 if it is the name of none. */
G_GNUC_INTERNAL GLogLevelFlags tractor__log_level_from_name (const char *name);
/* (transfer none): @level: one of GLib's */
G_GNUC_INTERNAL const char *tractor__log_level_get_name (GLogLevelFlags level);
/* (transfer none) */
G_GNUC_INTERNAL const char *tractor__log_part_get_name (LogPart part);

/* @text: (nullable). What is understood of it goes into *@ret_spec. Returns: (transfer full) (nullable): what is
 * not, in words, with what there is. */
G_GNUC_INTERNAL char *tractor__log_spec_parse (const char *text, LogSpec *ret_spec);
/* @spec wherever it says something, and @below for the rest: a level for all in @spec leaves nothing of @below. */
G_GNUC_INTERNAL LogSpec tractor__log_spec_put_over (const LogSpec *spec, const LogSpec *below);
/* Returns: what it says of @part; 0 if that is nothing. */
G_GNUC_INTERNAL GLogLevelFlags tractor__log_spec_get (const LogSpec *spec, LogPart part);
/* (transfer full): "" if it says nothing. */
G_GNUC_INTERNAL char *tractor__log_spec_to_string (const LogSpec *spec);
