/* fuzz-wire.c - msgpack: what the check passes can be read to its end. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "bounds.h"
#include "fuzz.h"
#include "wire.h"

static guint
count_heads (const guint8 *bytes, gsize length)
{
  WireReader reader = { bytes, bytes + length };
  WireItem item;
  guint n = 0;

  while (reader.at < reader.end) {
    g_assert_true (tractor__wire_read (&reader, &item));
    n++;
  }
  return n;
}

int
LLVMFuzzerTestOneInput (const guint8 *bytes, gsize length)
{
  gsize offset = 0;
  const char *problem = tractor__wire_check (bytes, length, FALSE, &offset);
  WireReader reader = { bytes, bytes + length };
  WireValue value;

  if (problem != NULL) {
    g_assert_cmpuint (offset, <=, length);
    return 0;
  }
  g_assert_cmpuint (count_heads (bytes, length), <=, MIN (length, LIMIT_ELEMENTS));
  g_assert_true (tractor__wire_read_value (&reader, &value));
  g_assert_true (value.length == length && reader.at == reader.end);
  return 0;
}
