/* test-codec.c - payloads: what each kind of value becomes on the wire, and what comes of it.
 *
 * Expected values are in GVariant's text form. Every fixture passes the gate first, as everything
 * that the codec is given has. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <math.h>
#include <string.h>
#include <time.h>

#include "bounds.h"
#include "codec.h"
#include "harness.h"
#include "msg.h"
#include "value.h"

#define BYTES(literal) ((WireValue){ (const guint8 *) (literal), sizeof (literal) - 1 })
#define TYPE(string)   ((string) != NULL ? G_VARIANT_TYPE (string) : NULL)

static const char *
check (WireValue bytes)
{
  gsize offset;

  return tractor__wire_check (bytes.bytes, bytes.length, FALSE, &offset);
}

static GVariant *
parse (const char *text)
{
  g_autoptr (GError) error = NULL;
  GVariant *value = g_variant_parse (NULL, text, NULL, NULL, &error);

  g_assert_no_error (error);
  return value;
}

static WireBuffer *
pack (GVariant *value)
{
  WireBuffer *buffer = tractor__wire_buffer_new ();
  g_autoptr (GError) error = NULL;

  g_assert_true (tractor__codec_pack (buffer, value, PACK_AT_ONCE, &error));
  g_assert_no_error (error);
  return buffer;
}

static GVariant *
unpack (WireValue bytes, const char *type)
{
  g_autoptr (GError) error = NULL;
  GVariant *value = NULL;

  g_assert_null (check (bytes));
  g_assert_true (
      tractor__codec_unpack_as (bytes, NULL, TYPE (type), UNPACK_AT_ONCE, &value, &error));
  g_assert_no_error (error);
  g_assert_true (value == NULL || !g_variant_is_floating (value));
  return value;
}

static void
assert_packs (const char *text, WireValue expected)
{
  g_autoptr (GVariant) value = parse (text);
  g_autoptr (WireBuffer) buffer = pack (value);

  g_assert_cmpmem (buffer->data, buffer->len, expected.bytes, expected.length);
}

static void
assert_arrives (WireValue bytes, const char *type, const char *expected_text)
{
  g_autoptr (GVariant) expected = parse (expected_text);
  g_autoptr (GVariant) value = unpack (bytes, type);

  g_assert_cmpvariant (value, expected);
}

/* Both ways, as its own type, and by a sender's check. */
static void
assert_keeps_its_type (GVariant *value)
{
  g_autoptr (WireBuffer) buffer = pack (value);
  g_autoptr (GVariant) arrived =
      unpack ((WireValue){ buffer->data, buffer->len }, g_variant_get_type_string (value));

  g_assert_cmpvariant (arrived, value);
  g_assert_true (tractor__codec_check (value, g_variant_get_type (value), NULL));
}

static void
assert_refused (WireValue bytes, const char *type, const char *message)
{
  g_autoptr (GError) error = NULL;
  GVariant *value = NULL;

  g_assert_null (check (bytes));
  g_assert_false (
      tractor__codec_unpack_as (bytes, NULL, TYPE (type), UNPACK_AT_ONCE, &value, &error));
  g_assert_null (value);
  g_assert_error (error, TRACTOR_ERROR, TRACTOR_ERROR_MSG_TYPE);
  g_assert_cmpstr (error->message, ==, message);
  g_assert_false (
      tractor__codec_unpack_as (bytes, NULL, TYPE (type), UNPACK_AT_ONCE, &value, NULL));
}

static void
assert_cannot_be_sent (GVariant *value, const char *why)
{
  WireBuffer *buffer = tractor__wire_buffer_new ();
  GError *error = NULL;

  wire_write_nil (buffer);
  g_assert_false (tractor__codec_pack (buffer, value, PACK_AT_ONCE, &error));
  g_assert_nonnull (strstr (error->message, why));
  harness_assert_error (error, TRACTOR_ERROR, TRACTOR_ERROR_MSG_TYPE);
  g_assert_cmpuint (buffer->len, ==, 1);
  tractor__wire_buffer_free (buffer);
}

/* --- to msgpack --------------------------------------------------------------------------------- */

static void
test_integers_take_least_room (void)
{
  assert_packs ("byte 0x05", BYTES ("\x05"));
  assert_packs ("int16 127", BYTES ("\x7f"));
  assert_packs ("int64 -32", BYTES ("\xe0"));
  assert_packs ("int32 -33", BYTES ("\xd0\xdf"));
  assert_packs ("int64 128", BYTES ("\xcc\x80"));
  assert_packs ("uint64 255", BYTES ("\xcc\xff"));
  assert_packs ("int64 -128", BYTES ("\xd0\x80"));
  assert_packs ("int64 -129", BYTES ("\xd1\xff\x7f"));
  assert_packs ("int32 256", BYTES ("\xcd\x01\x00"));
  assert_packs ("uint16 65535", BYTES ("\xcd\xff\xff"));
  assert_packs ("int64 -32769", BYTES ("\xd2\xff\xff\x7f\xff"));
  assert_packs ("int64 65536", BYTES ("\xce\x00\x01\x00\x00"));
  assert_packs ("int64 4294967296", BYTES ("\xcf\x00\x00\x00\x01\x00\x00\x00\x00"));
  assert_packs ("uint64 18446744073709551615", BYTES ("\xcf\xff\xff\xff\xff\xff\xff\xff\xff"));
  assert_packs ("@x -9223372036854775808", BYTES ("\xd3\x80\x00\x00\x00\x00\x00\x00\x00"));
}

/* The protocol's own integers are written elsewhere, as small. */
static void
test_own_integers_take_least_room (void)
{
  const gint64 integers[] = { 0,
                              1,
                              127,
                              128,
                              255,
                              256,
                              65535,
                              65536,
                              -1,
                              -32,
                              -33,
                              -128,
                              -129,
                              -32768,
                              -32769,
                              1 << 30,
                              G_MAXUINT32,
                              G_MININT32,
                              G_MININT32 - G_GINT64_CONSTANT (1),
                              G_MAXINT64,
                              G_MININT64 };

  for (guint i = 0; i < G_N_ELEMENTS (integers); i++) {
    g_autoptr (GVariant) value = g_variant_ref_sink (g_variant_new_int64 (integers[i]));
    g_autoptr (WireBuffer) buffer = pack (value);
    g_autoptr (WireBuffer) own = tractor__wire_buffer_new ();

    tractor__wire_write_integer (own, integers[i]);
    g_assert_cmpmem (own->data, own->len, buffer->data, buffer->len);
  }
}

static void
test_containers_are_packed (void)
{
  assert_packs ("true", BYTES ("\xc3"));
  assert_packs ("1.5", BYTES ("\xcb\x3f\xf8\0\0\0\0\0\0"));
  assert_packs ("'x'", BYTES ("\xa1x"));
  assert_packs ("objectpath '/x'", BYTES ("\xa2/x"));
  assert_packs ("@ay []", BYTES ("\xc4\x00"));
  assert_packs ("[byte 0x00, 0xff]", BYTES ("\xc4\x02\x00\xff"));
  assert_packs ("(1, 'a', <true>)", BYTES ("\x93\x01\xa1"
                                           "a\xc3"));
  assert_packs ("()", BYTES ("\x90"));
  assert_packs ("{1: 'a'}", BYTES ("\x81\x01\xa1"
                                   "a"));
  assert_packs ("@a{sv} {}", BYTES ("\x80"));
  assert_packs ("[just 1, nothing]", BYTES ("\x92\x01\xc0"));
}

static void
test_what_cannot_be_sent (void)
{
  g_autoptr (GVariant) handle = parse ("[<handle 1>]");
  g_autoptr (GVariant) nothing = parse ("@mi nothing");
  g_autofree GVariant **many = g_new (GVariant *, LIMIT_ELEMENTS);
  g_autoptr (GVariant) nothings = NULL;

  for (guint i = 0; i < LIMIT_ELEMENTS; i++)
    many[i] = nothing;
  nothings = g_variant_ref_sink (g_variant_new_array (NULL, many, LIMIT_ELEMENTS));
  assert_cannot_be_sent (handle, "'h' cannot be sent: tractor_value_new_fd()");
  assert_cannot_be_sent (nothings, "elements");
}

/* A frame cannot hold it: it is refused before it is copied. */
static void
test_too_long_to_send (void)
{
  gsize length = LIMIT_FRAME_BYTES + 1;
  guint8 *zeros = g_malloc0 (length);
  char *text = g_strnfill (length, 'x');
  g_autoptr (GVariant) bytes = g_variant_ref_sink (
      g_variant_new_from_data (G_VARIANT_TYPE_BYTESTRING, zeros, length, TRUE, g_free, zeros));
  g_autoptr (GVariant) string = g_variant_ref_sink (g_variant_new_take_string (text));
  g_autoptr (GVariant) extension = g_variant_ref_sink (g_variant_new ("(n@ay)", 1, bytes));

  assert_cannot_be_sent (bytes, "TractorLimits.frame_bytes");
  assert_cannot_be_sent (string, "TractorLimits.frame_bytes");
  assert_cannot_be_sent (extension, "TractorLimits.frame_bytes");
}

static GVariant *
nest (GVariant *inner, guint depth)
{
  while (depth-- > 0)
    inner = g_variant_new_array (G_VARIANT_TYPE_VARIANT,
                                 (GVariant *[]){ g_variant_new_variant (inner) }, 1);
  return g_variant_ref_sink (inner);
}

static void
test_nested_as_deep_as_may_be (void)
{
  g_autoptr (GVariant) deepest = nest (g_variant_new_int64 (1), LIMIT_DEPTH - 3);
  g_autoptr (GVariant) too_deep = nest (g_variant_new_int64 (1), LIMIT_DEPTH - 2);
  g_autoptr (WireBuffer) buffer = pack (deepest);
  g_autoptr (GVariant) arrived = unpack ((WireValue){ buffer->data, buffer->len }, NULL);

  g_assert_cmpvariant (arrived, deepest);
  assert_cannot_be_sent (too_deep, "deep");
}

static GVariant *
box (GVariant *inner, guint n)
{
  while (n-- > 0)
    inner = g_variant_new_variant (inner);
  return g_variant_ref_sink (inner);
}

/* They take no room in a frame, but stack where they are packed. In a task, whose stack is small. */
static gboolean
test_variants_in_variants (gpointer data, GError **error)
{
  (void) data;
  (void) error;
  for (guint n = LIMIT_LEVELS - 1; n <= LIMIT_LEVELS; n++) {
    g_autoptr (GVariant) boxed = box (g_variant_new_int64 (7), n);
    g_autoptr (WireBuffer) buffer = pack (boxed);

    g_assert_cmpmem (buffer->data, buffer->len, "\x07", 1);
  }
  for (guint n = LIMIT_LEVELS + 1; n < 4 * LIMIT_LEVELS; n++) {
    g_autoptr (GVariant) boxed = box (g_variant_new_int64 (7), n);

    assert_cannot_be_sent (boxed, "deep");
  }
  for (guint n = 3000; n <= 100000; n *= 2) {
    g_autoptr (RefusedValue) boxed = box (g_variant_new_int64 (7), n);

    assert_cannot_be_sent (boxed, "deep");
  }
  return TRUE;
}

static void
note_freed (gpointer data)
{
  ++*(guint *) data;
}

static GVariant *
new_noted (guint *n_freed)
{
  g_autoptr (GBytes) bytes = g_bytes_new_with_free_func ("12345678", 8, note_freed, n_freed);

  return g_variant_ref_sink (g_variant_new_from_bytes (G_VARIANT_TYPE_BYTESTRING, bytes, TRUE));
}

/* @inner: (transfer full) */
static GVariant *
wrap_twice (GVariant *inner)
{
  GVariant *both[] = { inner, inner };
  GVariant *pair = g_variant_new_variant (g_variant_new_tuple (both, G_N_ELEMENTS (both)));

  g_variant_unref (inner);
  return g_variant_ref_sink (pair);
}

/* What is refused for its depth is freed all the same, with all that is inside. */
static gboolean
test_refused_values_are_freed (gpointer data, GError **error)
{
  guint n_freed = 0;

  (void) data;
  (void) error;
  for (guint n = 1; n <= 100000; n *= 10) {
    GVariant *value = new_noted (&n_freed);

    for (guint i = 0; i < n; i++) {
      GVariant *boxed = g_variant_new_variant (value);

      g_variant_unref (value);
      value = g_variant_ref_sink (g_variant_new_array (NULL, &boxed, 1));
    }
    tractor__refused_value_unref (value);
    g_assert_cmpuint (n_freed, ==, 1);

    value = new_noted (&n_freed);
    for (guint i = 0; i < n; i++)
      value = wrap_twice (value); /* to be gone through once, or it would take for ever */
    tractor__refused_value_unref (value);
    g_assert_cmpuint (n_freed, ==, 2);
    n_freed = 0;
  }
  return TRUE;
}

/* Another may go on using it. */
static gboolean
test_refused_values_stay_with_others (gpointer data, GError **error)
{
  g_autoptr (RefusedValue) kept = box (g_variant_new_int64 (7), 5000);
  GVariant *refused[] = { kept };
  g_autoptr (GVariant) inner = NULL;

  (void) data;
  (void) error;
  tractor__refused_value_unref (g_variant_ref (kept));
  tractor__refused_value_unref (g_variant_ref_sink (g_variant_new_array (NULL, refused, 1)));
  inner = g_variant_get_variant (kept);
  g_assert_true (g_variant_is_of_type (inner, G_VARIANT_TYPE_VARIANT));
  return TRUE;
}

/* In a task: on a stack of its own. */
static gboolean
test_deep_values_fit_a_stack (gpointer data, GError **error)
{
  guint8 bytes[LIMIT_DEPTH * 2 + 1];
  g_autoptr (GVariant) maps = NULL;
  g_autofree char *text = NULL;

  (void) data;
  (void) error;
  for (guint i = 0; i < LIMIT_DEPTH; i++) {
    bytes[i * 2] = 0x81;
    bytes[i * 2 + 1] = (guint8) (i % 2 == 0 ? 0x05 : 0xc3);
  }
  bytes[LIMIT_DEPTH * 2] = 0xc0;
  maps = unpack ((WireValue){ bytes, sizeof bytes }, NULL);
  g_assert_true (g_variant_is_normal_form (maps));
  text = g_variant_print (maps, TRUE);
  g_assert_nonnull (strstr (text, "nothing"));
  return TRUE;
}

/* --- round trips -------------------------------------------------------------------------------- */

static void
test_every_type_keeps_itself (void)
{
  static const char *const texts[] = {
    "true",
    "false",
    "byte 0x00",
    "byte 0xff",
    "int16 -32768",
    "int16 32767",
    "uint16 65535",
    "int32 -2147483648",
    "int32 2147483647",
    "uint32 4294967295",
    "@x -9223372036854775808",
    "@x 9223372036854775807",
    "uint64 9223372036854775808",
    "uint64 18446744073709551615",
    "1.5",
    "-0.0",
    "inf",
    "''",
    "'gr\xc3\xbc\xc3\x9f'",
    "objectpath '/a/b'",
    "signature 'a{sv}'",
    "@ay []",
    "[byte 0x00, 0x80, 0xff]",
    "@ai []",
    "[1, -2, 300]",
    "[[1], [], [2, 3]]",
    "['a', '']",
    "@a{sv} {}",
    "{'i': <@x 5>, 's': <'abc'>, 'n': <@mv nothing>}",
    "{'a': {byte 0x01: true}}",
    "{@x -1: 'a', 300: 'b'}",
    "{1.5: 'd'}",
    "{true: 1, false: 0}",
    "{objectpath '/': 1}",
    "()",
    "(1,)",
    "(byte 0x01, 'a', [1.5], (true, @mi nothing))",
    "@mi nothing",
    "@mi 5",
    "@mv nothing",
    "@ms ''",
    "[just 'a', nothing]",
    "<@x 5>",
    "<[<@x 1>, <{'a': <@av []>}>]>",
    "@av []",
    "[(int16 300, [byte 0x01])]", /* no extension: such a code there is not */
    "(int16 5, [byte 0x01])",
    "[(int16 -128, @ay []), (127, [0x01])]",
  };

  for (guint i = 0; i < G_N_ELEMENTS (texts); i++) {
    g_autoptr (GVariant) value = parse (texts[i]);

    assert_keeps_its_type (value);
  }
}

static void
test_doubles_keep_their_bits (void)
{
  const double doubles[] = { NAN, -NAN, -0.0, -INFINITY, 5e-324, 1.7976931348623157e308 };

  for (guint i = 0; i < G_N_ELEMENTS (doubles); i++) {
    g_autoptr (GVariant) value = g_variant_ref_sink (g_variant_new_double (doubles[i]));

    assert_keeps_its_type (value);
  }
}

static void
test_lengths_around_each_head (void)
{
  static const gsize lengths[] = { 0, 1, 15, 16, 31, 32, 255, 256, 65535, 65536, 1 << 20 };

  for (guint i = 0; i < G_N_ELEMENTS (lengths); i++) {
    g_autofree char *text = g_strnfill (lengths[i], 'x');
    g_autoptr (GVariant) string = g_variant_ref_sink (g_variant_new_string (text));
    g_autoptr (GVariant) bytes =
        g_variant_ref_sink (g_variant_new_fixed_array (G_VARIANT_TYPE_BYTE, text, lengths[i], 1));

    assert_keeps_its_type (string);
    assert_keeps_its_type (bytes);
  }
  for (guint n = 14; n < 70000; n = n * 2 + 1) {
    g_autofree gint32 *integers = g_new0 (gint32, n);
    g_autoptr (GVariant) array = g_variant_ref_sink (
        g_variant_new_fixed_array (G_VARIANT_TYPE_INT32, integers, n, sizeof *integers));

    assert_keeps_its_type (array);
  }
}

/* --- free decoding ------------------------------------------------------------------------------ */

static void
test_values_without_a_type (void)
{
  assert_arrives (BYTES ("\xc3"), "*", "true");
  assert_arrives (BYTES ("\x05"), NULL, "@x 5");
  assert_arrives (BYTES ("\xff"), NULL, "@x -1");
  assert_arrives (BYTES ("\xcf\x80\0\0\0\0\0\0\0"), NULL, "@t 9223372036854775808");
  assert_arrives (BYTES ("\xca\x3f\xc0\0\0"), NULL, "1.5");
  assert_arrives (BYTES ("\xa0"), NULL, "''");
  assert_arrives (BYTES ("\xa3"
                         "a\0b"),
                  NULL, "[byte 0x61, 0x00, 0x62]");
  assert_arrives (BYTES ("\xc4\x00"), NULL, "@ay []");
  assert_arrives (BYTES ("\x90"), NULL, "@av []");
  assert_arrives (BYTES ("\x92\x01\xc0"), NULL, "[<@x 1>, <@mv nothing>]");
  assert_arrives (BYTES ("\x80"), NULL, "@a{sv} {}");
  assert_arrives (BYTES ("\x81\xa1"
                         "a\x80"),
                  NULL, "{'a': <@a{sv} {}>}");
  assert_arrives (BYTES ("\x82\x01\xc2\xff\xc3"), NULL, "{@x 1: <false>, -1: <true>}");
  assert_arrives (BYTES ("\x82\x01\xc2\xa1"
                         "b\xc3"),
                  NULL, "[(<@x 1>, <false>), (<'b'>, <true>)]");
  assert_arrives (BYTES ("\x81\xcf\x80\0\0\0\0\0\0\0\xc3"), NULL,
                  "[(<@t 9223372036854775808>, <true>)]");
  assert_arrives (BYTES ("\xd4\x07\x01"), NULL, "(int16 7, [byte 0x01])");
}

static void
test_nil_without_a_type_is_null (void)
{
  g_assert_null (unpack (BYTES ("\xc0"), NULL));
  g_assert_null (unpack (BYTES ("\xc0"), "*"));
}

static void
test_kwargs (void)
{
  g_autoptr (GVariant) none = NULL;
  g_autoptr (GVariant) some = NULL;
  GError *error = NULL;
  GVariant *refused = NULL;

  g_assert_true (tractor__codec_unpack_kwargs (BYTES ("\x80"), NULL, UNPACK_AT_ONCE, &none, NULL));
  g_assert_cmpstr (g_variant_get_type_string (none), ==, "a{sv}");
  g_assert_true (
      tractor__codec_unpack_kwargs (BYTES ("\x81\xa1x\x05"), NULL, UNPACK_AT_ONCE, &some, NULL));
  g_assert_cmpuint (g_variant_n_children (some), ==, 1);
  g_assert_false (tractor__codec_unpack_kwargs (BYTES ("\x81\x01\x05"), NULL, UNPACK_AT_ONCE,
                                                &refused, &error));
  harness_assert_error (error, TRACTOR_ERROR, TRACTOR_ERROR_MSG_TYPE);
  g_assert_false (
      tractor__codec_unpack_kwargs (BYTES ("\xc0"), NULL, UNPACK_AT_ONCE, &refused, &error));
  harness_assert_error (error, TRACTOR_ERROR, TRACTOR_ERROR_MSG_TYPE);
}

/* What upstream was seen to send: one value of each kind, in a whole frame's body. Where the
 * description leaves bytes out, in the time, they are ours. */
static void
test_python_return (void)
{
  static const char body[] = "\x83\xa8msg_type\xa6Return\xa3"
                             "cid\xd9\x24"
                             "4512b624-a9fc-4eed-8252-9529e356f2bf\xa3pld\x8d"
                             "\xa1i\xff\xa3"
                             "big\xcf\x80\0\0\0\0\0\0\0\xa1"
                             "f\xcb\x3f\xf8\0\0\0\0\0\0\xa1s\xa1x\xa1"
                             "b\xc4\x02\x00\xff\xa1t\x92\x01\x02\xa2st\x91\x03\xa1n\xc0\xa2"
                             "dt\xd7\xff\0\x29\x61\xc0\x65\x93\x52\x80\xa3ndt\xb3"
                             "2024-01-02T00:00:00\xa1u\xd9\x24"
                             "00000000-0000-0000-0000-000000000001\xa1"
                             "d\xa4"
                             "1.25\xa1k\x82\x01\xa1"
                             "a\xa1"
                             "b\x02";
  g_autoptr (GVariant) time = NULL;
  g_autoptr (GVariant) value = NULL;
  gint64 seconds;
  guint32 nanoseconds;
  Msg msg;

  g_assert_cmpuint (sizeof body - 1, ==, 207);
  g_assert_true (tractor__msg_read (BYTES (body), &msg, NULL));
  g_assert_cmpint (msg.type, ==, MSG_RETURN);
  assert_arrives (msg.fields[FIELD_PLD], NULL,
                  "{'i': <@x -1>, 'big': <@t 9223372036854775808>, 'f': <1.5>, 's': <'x'>,"
                  " 'b': <[byte 0, 255]>, 't': <[<@x 1>, <@x 2>]>, 'st': <[<@x 3>]>,"
                  " 'n': <@mv nothing>,"
                  " 'dt': <(@n -1, [byte 0x00, 0x29, 0x61, 0xc0, 0x65, 0x93, 0x52, 0x80])>,"
                  " 'ndt': <'2024-01-02T00:00:00'>,"
                  " 'u': <'00000000-0000-0000-0000-000000000001'>, 'd': <'1.25'>,"
                  " 'k': <[(<@x 1>, <'a'>), (<'b'>, <@x 2>)]>}");

  value = unpack (msg.fields[FIELD_PLD], "a{sv}");
  time = g_variant_lookup_value (value, "dt", NULL);
  g_assert_true (tractor_value_get_timestamp (time, &seconds, &nanoseconds, NULL));
  g_assert_cmpint (seconds, ==, 1704153728);
  g_assert_cmpuint (nanoseconds, ==, 678000);
}

/* --- decoding to a type ------------------------------------------------------------------------- */

static void
test_integers_of_each_width (void)
{
  assert_arrives (BYTES ("\xcf\0\0\0\0\0\0\0\x05"), "y", "byte 5"); /* however it was written */
  assert_arrives (BYTES ("\xcc\xff"), "y", "byte 255");
  assert_refused (BYTES ("\xcd\x01\x00"), "y", "expected 'y', got the integer 256");
  assert_refused (BYTES ("\xff"), "y", "expected 'y', got the integer -1");
  assert_arrives (BYTES ("\xd1\x80\x00"), "n", "int16 -32768");
  assert_refused (BYTES ("\xcd\x80\x00"), "n", "expected 'n', got the integer 32768");
  assert_arrives (BYTES ("\xcd\xff\xff"), "q", "uint16 65535");
  assert_refused (BYTES ("\xce\0\1\0\0"), "q", "expected 'q', got the integer 65536");
  assert_refused (BYTES ("\xff"), "q", "expected 'q', got the integer -1");
  assert_arrives (BYTES ("\xd2\x80\0\0\0"), "i", "int32 -2147483648");
  assert_refused (BYTES ("\xce\x80\0\0\0"), "i", "expected 'i', got the integer 2147483648");
  assert_arrives (BYTES ("\xce\xff\xff\xff\xff"), "u", "uint32 4294967295");
  assert_refused (BYTES ("\xcf\0\0\0\1\0\0\0\0"), "u", "expected 'u', got the integer 4294967296");
  assert_arrives (BYTES ("\xd3\x80\0\0\0\0\0\0\0"), "x", "@x -9223372036854775808");
  assert_refused (BYTES ("\xcf\x80\0\0\0\0\0\0\0"), "x",
                  "expected 'x', got the integer 9223372036854775808");
  assert_arrives (BYTES ("\xcf\xff\xff\xff\xff\xff\xff\xff\xff"), "t",
                  "uint64 18446744073709551615");
  assert_arrives (BYTES ("\x05"), "t", "uint64 5");
  assert_refused (BYTES ("\xff"), "t", "expected 't', got the integer -1");
}

static void
test_integers_of_other_kinds (void)
{
  static const char *const types[] = { "y", "n", "q", "i", "u", "x", "t" };

  for (guint i = 0; i < G_N_ELEMENTS (types); i++) {
    g_autofree char *a_double = g_strdup_printf ("expected '%s', got a double", types[i]);
    g_autofree char *a_boolean = g_strdup_printf ("expected '%s', got a boolean", types[i]);
    g_autofree char *nil = g_strdup_printf ("expected '%s', got nil", types[i]);

    assert_refused (BYTES ("\xcb\x3f\xf0\0\0\0\0\0\0"), types[i], a_double);
    assert_refused (BYTES ("\xc3"), types[i], a_boolean);
    assert_refused (BYTES ("\xc0"), types[i], nil);
  }
}

static void
test_booleans_and_doubles (void)
{
  assert_arrives (BYTES ("\xc2"), "b", "false");
  assert_refused (BYTES ("\x01"), "b", "expected 'b', got the integer 1");
  assert_arrives (BYTES ("\x01"), "d", "1.0");
  assert_arrives (BYTES ("\xff"), "d", "-1.0");
  assert_arrives (BYTES ("\xcf\x80\0\0\0\0\0\0\0"), "d", "9223372036854775808.0");
  assert_arrives (BYTES ("\xca\x3f\xc0\0\0"), "d", "1.5");
  assert_refused (BYTES ("\xa1"
                         "1"),
                  "d", "expected 'd', got a string");
}

static void
test_strings_paths_and_signatures (void)
{
  assert_arrives (BYTES ("\xa1"
                         "a"),
                  "s", "'a'");
  assert_arrives (BYTES ("\xa2/a"), "o", "objectpath '/a'");
  assert_arrives (BYTES ("\xa2"
                         "as"),
                  "g", "signature 'as'");
  assert_refused (BYTES ("\xa3"
                         "a\0b"),
                  "s", "expected 's', got a string with a NUL");
  assert_refused (BYTES ("\xa2/\0"), "o", "expected 'o', got a string with a NUL");
  assert_refused (BYTES ("\xa2//"), "o", "expected 'o', got a string");
  assert_refused (BYTES ("\xa1z"), "g", "expected 'g', got a string");
  assert_refused (BYTES ("\xc4\x01z"), "s", "expected 's', got bytes");
}

static void
test_bytes (void)
{
  assert_arrives (BYTES ("\xc4\x02\x00\xff"), "ay", "[byte 0x00, 0xff]");
  assert_arrives (BYTES ("\x92\x00\xcc\xff"), "ay", "[byte 0x00, 0xff]");
  assert_arrives (BYTES ("\x91\xc4\x01\x05"), "aay", "[[byte 0x05]]");
  assert_refused (BYTES ("\x92\x00\xcd\x01\x00"), "ay",
                  "at [1]: expected 'y', got the integer 256");
  assert_refused (BYTES ("\xa1"
                         "a"),
                  "ay", "expected 'ay', got a string");
}

static void
test_arrays_and_tuples (void)
{
  assert_arrives (BYTES ("\x92\x01\x02"), "aq", "[uint16 1, 2]");
  assert_arrives (BYTES ("\x92\x01\xa1"
                         "a"),
                  "(ns)", "(int16 1, 'a')");
  assert_arrives (BYTES ("\x92\x01\xa1"
                         "a"),
                  "av", "[<@x 1>, <'a'>]");
  assert_arrives (BYTES ("\x90"), "()", "()");
  assert_arrives (BYTES ("\x92\x90\x91\x01"), "aai", "[[], [1]]");
  assert_refused (BYTES ("\x92\x01\x02"), "(i)", "expected '(i)', got an array of 2");
  assert_refused (BYTES ("\x91\x01"), "(ii)", "expected '(ii)', got an array of 1");
  assert_refused (BYTES ("\x80"), "as", "expected 'as', got a map of 0");
  assert_refused (BYTES ("\xc4\x01\x05"), "ai", "expected 'ai', got bytes");
  assert_refused (BYTES ("\x90"), "a{sv}", "expected 'a{sv}', got an array of 0");
  assert_refused (BYTES ("\x91\x90"), "a(s)", "at [0]: expected '(s)', got an array of 0");
}

static void
test_dictionaries_of_any_key (void)
{
  assert_arrives (BYTES ("\x81\xa1"
                         "a\x01"),
                  "a{si}", "{'a': 1}");
  assert_arrives (BYTES ("\x81\x05\xc3"), "a{yb}", "{byte 0x05: true}");
  assert_arrives (BYTES ("\x81\x05\xc3"), "a{db}", "{5.0: true}");
  assert_arrives (BYTES ("\x81\xa1/\xc3"), "a{ob}", "{objectpath '/': true}");
  assert_arrives (BYTES ("\x80"), "a{tas}", "@a{tas} {}");
  assert_refused (BYTES ("\x82\x05\xc3\xa1"
                         "a\xc3"),
                  "a{xb}", "at [key 1]: expected 'x', got a string");
  assert_refused (BYTES ("\x81\xa1"
                         "a\xa1"
                         "b"),
                  "a{si}", "at ['a']: expected 'i', got a string");
}

static void
test_maybes_and_variants (void)
{
  assert_arrives (BYTES ("\xc0"), "mi", "@mi nothing");
  assert_arrives (BYTES ("\x05"), "mi", "@mi 5");
  assert_refused (BYTES ("\xa0"), "mi", "expected 'i', got a string");
  assert_arrives (BYTES ("\x92\xc0\x05"), "ami", "[nothing, just 5]");
  assert_arrives (BYTES ("\xc0"), "v", "<@mv nothing>");
  assert_arrives (BYTES ("\x05"), "v", "<@x 5>");
  assert_arrives (BYTES ("\x05"), "mv", "@mv <@x 5>");
  assert_refused (BYTES ("\xc0"), "s", "expected 's', got nil");
  assert_refused (BYTES ("\xc0"), "a{sv}", "expected 'a{sv}', got nil");
}

static void
test_indefinite_types (void)
{
  assert_arrives (BYTES ("\x05"), "?", "@x 5");
  assert_refused (BYTES ("\x90"), "?", "expected '?', got an array of 0");
  assert_refused (BYTES ("\xc0"), "?", "expected '?', got nil");
  assert_arrives (BYTES ("\xd4\x05\x01"), "r", "(int16 5, [byte 0x01])");
  assert_refused (BYTES ("\x90"), "r", "expected 'r', got an array of 0");
  assert_arrives (BYTES ("\x91\x05"), "a*", "[<@x 5>]");
  assert_arrives (BYTES ("\xc4\x01\x05"), "a*", "[byte 0x05]");
  assert_arrives (BYTES ("\x81\x01\x02"), "a{?*}", "{@x 1: <@x 2>}");
  assert_refused (BYTES ("\xa0"), "a*", "expected 'a*', got a string");
  assert_arrives (BYTES ("\x93\x05\xc0\x01"), "(**n)", "(@x 5, @mv nothing, int16 1)");
  assert_arrives (BYTES ("\xc0"), "m*", "@mv nothing");
  assert_arrives (BYTES ("\x05"), "m*", "@mx 5");
  assert_arrives (BYTES ("\xc0"), "m?", "@ms nothing");
  assert_arrives (BYTES ("\xc0"), "ma(r*)", "@ma(()v) nothing");
}

static void
test_handles_never_arrive (void)
{
  assert_refused (BYTES ("\x05"), "h", "expected 'h', got the integer 5");
  assert_refused (BYTES ("\x91\x05"), "ah", "at [0]: expected 'h', got the integer 5");
}

static void
test_a_fault_says_where (void)
{
  g_autofree char *long_key = g_strnfill (200, 'k');
  g_autoptr (GVariant) long_map = g_variant_ref_sink (g_variant_new_parsed ("{%s: 'x'}", long_key));
  g_autoptr (WireBuffer) buffer = pack (long_map);

  assert_refused (BYTES ("\x93\x80\x80\x81\xa4name\xa1x"), "aa{si}",
                  "at [2]['name']: expected 'i', got a string");
  assert_refused (BYTES ("\x92\x01\x81\x05\x92\x01\xc0"), "(xa{x(xx)})",
                  "at [1][5][1]: expected 'x', got nil");
  assert_refused ((WireValue){ buffer->data, buffer->len }, "a{si}",
                  "at [pair 0]: expected 'i', got a string");
}

/* --- a sender's check --------------------------------------------------------------------------- */

static gboolean
would_arrive (const char *text, const char *type)
{
  g_autoptr (GVariant) value = text != NULL ? parse (text) : NULL;
  GError *error = NULL;

  if (tractor__codec_check (value, TYPE (type), &error)) {
    g_assert_no_error (error);
    return TRUE;
  }
  harness_assert_error (error, TRACTOR_ERROR, TRACTOR_ERROR_MSG_TYPE);
  return FALSE;
}

static void
test_a_sender_knows_what_arrives (void)
{
  g_assert_true (would_arrive ("5", "i"));
  g_assert_true (would_arrive ("@x 5", "y"));
  g_assert_false (would_arrive ("@x 300", "y"));
  g_assert_false (would_arrive ("'a'", "i"));
  g_assert_true (would_arrive ("1", "d"));
  g_assert_true (would_arrive ("[1, 2]", "(nu)"));
  g_assert_false (would_arrive ("[1, 2]", "(n)"));
  g_assert_true (would_arrive ("{'a': <1>}", "a{si}"));
  g_assert_true (would_arrive ("{'a': <1>}", "a{sv}"));
  g_assert_true (would_arrive ("[1]", "a*"));
  g_assert_false (would_arrive ("[1]", "aa*"));
  g_assert_false (would_arrive ("(1, 2)", "r")); /* it arrives as an array */
  g_assert_false (would_arrive ("handle 1", "h"));
  g_assert_false (would_arrive ("<handle 1>", "v"));
  g_assert_true (would_arrive (NULL, NULL));
  g_assert_true (would_arrive (NULL, "*"));
  g_assert_true (would_arrive (NULL, "ms"));
  g_assert_false (would_arrive (NULL, "s"));
}

/* --- timestamps --------------------------------------------------------------------------------- */

static void
assert_timestamp (gint64 seconds, guint32 nanoseconds, WireValue expected)
{
  g_autoptr (GVariant) value =
      g_variant_ref_sink (tractor_value_new_timestamp (seconds, nanoseconds));
  g_autoptr (WireBuffer) buffer = pack (value);
  g_autoptr (GVariant) arrived = NULL;
  g_autoptr (GError) error = NULL;
  gint64 read_seconds;
  guint32 read_nanoseconds;

  g_assert_cmpmem (buffer->data, buffer->len, expected.bytes, expected.length);
  arrived = unpack (expected, NULL);
  g_assert_true (tractor_value_get_timestamp (arrived, &read_seconds, &read_nanoseconds, &error));
  g_assert_no_error (error);
  g_assert_cmpint (read_seconds, ==, seconds);
  g_assert_cmpuint (read_nanoseconds, ==, nanoseconds);
  g_assert_true (tractor_value_get_timestamp (arrived, NULL, NULL, NULL));
}

static void
test_timestamps_take_least_room (void)
{
  assert_timestamp (0, 0, BYTES ("\xd6\xff\0\0\0\0"));
  assert_timestamp (G_MAXUINT32, 0, BYTES ("\xd6\xff\xff\xff\xff\xff"));
  assert_timestamp (0, 1, BYTES ("\xd7\xff\0\0\0\4\0\0\0\0"));
  assert_timestamp (G_MAXUINT32 + G_GINT64_CONSTANT (1), 0, BYTES ("\xd7\xff\0\0\0\1\0\0\0\0"));
  assert_timestamp ((G_GINT64_CONSTANT (1) << 34) - 1, 999999999,
                    BYTES ("\xd7\xff\xee\x6b\x27\xff\xff\xff\xff\xff"));
  assert_timestamp (G_GINT64_CONSTANT (1) << 34, 0, BYTES ("\xc7\x0c\xff\0\0\0\0\0\0\0\4\0\0\0\0"));
  assert_timestamp (-1, 999999999,
                    BYTES ("\xc7\x0c\xff\x3b\x9a\xc9\xff\xff\xff\xff\xff\xff\xff\xff\xff"));
  assert_timestamp (G_MININT64, 0, BYTES ("\xc7\x0c\xff\0\0\0\0\x80\0\0\0\0\0\0\0"));
}

static void
test_what_is_no_timestamp (void)
{
  static const char *const texts[] = {
    "(@n -1, [byte 0, 0, 0])",
    "(@n -1, @ay [])",
    "(@n 1, [byte 0, 0, 0, 0])",
    "(@n -1, [byte 0xee, 0x6b, 0x28, 0, 0, 0, 0, 0])", /* a second of nanoseconds */
    "(@n -1, [byte 0x3b, 0x9a, 0xca, 0, 0, 0, 0, 0, 0, 0, 0, 0])",
    "@x 5",
  };
  GError *error = NULL;

  for (guint i = 0; i < G_N_ELEMENTS (texts); i++) {
    g_autoptr (GVariant) value = parse (texts[i]);

    g_assert_false (tractor_value_get_timestamp (value, NULL, NULL, &error));
    harness_assert_error (error, TRACTOR_ERROR, TRACTOR_ERROR_MSG_TYPE);
  }
  g_assert_false (tractor_value_get_timestamp (NULL, NULL, NULL, &error));
  harness_assert_error (error, TRACTOR_ERROR, TRACTOR_ERROR_MSG_TYPE);
}

/* --- extensions --------------------------------------------------------------------------------- */

#define COLOUR_CODE 5
#define WRONG_CODE  6
#define KEPT_CODE   7

/* A colour is a (yyy), and three bytes. */
static GBytes *
pack_colour (GVariant *content, gpointer data, GError **error)
{
  guint8 rgb[3];

  g_assert_cmpstr (data, ==, "colours");
  g_variant_get (content, "(yyy)", &rgb[0], &rgb[1], &rgb[2]);
  if (rgb[0] == 0xff) {
    g_set_error_literal (error, G_FILE_ERROR, G_FILE_ERROR_INVAL, "too red");
    return NULL;
  }
  return g_bytes_new (rgb, sizeof rgb);
}

static GVariant *
unpack_colour (const guint8 *bytes, gsize length, gpointer data, GError **error)
{
  g_assert_cmpstr (data, ==, "colours");
  if (length == 3)
    return g_variant_new ("(yyy)", bytes[0], bytes[1], bytes[2]);
  if (length > 0)
    g_set_error_literal (error, G_FILE_ERROR, G_FILE_ERROR_INVAL, "no colour");
  return NULL;
}

static GVariant *
unpack_wrongly (const guint8 *bytes, gsize length, gpointer data, GError **error)
{
  (void) bytes;
  (void) data;
  (void) error;
  return g_variant_new_uint64 (length);
}

/* One that is not floating, and of which the program has a reference besides. */
static GVariant *
unpack_kept (const guint8 *bytes, gsize length, gpointer data, GError **error)
{
  (void) bytes;
  (void) length;
  (void) error;
  return g_variant_ref (data);
}

static void
register_colours (void)
{
  g_autoptr (GError) error = NULL;

  g_assert_true (tractor_ext_type_register (COLOUR_CODE, "(yyy)", pack_colour, unpack_colour,
                                            (gpointer) "colours", &error));
  g_assert_no_error (error);
}

static void
test_an_extension_is_bytes (void)
{
  assert_packs ("(@n 5, [byte 0x01])", BYTES ("\xd4\x05\x01"));
  assert_packs ("(@n -128, @ay [])", BYTES ("\xc7\x00\x80"));
  assert_packs ("(@n 128, @ay [])", BYTES ("\x92\xcc\x80\xc4\x00"));
  assert_packs ("[<(@n 5, [byte 0x01, 0x02])>]", BYTES ("\x91\xd5\x05\x01\x02"));
  assert_arrives (BYTES ("\x92\x05\xc4\x01\x01"), "(nay)", "(@n 5, [byte 0x01])");
  assert_refused (BYTES ("\xd4\x05\x01"), "(yyy)", "expected '(yyy)', got an extension of type 5");
  assert_refused (BYTES ("\xd4\xff\x01"), "i", "expected 'i', got an extension of type -1");
}

static void
test_a_registered_extension (void)
{
  g_autoptr (GVariant) value = NULL;
  g_autoptr (GVariant) tuple = NULL;
  g_autoptr (GError) error = NULL;

  register_colours ();
  value = g_variant_ref_sink (
      tractor_value_new_ext (COLOUR_CODE, g_variant_new ("(yyy)", 1, 2, 3), &error));
  g_assert_no_error (error);
  tuple = g_variant_ref_sink (g_variant_new ("(s@(nay))", "a", value));
  {
    g_autoptr (WireBuffer) buffer = pack (tuple);
    WireValue bytes = { buffer->data, buffer->len };

    g_assert_cmpmem (bytes.bytes, bytes.length,
                     "\x92\xa1"
                     "a\xc7\x03\x05\x01\x02\x03",
                     9);
    assert_arrives (bytes, NULL, "[<'a'>, <(byte 0x01, byte 0x02, byte 0x03)>]");
    assert_arrives (bytes, "(s(yyy))", "('a', (byte 0x01, byte 0x02, byte 0x03))");
    assert_arrives (bytes, "(s(nay))", "('a', (@n 5, [byte 0x01, 0x02, 0x03]))");
    assert_arrives (bytes, "(sm(yyy))", "('a', @m(yyy) (0x01, 0x02, 0x03))");
    assert_arrives (bytes, "(sr)", "('a', (byte 0x01, byte 0x02, byte 0x03))");
    assert_refused (bytes, "(s(yy))", "at [1]: expected '(yy)', got an extension of type 5");
  }
  g_assert_true (would_arrive ("(@n 5, [byte 1, 2, 3])", "(yyy)"));
  g_assert_false (would_arrive ("<(@n 5, [byte 1])>", "v"));
}

static void
test_a_failing_extension (void)
{
  GError *error = NULL;

  register_colours ();
  g_assert_true (
      tractor_ext_type_register (WRONG_CODE, "s", pack_colour, unpack_wrongly, NULL, NULL));
  assert_refused (BYTES ("\xd4\x05\x01"), NULL, "an extension of type 5: no colour");
  assert_refused (BYTES ("\xc7\x00\x05"), NULL, "an extension of type 5: refused");
  assert_refused (BYTES ("\x81\xa1"
                         "c\x92\x01\xd4\x05\x01"),
                  "a{sv}", "at ['c'][1]: an extension of type 5: no colour");
  assert_refused (BYTES ("\xd4\x06\x01"), NULL,
                  "an extension of type 6: its function made a 't' of it");

  g_assert_null (tractor_value_new_ext (COLOUR_CODE, g_variant_new ("(yyy)", 255, 0, 0), &error));
  harness_assert_error (error, G_FILE_ERROR, G_FILE_ERROR_INVAL);
  g_assert_null (tractor_value_new_ext (COLOUR_CODE, g_variant_new_string ("red"), &error));
  harness_assert_error (error, TRACTOR_ERROR, TRACTOR_ERROR_MSG_TYPE);
  g_assert_null (tractor_value_new_ext (9, g_variant_new_string ("red"), &error));
  harness_assert_error (error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE);
}

static void
test_an_extension_that_is_kept (void)
{
  g_autoptr (GVariant) kept = parse ("{'a': <1>}");
  g_autoptr (GVariant) copy = parse ("{'a': <1>}");

  g_assert_true (tractor_ext_type_register (KEPT_CODE, "*", pack_colour, unpack_kept, kept, NULL));
  assert_arrives (BYTES ("\xd4\x07\x01"), NULL, "{'a': <1>}");
  assert_arrives (BYTES ("\x92\xd4\x07\x01\xd4\x07\x01"), NULL, "[<{'a': <1>}>, <{'a': <1>}>]");
  assert_arrives (BYTES ("\x91\xd4\x07\x01"), "aa{sv}", "[{'a': <1>}]");
  assert_refused (BYTES ("\xd4\x07\x01"), "i", "expected 'i', got an extension of type 7");
  assert_refused (BYTES ("\x92\xd4\x07\x01\x05"), "aa{sv}",
                  "at [1]: expected 'a{sv}', got the integer 5");
  g_assert_cmpvariant (kept, copy);
}

static void
assert_misuse (gint8 code, const char *type, TractorExtPackFunc pack_func)
{
  GError *error = NULL;

  g_assert_false (tractor_ext_type_register (code, type, pack_func, unpack_colour, NULL, &error));
  harness_assert_error (error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE);
}

static void
test_registering_wrongly (void)
{
  register_colours ();
  assert_misuse (COLOUR_CODE, "(yyy)", pack_colour); /* twice */
  assert_misuse (-1, "(yyy)", pack_colour);
  assert_misuse (-128, "(yyy)", pack_colour);
  assert_misuse (10, "(yy", pack_colour);
  assert_misuse (10, NULL, pack_colour);
  assert_misuse (10, "(yyy)", NULL);
  g_assert_true (tractor_ext_type_register (127, "*", pack_colour, unpack_colour, NULL, NULL));
}

/* --- the bytes of a value ------------------------------------------------------------------------ */

/* (transfer floating): the same as a tree, which GLib then writes itself. */
static GVariant *
rebuild (GVariant *value)
{
  gsize n = g_variant_is_container (value) ? g_variant_n_children (value) : 0;
  g_autofree GVariant **children = g_new (GVariant *, MAX (n, 1));

  for (gsize i = 0; i < n; i++) {
    g_autoptr (GVariant) child = g_variant_get_child_value (value, i);

    children[i] = rebuild (child);
  }
  switch (g_variant_classify (value)) {
  case G_VARIANT_CLASS_VARIANT:
    return g_variant_new_variant (children[0]);
  case G_VARIANT_CLASS_MAYBE:
    return g_variant_new_maybe (g_variant_type_element (g_variant_get_type (value)),
                                n > 0 ? children[0] : NULL);
  case G_VARIANT_CLASS_ARRAY:
    return g_variant_new_array (g_variant_type_element (g_variant_get_type (value)), children, n);
  case G_VARIANT_CLASS_TUPLE:
    return g_variant_new_tuple (children, n);
  case G_VARIANT_CLASS_DICT_ENTRY:
    return g_variant_new_dict_entry (children[0], children[1]);
  default:
    return g_variant_new_from_data (g_variant_get_type (value), g_variant_get_data (value),
                                    g_variant_get_size (value), TRUE, NULL, NULL);
  }
}

/* It is trusted to be what GLib would have made of it, so it has to be. */
static void
assert_as_of_glib (GVariant *value)
{
  gsize size = g_variant_get_size (value);
  g_autofree guint8 *copy = g_memdup2 (g_variant_get_data (value), size);
  g_autoptr (GVariant) untrusted = g_variant_ref_sink (
      g_variant_new_from_data (g_variant_get_type (value), copy, size, FALSE, NULL, NULL));
  g_autoptr (GVariant) tree = g_variant_ref_sink (rebuild (value));

  g_assert_true (g_variant_is_normal_form (untrusted));
  g_assert_cmpvariant (untrusted, tree);
  g_assert_cmpmem (g_variant_get_data (tree), g_variant_get_size (tree), copy, size);
}

/* Around each size at which what is in a container needs more room for its ends. */
static void
test_containers_of_each_size (void)
{
  static const char *const types[] = { "*", "av", "as", "a(sy)", "a{sv}", "a{ys}", "aams" };

  for (guint i = 0; i < G_N_ELEMENTS (types); i++)
    for (guint32 n = 0; n < 30000; n = n < 300 ? n + 1 : n + n / 3) {
      g_autoptr (WireBuffer) buffer = tractor__wire_buffer_new ();
      gboolean is_map = strchr (types[i], '{') != NULL;
      g_autoptr (GVariant) value = NULL;

      if (is_map)
        tractor__wire_write_map (buffer, n);
      else
        tractor__wire_write_array (buffer, n);
      for (guint32 j = 0; j < n; j++)
        if (is_map && types[i][2] == 'y')
          wire_append_literal (buffer, "\x05\xa2zz");
        else if (is_map)
          wire_append_literal (buffer, "\xa1k\x05");
        else if (types[i][1] == '(')
          wire_append_literal (buffer, "\x92\xa1x\x05");
        else if (types[i][1] == 'a')
          wire_append_literal (buffer, "\x92\xa1x\xc0");
        else
          wire_append_literal (buffer, "\xa1x");
      value = unpack ((WireValue){ buffer->data, buffer->len }, types[i]);
      g_assert_cmpuint (g_variant_n_children (value), ==, n);
      assert_as_of_glib (value);
    }
}

#define N_TINY 250000

/* (transfer full): an array of as many of @element, which is a byte, as a payload may have, nearly. */
static WireBuffer *
write_tiny (const char *element)
{
  WireBuffer *buffer = tractor__wire_buffer_new ();

  tractor__wire_write_array (buffer, N_TINY);
  for (guint32 i = 0; i < N_TINY; i++)
    wire_append (buffer, element, 1);
  return buffer;
}

/* What a peer makes small costs little memory here. */
static void
test_many_tiny_elements (void)
{
  static const char *const elements[] = { "\x05", "\xc0", "\x80", "\x90", "\xa0", "\xc3" };

  for (guint i = 0; i < G_N_ELEMENTS (elements); i++) {
    g_autoptr (WireBuffer) buffer = write_tiny (elements[i]);
    WireValue bytes = { buffer->data, buffer->len };
    g_autoptr (GVariant) value = unpack (bytes, NULL);

    g_assert_cmpuint (g_variant_get_size (value), <=, 21 * bytes.length);
  }
}

static gboolean
count_turns (gpointer data, GError **error)
{
  guint *n_turns = data;

  while (tractor_checkpoint (error))
    ++*n_turns;
  return FALSE;
}

static guint
count_turns_of_others (WireBuffer *buffer, UnpackPace pace, GError **error)
{
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  g_autoptr (GVariant) value = NULL;
  guint n_turns = 0;

  tractor_nursery_spawn (nursery, "others", count_turns, &n_turns, NULL, error);
  g_assert_true (tractor__codec_unpack_as ((WireValue){ buffer->data, buffer->len }, NULL, NULL,
                                           pace, &value, error));
  tractor_cancel_scope_cancel (tractor_nursery_get_scope (nursery), "enough");
  g_assert_true (tractor_nursery_join (nursery, error));
  return n_turns;
}

static gboolean
test_others_have_turns (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (WireBuffer) many = write_tiny ("\x05");
  g_autoptr (WireBuffer) large = tractor__wire_buffer_new ();
  const guint n_bytes = 8 * 1024 * 1024;
  g_autofree char *bytes = g_strnfill (n_bytes, 'x');

  tractor__wire_write_string (large, bytes);
  /* The first turn is their start. */
  g_assert_cmpuint (count_turns_of_others (many, UNPACK_IN_TURNS, error), >=,
                    N_TINY / VALUES_A_TURN - 1);
  g_assert_cmpuint (count_turns_of_others (large, UNPACK_IN_TURNS, error), >=,
                    n_bytes / BYTES_A_TURN - 2);
  g_assert_cmpuint (count_turns_of_others (many, UNPACK_AT_ONCE, error), <=, 1);
  g_assert_cmpuint (count_turns_of_others (large, UNPACK_AT_ONCE, error), <=, 1);
  return TRUE;
}

/* --- packed in turns ------------------------------------------------------------------------------ */

/* Each more than a sender packs at once. */
static GVariant *
new_large (guint kind)
{
  const guint n = 200000;
  g_autofree gint64 *numbers = g_new (gint64, n);
  g_autofree char *text = g_strnfill (3 * 1024 * 1024, 'x');
  GVariantBuilder builder;

  switch (kind) {
  case 0:
    for (guint i = 0; i < n; i++)
      numbers[i] = (gint64) i * i * i - 1000;
    return g_variant_new_fixed_array (G_VARIANT_TYPE_INT64, numbers, n, sizeof *numbers);
  case 1:
    return g_variant_new_string (text);
  case 2:
    return g_variant_new_fixed_array (G_VARIANT_TYPE_BYTE, text, strlen (text), 1);
  default:
    g_variant_builder_init (&builder, G_VARIANT_TYPE ("a(sv)"));
    for (guint i = 0; i < n / 10; i++)
      g_variant_builder_add (&builder, "(sv)", "name", g_variant_new_int32 ((gint32) i));
    return g_variant_builder_end (&builder);
  }
}

static guint
count_turns_while_packing (WireBuffer *buffer, GVariant *value, PackPace pace, GError **error)
{
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  guint n_turns = 0;

  tractor_nursery_spawn (nursery, "others", count_turns, &n_turns, NULL, error);
  g_assert_true (tractor__codec_pack (buffer, value, pace, error));
  tractor_cancel_scope_cancel (tractor_nursery_get_scope (nursery), "enough");
  g_assert_true (tractor_nursery_join (nursery, error));
  return n_turns;
}

static gboolean
test_packed_in_turns (G_GNUC_UNUSED gpointer data, GError **error)
{
  for (guint kind = 0; kind <= 3; kind++) {
    g_autoptr (GVariant) value = g_variant_ref_sink (new_large (kind));
    g_autoptr (WireBuffer) at_once = tractor__wire_buffer_new ();
    g_autoptr (WireBuffer) in_turns = tractor__wire_buffer_new ();

    g_assert_cmpuint (count_turns_while_packing (at_once, value, PACK_AT_ONCE, error), <=, 1);
    g_assert_cmpuint (count_turns_while_packing (in_turns, value, PACK_IN_TURNS, error), >=,
                      LARGE_TO_PACK_BYTES / BYTES_A_TURN);
    g_assert_cmpmem (in_turns->data, in_turns->len, at_once->data, at_once->len);
    wire_truncate (at_once, 1);
    g_assert_false (tractor__codec_pack (at_once, value, PACK_UNLESS_LARGE, error));
    g_assert_no_error (*error);
    g_assert_cmpuint (at_once->len, ==, 1);
  }
  return TRUE;
}

/* As what is not large is, with any pace. */
static gboolean
test_small_is_packed_at_once (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (GVariant) value = parse ("{'a': <[1, 2, 3]>, 'b': <'text'>, 'c': <b'bytes'>}");
  g_autoptr (WireBuffer) expected = pack (value);

  for (PackPace pace = PACK_AT_ONCE; pace <= PACK_IN_TURNS; pace++) {
    g_autoptr (WireBuffer) buffer = tractor__wire_buffer_new ();

    g_assert_cmpuint (count_turns_while_packing (buffer, value, pace, error), <=, 1);
    g_assert_cmpmem (buffer->data, buffer->len, expected->data, expected->len);
  }
  return TRUE;
}

/* An array of numbers is read as such; a tuple of them is not, and is the same in msgpack. */
static void
test_arrays_of_numbers (void)
{
  static const char *const pairs[][2] = {
    { "[int16 -32768, 32767, -33, 0]", "(int16 -32768, int16 32767, int16 -33, int16 0)" },
    { "[uint16 65535, 256, 127]", "(uint16 65535, uint16 256, uint16 127)" },
    { "[-2147483648, 2147483647]", "(-2147483648, 2147483647)" },
    { "[uint32 4294967295, 65536]", "(uint32 4294967295, uint32 65536)" },
    { "[int64 -9223372036854775808, 9223372036854775807]",
      "(int64 -9223372036854775808, int64 9223372036854775807)" },
    { "[uint64 18446744073709551615, 1]", "(uint64 18446744073709551615, uint64 1)" },
    { "[0.5, -1e300]", "(0.5, -1e300)" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (pairs); i++) {
    g_autoptr (GVariant) array = parse (pairs[i][0]);
    g_autoptr (GVariant) tuple = parse (pairs[i][1]);
    g_autoptr (WireBuffer) of_array = pack (array);
    g_autoptr (WireBuffer) of_tuple = pack (tuple);

    g_assert_cmpmem (of_array->data, of_array->len, of_tuple->data, of_tuple->len);
  }
}

/* --- random documents --------------------------------------------------------------------------- */

#define N_ROUNDS 200000

static void
append_random_type (GString *type, guint depth)
{
  static const char basic[] = "bynqiuxtdsog?";
  static const char plain[] = "bynqiuxtdsogvvvv?*rh";

  switch (g_test_rand_int_range (0, depth > 0 ? 6 : 1)) {
  case 1:
    g_string_append_c (type, 'm');
    append_random_type (type, depth - 1);
    return;
  case 2:
    g_string_append_c (type, 'a');
    append_random_type (type, depth - 1);
    return;
  case 3:
    g_string_append (type, "a{");
    g_string_append_c (type, basic[g_test_rand_int_range (0, sizeof basic - 1)]);
    append_random_type (type, depth - 1);
    g_string_append_c (type, '}');
    return;
  case 4:
    g_string_append_c (type, '(');
    for (int n = g_test_rand_int_range (0, 4); n > 0; n--)
      append_random_type (type, depth - 1);
    g_string_append_c (type, ')');
    return;
  case 5:
    g_string_append (type, "(nay)");
    return;
  default:
    g_string_append_c (type, plain[g_test_rand_int_range (0, sizeof plain - 1)]);
    return;
  }
}

static void
mutate (WireBuffer *document)
{
  for (int n = g_test_rand_int_range (1, 4); n > 0 && document->len > 0; n--) {
    guint at = (guint) g_test_rand_int_range (0, (gint32) document->len);

    switch (g_test_rand_int_range (0, 4)) {
    case 0:
      memmove (document->data + at, document->data + at + 1, --document->len - at);
      break;
    case 1:
      document->data[at] ^= (guint8) (1u << g_test_rand_int_range (0, 8));
      break;
    default:
      document->data[at] = (guint8) g_test_rand_int ();
      break;
    }
  }
}

static void
decode_both_ways (WireValue bytes, const char *type, guint *n_typed)
{
  g_autoptr (GVariant) freely = NULL;
  g_autoptr (GVariant) typed = NULL;
  g_autoptr (GError) error = NULL;

  if (tractor__codec_unpack (bytes, &freely, NULL) && freely != NULL) {
    assert_as_of_glib (freely);
    tractor__codec_check (freely, G_VARIANT_TYPE (type), NULL);
  }
  if (!tractor__codec_unpack_as (bytes, NULL, G_VARIANT_TYPE (type), UNPACK_AT_ONCE, &typed,
                                 &error)) {
    g_assert_error (error, TRACTOR_ERROR, TRACTOR_ERROR_MSG_TYPE);
    return;
  }
  if (typed == NULL)
    return;
  g_assert_true (g_variant_is_of_type (typed, G_VARIANT_TYPE (type)));
  assert_as_of_glib (typed);
  ++*n_typed;
}

static void
test_random_documents (void)
{
  static const char *const texts[] = {
    "{'i': <5>, 's': <'abc'>, 'b': <[byte 1, 2, 3]>, 'n': <@mv nothing>}",
    "[<1>, <(@n 5, [byte 1, 2, 3])>, <(@n -1, [byte 0, 0, 0, 1])>, <(@n 7, [byte 1])>]",
    "{1: {2: ['a', 'b', 'c']}, 3: {}}",
    "(1, 2.5, 'x', [(true, 'y')], 70000, @x 5000000000)",
    "[[1, 2, 3], [], [4, 300, -5]]",
    "'a string'",
    "[<[<[<[<{'deep': <{'er': <@x 1>}>}>]>]>]>]",
  };
  g_autoptr (GPtrArray) documents =
      g_ptr_array_new_with_free_func ((GDestroyNotify) tractor__wire_buffer_free);
  g_autoptr (GVariant) kept = parse ("[(1, 'x')]");
  g_autoptr (GString) type = g_string_new (NULL);
  guint n_typed = 0;
  guint n_passed = 0;

  register_colours ();
  g_assert_true (tractor_ext_type_register (KEPT_CODE, "*", pack_colour, unpack_kept, kept, NULL));
  for (guint i = 0; i < G_N_ELEMENTS (texts); i++) {
    g_autoptr (GVariant) value = parse (texts[i]);

    g_ptr_array_add (documents, pack (value));
  }

  while (n_passed < N_ROUNDS) {
    WireBuffer *original = documents->pdata[g_test_rand_int_range (0, (gint32) documents->len)];
    g_autoptr (WireBuffer) document = tractor__wire_buffer_new ();
    WireValue bytes;

    wire_append (document, original->data, original->len);
    mutate (document);
    bytes = (WireValue){ document->data, document->len };
    if (bytes.length == 0 || check (bytes) != NULL)
      continue;
    n_passed++;
    g_string_truncate (type, 0);
    append_random_type (type, 3);
    decode_both_ways (bytes, type->str, &n_typed);
  }
  g_assert_cmpuint (n_typed, >, N_ROUNDS / 100);
}

int
main (int argc, char **argv)
{
  harness_init (&argc, &argv);
  harness_add ("/src/codec/integers-take-least-room", test_integers_take_least_room);
  harness_add ("/src/codec/own-integers-take-least-room", test_own_integers_take_least_room);
  harness_add ("/src/codec/containers-are-packed", test_containers_are_packed);
  harness_add ("/src/codec/what-cannot-be-sent", test_what_cannot_be_sent);
  harness_add ("/src/codec/too-long-to-send", test_too_long_to_send);
  harness_add ("/src/codec/nested-as-deep-as-may-be", test_nested_as_deep_as_may_be);
  harness_add_task ("/src/codec/variants-in-variants", test_variants_in_variants);
  harness_add_task ("/src/codec/refused-values-are-freed", test_refused_values_are_freed);
  harness_add_task ("/src/codec/refused-values-stay-with-others",
                    test_refused_values_stay_with_others);
  harness_add_task ("/src/codec/deep-values-fit-a-stack", test_deep_values_fit_a_stack);
  harness_add ("/src/codec/every-type-keeps-itself", test_every_type_keeps_itself);
  harness_add ("/src/codec/doubles-keep-their-bits", test_doubles_keep_their_bits);
  harness_add ("/src/codec/lengths-around-each-head", test_lengths_around_each_head);
  harness_add ("/src/codec/values-without-a-type", test_values_without_a_type);
  harness_add ("/src/codec/nil-without-a-type-is-null", test_nil_without_a_type_is_null);
  harness_add ("/src/codec/kwargs", test_kwargs);
  harness_add ("/src/codec/I-21-python-return", test_python_return);
  harness_add ("/src/codec/integers-of-each-width", test_integers_of_each_width);
  harness_add ("/src/codec/integers-of-other-kinds", test_integers_of_other_kinds);
  harness_add ("/src/codec/booleans-and-doubles", test_booleans_and_doubles);
  harness_add ("/src/codec/strings-paths-and-signatures", test_strings_paths_and_signatures);
  harness_add ("/src/codec/bytes", test_bytes);
  harness_add ("/src/codec/arrays-and-tuples", test_arrays_and_tuples);
  harness_add ("/src/codec/dictionaries-of-any-key", test_dictionaries_of_any_key);
  harness_add ("/src/codec/maybes-and-variants", test_maybes_and_variants);
  harness_add ("/src/codec/indefinite-types", test_indefinite_types);
  harness_add ("/src/codec/handles-never-arrive", test_handles_never_arrive);
  harness_add ("/src/codec/a-fault-says-where", test_a_fault_says_where);
  harness_add ("/src/codec/a-sender-knows-what-arrives", test_a_sender_knows_what_arrives);
  harness_add ("/src/value/timestamps-take-least-room", test_timestamps_take_least_room);
  harness_add ("/src/value/what-is-no-timestamp", test_what_is_no_timestamp);
  harness_add ("/src/value/an-extension-is-bytes", test_an_extension_is_bytes);
  harness_add ("/src/value/row-105-a-registered-extension", test_a_registered_extension);
  harness_add ("/src/value/a-failing-extension", test_a_failing_extension);
  harness_add ("/src/value/an-extension-that-is-kept", test_an_extension_that_is_kept);
  harness_add ("/src/value/registering-wrongly", test_registering_wrongly);
  harness_add ("/src/codec/containers-of-each-size", test_containers_of_each_size);
  harness_add ("/src/codec/many-tiny-elements", test_many_tiny_elements);
  harness_add_task ("/src/codec/others-have-turns", test_others_have_turns);
  harness_add_task ("/src/codec/packed-in-turns", test_packed_in_turns);
  harness_add_task ("/src/codec/small-is-packed-at-once", test_small_is_packed_at_once);
  harness_add ("/src/codec/arrays-of-numbers", test_arrays_of_numbers);
  harness_add ("/src/codec/random-documents", test_random_documents);
  return harness_run ();
}
