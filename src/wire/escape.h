/* escape.h - text from elsewhere, made fit for a terminal. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#ifndef TRACTOR_SRC_BUILD
#error "private to src/"
#endif

#include <glib.h>

/* (transfer full): @text, fit for a terminal: control characters, but for newline and tab, as \xNN, and cut
 * to LIMIT_ERROR_TEXT_BYTES. */
G_GNUC_INTERNAL char *tractor__escape (const char *text);
/* (transfer full): the same of so many bytes, among which there may be a NUL. */
G_GNUC_INTERNAL char *tractor__escape_part (const char *text, gsize length);
/* (transfer full): the same of a name: one line, cut to LIMIT_NAME_BYTES. */
G_GNUC_INTERNAL char *tractor__escape_name (const char *text);
/* Whether it can be the name of an actor, a uuid and the like as it is. */
G_GNUC_INTERNAL gboolean tractor__is_name (const char *text);
/* Whether a program may give it to an actor: the same, and it can stand in a path. Returns: FALSE with
 * MISUSE. */
G_GNUC_INTERNAL gboolean tractor__check_actor_name (const char *name, GError **error);
