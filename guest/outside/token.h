/* token.h - the only door into a guest for other threads and for signal handlers. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#ifndef TRACTOR_GUEST_BUILD
#error "private to guest/"
#endif

#include "tractor-thread.h"

/* @wake_fd: an eventfd, which stays the guest's. */
G_GNUC_INTERNAL TractorToken *tractor__token_new (int wake_fd, guint fork_generation);
/* Calls what was there when it began, oldest first. */
G_GNUC_INTERNAL void tractor__token_drain (TractorToken *token);
/* How many calls wait. */
G_GNUC_INTERNAL guint tractor__token_get_length (const TractorToken *token);
/* Calls all that is left and refuses whatever comes after; then nobody uses the eventfd any more. */
G_GNUC_INTERNAL void tractor__token_close (TractorToken *token);
