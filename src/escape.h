/* escape.h - text from elsewhere, made fit for a terminal. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#ifndef TRACTOR_SRC_BUILD
#error "private to src/"
#endif

#include <glib.h>

/* (transfer full): @text, fit for a terminal: control characters, but for newline and tab, as \xNN. */
G_GNUC_INTERNAL char *tractor__escape (const char *text);
