/* fork.h - whether this process is a copy, made by fork(), of the one that a guest belongs to. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#ifndef TRACTOR_GUEST_BUILD
#error "private to guest/"
#endif

#include <glib.h>

/* Counted up in each copy; what was made before the fork remembers another number. */
extern guint tractor__fork_generation G_GNUC_INTERNAL;

/* Guests of this process that have not ended: at its exit there should be none. */
extern _Atomic (guint) tractor__n_living_guests G_GNUC_INTERNAL;

/* Before the number is remembered for the first time. */
G_GNUC_INTERNAL void tractor__fork_watch (void);
