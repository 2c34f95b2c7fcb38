/* raise-site.h - where an error was made, if that was noted. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#ifndef TRACTOR_SRC_BUILD
#error "private to src/"
#endif

#include <glib.h>

/* Actors that are started from now on note it: debug mode has been asked to. */
G_GNUC_INTERNAL void tractor__raise_site_note_in_children (void);
/* (transfer full) (nullable): the environment variable by which a child notes it; NULL if none is to. */
G_GNUC_INTERNAL char *tractor__raise_site_make_variable (void);

/* (transfer full) (nullable): the functions that were under way when @error, which is of this process, was made: "raised
 * in process NUMBER at", and a line for each, the innermost first. NULL if it is not known. */
G_GNUC_INTERNAL char *tractor__raise_site_describe (const GError *error);
/* (transfer full) (nullable): the same of all that stands behind @failure, wherever it was made, for the debugger
 * (tools/debugger/session.py). */
G_GNUC_INTERNAL char *tractor__raise_site_list (const GError *failure);
