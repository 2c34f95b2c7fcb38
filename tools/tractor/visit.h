/* visit.h - what is done among the actors of this user, as one of them. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

/* Runs @func in a task of an actor without an address: it asks, and leaves nothing. Returns: FALSE with @error set. */
gboolean visit (gboolean (*func) (gpointer data, GError **error), gpointer data, GError **error);
