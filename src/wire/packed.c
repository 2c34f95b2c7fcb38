/* packed.c - values that a program has packed itself, or unpacks itself.
 *
 * What is sent so is looked through once, as what comes from a peer is: a peer would end the connection over
 * bytes that are no value. It has no descriptors, for the marks of these only mean something to who wrote them. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "packed.h"

#include "bounds.h"
#include "passed-fds.h"
#include "tractor-error.h"

gboolean
tractor__packed_check (GBytes *packed, const char *what, WireValue *ret_value, GError **error)
{
  WireValue value;
  const char *problem;
  gsize offset;

  value.bytes = g_bytes_get_data (packed, &value.length);
  problem = tractor__wire_check (value.bytes, value.length, TRUE, &offset);
  if (problem == tractor__wire_too_deep)
    problem = "nested more than " G_STRINGIFY (LIMIT_SENT_DEPTH) " deep";
  if (problem == tractor__wire_too_many)
    problem = "more than " G_STRINGIFY (LIMIT_SENT_ELEMENTS) " elements";
  if (problem != NULL) {
    g_set_error (error, TRACTOR_ERROR, TRACTOR_ERROR_MSG_TYPE,
                 "%s must be one msgpack value: %s, at byte %" G_GSIZE_FORMAT, what, problem,
                 offset);
    return FALSE;
  }
  if (tractor__fds_are_marked (value)) {
    g_set_error (error, TRACTOR_ERROR, TRACTOR_ERROR_MSG_TYPE, "%s cannot have a descriptor in it",
                 what);
    return FALSE;
  }
  *ret_value = value;
  return TRUE;
}

static gboolean
is_map (WireValue value)
{
  WireReader reader = wire_reader (value);
  WireItem item;

  return tractor__wire_read (&reader, &item) && item.type == WIRE_MAP;
}

gboolean
tractor__packed_check_kwargs (GBytes *packed, WireValue *ret_value, GError **error)
{
  static const guint8 empty[] = { 0x80 };

  if (packed == NULL) {
    *ret_value = (WireValue){ empty, sizeof empty };
    return TRUE;
  }
  if (!tractor__packed_check (packed, "Packed keyword arguments", ret_value, error))
    return FALSE;
  if (is_map (*ret_value))
    return TRUE;
  g_set_error_literal (error, TRACTOR_ERROR, TRACTOR_ERROR_MSG_TYPE,
                       "Packed keyword arguments must be a map");
  return FALSE;
}

GBytes *
tractor__packed_new (WireValue value)
{
  return value.bytes != NULL ? g_bytes_new (value.bytes, value.length)
                             : g_bytes_new_static ("\xc0", 1);
}
