/* error.c - errors for languages that see these objects and nothing below them.
 *
 * What an error that came from another actor was there is in the GError itself, and copies of it know. An exception
 * of PyGObject is no such copy; for that the GTask keeps one, once its _finish() has given the error away. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "tree.h"

G_STATIC_ASSERT ((int) TRACTOR_GLIB_ERROR_CLOSED == (int) TRACTOR_ERROR_CLOSED);
G_STATIC_ASSERT ((int) TRACTOR_GLIB_ERROR_MISUSE == (int) TRACTOR_ERROR_MISUSE);
G_STATIC_ASSERT ((int) TRACTOR_GLIB_ERROR_REMOTE == (int) TRACTOR_ERROR_REMOTE);
G_STATIC_ASSERT ((int) TRACTOR_GLIB_ERROR_NOT_EXPOSED == (int) TRACTOR_ERROR_NOT_EXPOSED);
G_STATIC_ASSERT ((int) TRACTOR_GLIB_ERROR_REGISTRY == (int) TRACTOR_ERROR_REGISTRY);
G_STATIC_ASSERT ((int) TRACTOR_GLIB_ERROR_DEBUG_QUIT == (int) TRACTOR_ERROR_DEBUG_QUIT);

GQuark
tractor_glib_error_quark (void)
{
  tractor_glib_register_errors ();
  return tractor_error_quark ();
}

/* --- what it was there ------------------------------------------------------------------------------------- */

struct _TractorGlibRemoteError {
  GError *error;
};

G_DEFINE_BOXED_TYPE (TractorGlibRemoteError,
                     tractor_glib_remote_error,
                     tractor_glib_remote_error_copy,
                     tractor_glib_remote_error_free)

static G_DEFINE_QUARK (tractor_glib_failure, failure)

    static void free_failure (gpointer error)
{
  g_error_free (error);
}

void
tractor__request_keep_failure (GAsyncResult *result, const GError *failure)
{
  if (tractor_error_get_remote (failure) != NULL)
    g_object_set_qdata_full (G_OBJECT (result), failure_quark (), g_error_copy (failure),
                             free_failure);
}

TractorGlibRemoteError *
tractor_glib_get_remote_error (const GError *error)
{
  TractorGlibRemoteError *self;

  if (tractor_error_get_remote (error) == NULL)
    return NULL;
  self = g_new (TractorGlibRemoteError, 1);
  self->error = g_error_copy (error);
  return self;
}

TractorGlibRemoteError *
tractor_glib_get_remote_error_of_result (GAsyncResult *result)
{
  g_return_val_if_fail (G_IS_ASYNC_RESULT (result), NULL);

  return tractor_glib_get_remote_error (g_object_get_qdata (G_OBJECT (result), failure_quark ()));
}

TractorGlibRemoteError *
tractor_glib_remote_error_copy (const TractorGlibRemoteError *self)
{
  g_return_val_if_fail (self != NULL, NULL);

  return tractor_glib_get_remote_error (self->error);
}

void
tractor_glib_remote_error_free (TractorGlibRemoteError *self)
{
  if (self == NULL)
    return;
  g_error_free (self->error);
  g_free (self);
}

const char *
tractor_glib_remote_error_get_domain (const TractorGlibRemoteError *self)
{
  g_return_val_if_fail (self != NULL, NULL);

  return tractor_error_get_remote (self->error)->domain;
}

int
tractor_glib_remote_error_get_code (const TractorGlibRemoteError *self)
{
  g_return_val_if_fail (self != NULL, 0);

  return tractor_error_get_remote (self->error)->code;
}

const char *
tractor_glib_remote_error_get_exception (const TractorGlibRemoteError *self)
{
  g_return_val_if_fail (self != NULL, NULL);

  return tractor_error_get_remote (self->error)->type_name;
}

const char *
tractor_glib_remote_error_get_origin (const TractorGlibRemoteError *self)
{
  g_return_val_if_fail (self != NULL, NULL);

  return tractor_error_get_remote (self->error)->origin;
}

const char *const *
tractor_glib_remote_error_get_relays (const TractorGlibRemoteError *self)
{
  g_return_val_if_fail (self != NULL, NULL);

  return tractor_error_get_remote (self->error)->relays;
}

char *
tractor_glib_remote_error_describe (const TractorGlibRemoteError *self)
{
  g_return_val_if_fail (self != NULL, NULL);

  return tractor_error_describe (self->error);
}
