/* kept-types.h - the types that calls are made of, which GLib is not to forget. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#ifndef TRACTOR_SRC_BUILD
#error "private to src/"
#endif

#include <glib.h>

/* Keeps them for as long as the process lives. */
G_GNUC_INTERNAL void tractor__keep_types (void);
/* Returns: (transfer full): an a{sv} with nothing in it: one for all, since making it is a fifth of what a small call costs. */
G_GNUC_INTERNAL GVariant *tractor__ref_no_kwargs (void);
