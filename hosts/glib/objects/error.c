/* error.c - the error domain, for languages that see these objects and nothing below them. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "tractor-error.h"
#include "tractor-glib-objects.h"

G_STATIC_ASSERT ((int) TRACTOR_GLIB_ERROR_CLOSED == (int) TRACTOR_ERROR_CLOSED);
G_STATIC_ASSERT ((int) TRACTOR_GLIB_ERROR_MISUSE == (int) TRACTOR_ERROR_MISUSE);
G_STATIC_ASSERT ((int) TRACTOR_GLIB_ERROR_REMOTE == (int) TRACTOR_ERROR_REMOTE);
G_STATIC_ASSERT ((int) TRACTOR_GLIB_ERROR_NOT_EXPOSED == (int) TRACTOR_ERROR_NOT_EXPOSED);
G_STATIC_ASSERT ((int) TRACTOR_GLIB_ERROR_REGISTRY == (int) TRACTOR_ERROR_REGISTRY);
G_STATIC_ASSERT ((int) TRACTOR_GLIB_ERROR_HOST_CANCELLED == (int) TRACTOR_ERROR_HOST_CANCELLED);

GQuark
tractor_glib_error_quark (void)
{
  return tractor_error_quark ();
}
