/* fuzz-codec.c - payloads: what is unpacked has the type that was asked for, is not much larger than
 * what it came of, and can be sent on. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "codec.h"
#include "fuzz.h"

/* A GVariant has frames and offsets where msgpack has one byte. */
#define GROWTH   64
#define OVERHEAD 4096

static const char *const types[] = {
  "*",
  "v",
  "mv",
  "s",
  "o",
  "g",
  "ay",
  "as",
  "a{sv}",
  "a{xv}",
  "(nay)",
  "mms",
  "m(sv)",
  "aad",
  "t",
  "x",
  "y",
  "d",
  "b",
  "?",
  "r",
  "a*",
  "a?",
  "a{?*}",
  "m*",
  "mr",
  "(*?)",
  "h",
  "ah",
  "()",
  "a()",
  "av",
  "aav",
  "am()",
  "a(sax)",
  "mmmm*",
  "((nay)s)",
  "a{s(iiay)}",
  "a{sa{sa{sv}}}",
  "aaaaaaaaaaaaaaaax",
};

static void
send_on (GVariant *value)
{
  g_autoptr (WireBuffer) buffer = tractor__wire_buffer_new ();
  GError *error = NULL;
  gboolean ok = tractor__codec_pack (buffer, value, PACK_AT_ONCE, &error);
  gsize offset;

  fuzz_assert_outcome (ok, error);
  g_assert_true (ok ? tractor__wire_check (buffer->data, buffer->len, FALSE, &offset) == NULL
                    : buffer->len == 0);
}

int
LLVMFuzzerTestOneInput (const guint8 *bytes, gsize length)
{
  const GVariantType *type;
  g_autoptr (GVariant) value = NULL;
  GError *error = NULL;
  gsize offset;
  gboolean ok;

  if (length < 2)
    return 0;
  type = G_VARIANT_TYPE (types[bytes[0] % G_N_ELEMENTS (types)]);
  bytes++;
  length--;
  if (tractor__wire_check (bytes, length, FALSE, &offset) != NULL)
    return 0;
  ok = tractor__codec_unpack_as ((WireValue){ bytes, length }, NULL, type, UNPACK_AT_ONCE, &value,
                                 &error);
  fuzz_assert_outcome (ok, error);
  if (value == NULL)
    return 0;
  g_assert_true (ok);
  g_assert_false (g_variant_is_floating (value));
  g_assert_true (g_variant_is_of_type (value, type));
  g_assert_cmpuint (g_variant_get_size (value), <=, GROWTH * length + OVERHEAD);
  g_assert_true (g_variant_is_normal_form (value));
  send_on (value);
  return 0;
}
