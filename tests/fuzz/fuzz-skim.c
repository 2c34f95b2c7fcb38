/* fuzz-skim.c - a message that is too large: what is kept of it is the same, in whatever parts it comes. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <string.h>

#include "fuzz.h"
#include "msg-skim.h"

/* Feeds @bytes as a link does. @seed: of the lengths of the parts; 0: all at once. Returns: (nullable):
 * NULL if it is none. */
static Skim *
feed_in_parts (const guint8 *bytes, gsize length, guint seed)
{
  g_autoptr (Skim) skim = tractor__skim_new (length, length - 1);
  g_autoptr (GByteArray) pending = g_byte_array_new (); /* what was left, and what has come since */
  gsize at = 0;

  while (!tractor__skim_is_done (skim)) {
    gsize n = length - at;
    gsize n_taken = 0;
    GError *error = NULL;
    gboolean ok;

    if (seed != 0) {
      seed = seed * 1103515245 + 12345;
      n = MIN (n, 1 + (seed >> 16) % 9);
    }
    g_byte_array_append (pending, bytes + at, (guint) n);
    at += n;
    ok = tractor__skim_feed (skim, (WireValue){ pending->data, pending->len }, &n_taken, &error);
    fuzz_assert_outcome (ok, error);
    if (!ok)
      return NULL;
    g_assert_cmpuint (n_taken, <=, pending->len);
    g_assert_true (n > 0 || n_taken > 0); /* it does not wait for what will not come */
    g_byte_array_remove_range (pending, 0, (guint) n_taken);
  }
  g_assert_true (at == length && pending->len == 0);
  return g_steal_pointer (&skim);
}

/* Returns: whether a message has been kept. */
static gboolean
read_kept (Skim *skim, Msg *ret_msg)
{
  GError *error = NULL;
  gboolean ok;

  if (skim == NULL)
    return FALSE;
  ok = tractor__skim_read (skim, ret_msg, &error);
  fuzz_assert_outcome (ok, error);
  return ok;
}

static void
assert_same (const Msg *a, const Msg *b)
{
  g_assert_true (a->type == b->type);
  g_assert_true (a->left_out.fields == b->left_out.fields);
  g_assert_cmpuint (a->left_out.n_bytes, ==, b->left_out.n_bytes);
  for (guint i = 0; i < N_FIELDS; i++) {
    g_assert_true ((a->fields[i].bytes == NULL) == (b->fields[i].bytes == NULL));
    if (a->fields[i].bytes != NULL)
      g_assert_cmpmem (a->fields[i].bytes, a->fields[i].length, b->fields[i].bytes,
                       b->fields[i].length);
  }
}

int
LLVMFuzzerTestOneInput (const guint8 *bytes, gsize length)
{
  g_autoptr (Skim) whole = NULL;
  g_autoptr (Skim) parts = NULL;
  guint32 seed;
  Msg msg;
  Msg same;

  if (length <= sizeof seed)
    return 0;
  memcpy (&seed, bytes, sizeof seed);
  bytes += sizeof seed;
  length -= sizeof seed;
  whole = feed_in_parts (bytes, length, 0);
  parts = feed_in_parts (bytes, length, GUINT32_FROM_LE (seed) | 1);
  if (read_kept (whole, &msg)) {
    g_assert_true (read_kept (parts, &same));
    assert_same (&msg, &same);
  } else {
    g_assert_false (read_kept (parts, &same));
  }
  return 0;
}
