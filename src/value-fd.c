/* value-fd.c - a descriptor as a value, and back. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "tractor-value.h"

#include "link.h"
#include "passed-fds.h"
#include "runtime.h"
#include "value.h"

GVariant *
tractor_value_new_fd (int fd)
{
  guint8 mark[FD_MARK_BYTES];

  g_return_val_if_fail (fd >= 0, NULL);

  tractor__fd_mark_make (fd, mark);
  return tractor__ext_new_raw (FD_EXT_CODE, mark, sizeof mark);
}

/* (transfer full) (nullable): its bytes, which @ret_mark points to. */
static GVariant *
get_mark (GVariant *value, const guint8 **ret_mark)
{
  GVariant *bytes = NULL;
  gint16 code = 0;
  gsize length = 0;

  if (value == NULL || !g_variant_is_of_type (value, EXTENSION_TYPE))
    return NULL;
  g_variant_get (value, "(n@ay)", &code, &bytes);
  *ret_mark = g_variant_get_fixed_array (bytes, &length, 1);
  if (code != FD_EXT_CODE || length != FD_MARK_BYTES)
    g_clear_pointer (&bytes, g_variant_unref);
  return bytes;
}

int
tractor_value_take_fd (GVariant *value, GError **error)
{
  TractorRuntime *runtime = tractor__runtime_get (error);
  const guint8 *mark = NULL;
  g_autoptr (GVariant) bytes = runtime != NULL ? get_mark (value, &mark) : NULL;
  GHashTableIter iter;
  gpointer link;
  int fd = -1;

  if (runtime == NULL)
    return -1;
  if (bytes == NULL) {
    g_set_error (error, TRACTOR_ERROR, TRACTOR_ERROR_MSG_TYPE,
                 "A value of type '%s' is no descriptor",
                 value != NULL ? g_variant_get_type_string (value) : "nil");
    return -1;
  }
  g_hash_table_iter_init (&iter, runtime->links);
  while (fd < 0 && g_hash_table_iter_next (&iter, &link, NULL))
    fd = tractor__fds_take (&((Link *) link)->fds, mark);
  if (fd < 0)
    g_set_error_literal (error, TRACTOR_ERROR, TRACTOR_ERROR_CLOSED,
                         "The descriptor has been taken before, or its connection has ended");
  return fd;
}
