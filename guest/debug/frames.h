/* frames.h - where a stack is, in names. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#ifndef TRACTOR_GUEST_BUILD
#error "private to guest/"
#endif

#include <glib.h>

/* Writes a line to @fd for each of @pcs: the first is where something is, the others are where calls return
 * to. May be called in a signal handler. */
G_GNUC_INTERNAL void tractor__put_frames (int fd, void *const *pcs, guint n_pcs);
/* In a handler of a signal: the same of what it interrupted. @context: its ucontext_t. */
G_GNUC_INTERNAL void tractor__put_interrupted_frames (int fd, const void *context);
/* To be called before that, outside any handler: it loads a library. */
G_GNUC_INTERNAL void tractor__load_unwinder (void);
