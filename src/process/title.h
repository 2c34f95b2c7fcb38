/* title.h - what ps shows of an actor besides its program. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#ifndef TRACTOR_SRC_BUILD
#error "private to src/"
#endif

#include <glib.h>

/* (transfer full): @text with room behind it for any name: for who is started before it is known what it will be. */
G_GNUC_INTERNAL char *tractor__title_make (const char *text);
/* In a child, once. */
G_GNUC_INTERNAL void tractor__title_find (int argc, char **argv);
/* As much of @text as there is room for; nothing in a process without one. */
G_GNUC_INTERNAL void tractor__title_set (const char *text);
