/* unwrap.h - what a nursery's GROUP stands for, where a caller is told of one failure. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#ifndef TRACTOR_SRC_BUILD
#error "private to src/"
#endif

#include "tractor-error.h"

/* @error: (transfer full). Returns: (transfer full): a failure that came alone as it is, several as
 * their GROUP. */
static inline GError *
unwrap_group (GError *error)
{
  const GPtrArray *members = tractor_error_get_children (error);
  GError *only;

  if (members == NULL || members->len != 1)
    return error;
  only = g_error_copy (members->pdata[0]);
  g_error_free (error);
  return only;
}
