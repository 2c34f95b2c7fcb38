/* places.h - where actors of this user listen, found without asking any of them. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

typedef struct {
  gint pid; /* who listens there */
  char *address;
} Place;

/* Opens the directory of sockets. Returns: a descriptor of it; -1 if there is none, and then @error is set if it is
 * there, and is not for us: to G_FILE_ERROR_ACCES. */
int places_open_directory (GError **error);

/* Returns: (transfer full) (element-type Place): one for each process; NULL as by places_open_directory(). */
GPtrArray *places_find (GError **error);
