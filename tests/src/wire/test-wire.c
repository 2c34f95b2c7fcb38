/* test-wire.c - the gate for what a peer sends: msgpack bytes, frames, messages, payloads.
 *
 * Fixtures are written from the protocol's description, byte by byte. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <string.h>

#include "bounds.h"
#include "codec.h"
#include "frame.h"
#include "harness.h"
#include "msg-skim.h"
#include "msg.h"
#include "tractor-error.h"
#include "wire.h"

#define BYTES(literal) ((const guint8 *) (literal)), sizeof (literal) - 1
#define VALUE(literal) ((WireValue){ (const guint8 *) (literal), sizeof (literal) - 1 })
#define ID_OF(name)    "\x92\xa3" name "\xa1u"

/* --- the check ---------------------------------------------------------------------------------- */

static const char *
check (const guint8 *bytes, gsize length)
{
  gsize offset;

  return tractor__wire_check (bytes, length, FALSE, &offset);
}

static void
test_whole_values_pass (void)
{
  g_assert_null (check (BYTES ("\xc0")));
  g_assert_null (check (BYTES ("\x00")));
  g_assert_null (check (BYTES ("\xff")));
  g_assert_null (check (BYTES ("\xcb\x3f\xf8\0\0\0\0\0\0")));
  g_assert_null (check (BYTES ("\xa5hello")));
  g_assert_null (check (BYTES ("\xd9\x02hi")));
  g_assert_null (check (BYTES ("\xa3"
                               "a\0b")));
  g_assert_null (check (BYTES ("\xc4\x02\x00\xff")));
  g_assert_null (check (BYTES ("\x93\x01\x92\x02\x03\xc3")));
  g_assert_null (check (BYTES ("\x82\xa1"
                               "a\x01\x02\x90")));
  g_assert_null (check (BYTES ("\xd6\xff\0\0\0\0")));
  g_assert_null (check (BYTES ("\xc7\x00\x05")));
}

static void
test_bombs_are_refused (void)
{
  guint8 deep[LIMIT_DEPTH + 2];

  g_assert_nonnull (check (BYTES ("")));
  g_assert_nonnull (check (BYTES ("\xc1")));
  g_assert_nonnull (check (BYTES ("\xc0\xc0"))); /* a trailing byte */
  g_assert_nonnull (check (BYTES ("\xdd\xff\xff\xff\xff")));
  g_assert_nonnull (check (BYTES ("\xdf\x80\x00\x00\x00")));
  g_assert_nonnull (check (BYTES ("\xdc\xff\xff\x01")));
  g_assert_nonnull (check (BYTES ("\xc6\xff\xff\xff\xff"
                                  "abc")));
  g_assert_nonnull (check (BYTES ("\xdb\x00\x00\x00\x04"
                                  "abc")));
  g_assert_nonnull (check (BYTES ("\xc9\xff\xff\xff\xff\x01")));
  g_assert_nonnull (check (BYTES ("\xa2\xff\xff"))); /* no UTF-8 */
  g_assert_nonnull (check (BYTES ("\xa3"
                                  "a\0\xff")));
  g_assert_nonnull (check (BYTES ("\xcb\x00")));
  memset (deep, 0x91, sizeof deep);
  deep[sizeof deep - 1] = 0xc0;
  g_assert_nonnull (check (deep, sizeof deep));
  g_assert_null (check (deep + 1, sizeof deep - 1)); /* as deep as may be */
}

static void
test_many_elements_are_refused (void)
{
  gsize length = LIMIT_ELEMENTS + 16;
  g_autofree guint8 *bytes = g_malloc0 (length);

  bytes[0] = 0xdd;
  bytes[1] = (guint8) ((LIMIT_ELEMENTS + 11) >> 24);
  bytes[2] = (guint8) ((LIMIT_ELEMENTS + 11) >> 16);
  bytes[3] = (guint8) ((LIMIT_ELEMENTS + 11) >> 8);
  bytes[4] = (guint8) (LIMIT_ELEMENTS + 11);
  g_assert_cmpstr (check (bytes, length), ==, tractor__wire_too_many);
}

/* Nothing that passes the check can be read beyond its end. */
static void
test_random_bytes (void)
{
  for (int round = 0; round < 200000; round++) {
    guint8 bytes[24];
    gsize length = (gsize) g_test_rand_int_range (1, sizeof bytes);
    WireReader reader = { bytes, bytes + length };
    WireValue value;
    g_autoptr (GVariant) variant = NULL;

    for (gsize i = 0; i < length; i++)
      bytes[i] = (guint8) g_test_rand_int ();
    if (check (bytes, length) != NULL)
      continue;
    g_assert_true (tractor__wire_read_value (&reader, &value));
    g_assert_true (reader.at == reader.end);
    g_assert_true (tractor__codec_unpack (value, &variant, NULL));
  }
}

/* --- frames ------------------------------------------------------------------------------------- */

static void
feed (FrameReader *reader, const void *bytes, gsize length)
{
  while (length > 0) {
    gsize room;
    guint8 *at = tractor__frame_reader_get_room (reader, &room);
    gsize n = MIN (room, length);

    g_assert_cmpuint (room, >, 0);
    memcpy (at, bytes, n);
    tractor__frame_reader_received (reader, n);
    bytes = (const guint8 *) bytes + n;
    length -= n;
  }
}

static void
test_every_split (void)
{
  static const char stream[] = "\3\0\0\0abc\1\0\0\0d\2\0\0\0ef";
  const char *bodies[] = { "abc", "d", "ef" };

  for (gsize first = 0; first < sizeof stream; first++)
    for (gsize second = first; second < sizeof stream; second++) {
      gsize cuts[] = { 0, first, second, sizeof stream - 1 };
      FrameReader reader = { 0 };
      guint n = 0;

      for (int part = 0; part < 3; part++) {
        WireValue body;

        if (cuts[part + 1] > cuts[part])
          feed (&reader, stream + cuts[part], cuts[part + 1] - cuts[part]);
        while (reader.bytes != NULL &&
               tractor__frame_reader_next (&reader, &body, NULL) == FRAME_COMPLETE) {
          g_assert_cmpmem (body.bytes, body.length, bodies[n], strlen (bodies[n]));
          n++;
        }
      }
      g_assert_cmpuint (n, ==, 3);
      g_assert_false (tractor__frame_reader_is_inside (&reader));
      tractor__frame_reader_clear (&reader);
    }
}

static void
test_bad_lengths (void)
{
  const char *headers[] = { "\0\0\0\0", "\xff\xff\xff\xff", "\1\0\0\1" };

  for (guint i = 0; i < G_N_ELEMENTS (headers); i++) {
    FrameReader reader = { 0 };
    WireValue body;
    GError *error = NULL;

    feed (&reader, headers[i], 4);
    g_assert_cmpint (tractor__frame_reader_next (&reader, &body, &error), ==, FRAME_INVALID);
    harness_assert_error (error, TRACTOR_ERROR, TRACTOR_ERROR_PROTOCOL);
    tractor__frame_reader_clear (&reader);
  }
}

static void
test_promised_length_costs_nothing (void)
{
  FrameReader reader = { 0 };
  WireValue body;

  feed (&reader, "\0\0\0\1tiny", 8); /* 16 MiB are to come */
  g_assert_cmpint (tractor__frame_reader_next (&reader, &body, NULL), ==, FRAME_INCOMPLETE);
  feed (&reader, "x", 1);
  g_assert_cmpuint (reader.size, <=, READ_BYTES);
  tractor__frame_reader_clear (&reader);
}

/* --- messages ----------------------------------------------------------------------------------- */

static void
test_start_is_read (void)
{
  /* As upstream sends it, but in another order, and with a key that we do not know. */
  static const char bytes[] = "\x88\xa3"
                              "cid\xa2"
                              "c1\xa8msg_type\xa5Start\xa2ns\xa3mod"
                              "\xa4"
                              "func\xa2"
                              "fn\xa6kwargs\x81\xa1"
                              "a\x05"
                              "\xa3uid" ID_OF ("abc") "\xa8pld_spec\xaatyping.Any"
                                                      "\xa5"
                                                      "extra\xc0";
  g_auto (ActorId) id = { 0 };
  g_autoptr (GVariant) kwargs = NULL;
  g_autoptr (GError) error = NULL;
  gint64 a;
  Msg msg;

  g_assert_true (tractor__msg_read (VALUE (bytes), &msg, &error));
  g_assert_no_error (error);
  g_assert_cmpint (msg.type, ==, MSG_START);
  g_assert_true (tractor__msg_string_equals (&msg, FIELD_CID, "c1"));
  g_assert_true (tractor__msg_string_equals (&msg, FIELD_NS, "mod"));
  g_assert_true (tractor__msg_get_id (&msg, FIELD_UID, &id));
  g_assert_cmpstr (id.name, ==, "abc");
  g_assert_false (tractor__msg_get_id (&msg, FIELD_SRC_UID, &id)); /* it has none */
  g_assert_true (
      tractor__codec_unpack_kwargs (msg.fields[FIELD_KWARGS], NULL, UNPACK_AT_ONCE, &kwargs, NULL));
  g_assert_true (g_variant_lookup (kwargs, "a", "x", &a));
  g_assert_cmpint (a, ==, 5);
}

static void
test_smallest_aid_is_read (void)
{
  Msg msg;

  g_assert_true (tractor__msg_read (VALUE ("\x83\xa8msg_type\xa3"
                                           "Aid\xa4name\xa1x\xa4uuid\xa1y"),
                                    &msg, NULL));
  g_assert_cmpint (msg.type, ==, MSG_AID);
  g_assert_cmpint (tractor__msg_get_integer (&msg, FIELD_PID), ==, 0);
}

static void
test_texts_may_have_a_nul (void)
{
  const char *text;
  gsize length;
  Msg msg;

  g_assert_true (tractor__msg_read (
      VALUE ("\x86\xa8msg_type\xa5"
             "Error\xa7src_uid" ID_OF ("abc") "\xacsrc_type_str\xa1t\xae"
                                              "boxed_type_str\xa1t\xaarelay_path\x90\xa6tb_str\xa3"
                                              "a\0b"),
      &msg, NULL));
  text = tractor__msg_get_string (&msg, FIELD_BACKTRACE, &length);
  g_assert_cmpmem (text, length, "a\0b", 3);
}

static void
test_bad_messages_are_refused (void)
{
  static const struct {
    const char *bytes;
    gsize length;
  } cases[] = {
#define CASE(literal) { literal, sizeof (literal) - 1 }
    CASE ("\xc0"),                 /* no map */
    CASE ("\x90"),                 /* no map either */
    CASE ("\x80"),                 /* no type */
    CASE ("\x81\x01\x02"),         /* a key that is no string */
    CASE ("\x81\xa8msg_type\x01"), /* a type that is no string */
    CASE ("\x81\xa8msg_type\xa6"
          "Cancel"),                                       /* an unknown type */
    CASE ("\x82\xa8msg_type\xa4Stop\xa8msg_type\xa4Stop"), /* a type twice */
    CASE ("\x81\xa8msg_type\xa4Stop"),                     /* a missing field */
    CASE ("\x82\xa8msg_type\xa4Stop\xa3"
          "cid\xc0"), /* nil for it */
    CASE ("\x82\xa8msg_type\xa4Stop\xa3"
          "cid\x01"), /* a wrong type for it */
    CASE ("\x82\xa8msg_type\xa4Stop\xa3"
          "cid\xc4\x01x"), /* bytes for it */
    CASE ("\x82\xa8msg_type\xa4Stop\xa3"
          "cid\xa3"
          "a\0b"), /* a NUL in it */
    CASE ("\x83\xa8msg_type\xa4Stop\xa3"
          "cid\xa1"
          "a\xa3"
          "cid\xa1"
          "b"), /* it twice */
    CASE ("\x83\xa8msg_type\xa3"
          "Aid\xa4name\xa1x\xa4uuid\x05"),
    CASE ("\x86\xa8msg_type\xa5Start\xa3"
          "cid\xa1"
          "1\xa2ns\xa1"
          "a\xa4"
          "func\xa1"
          "b"
          "\xa6kwargs\x80\xa3uid\x91\xa1x"), /* an id of one */
    CASE ("\x86\xa8msg_type\xa5Start\xa3"
          "cid\xa1"
          "1\xa2ns\xa1"
          "a\xa4"
          "func\xa1"
          "b"
          "\xa6kwargs\x90\xa3uid" ID_OF ("abc")), /* arguments that are no map */
    CASE ("\x85\xa8msg_type\xa5"
          "Error\xa7src_uid" ID_OF ("abc") "\xacsrc_type_str\xa1t\xae"
                                           "boxed_type_str\xa1t\xaarelay_path\x91\x01"),
    CASE ("\x85\xa8msg_type\xa5"
          "Error\xa7src_uid" ID_OF (
              "abc") "\xacsrc_type_str\xa2t\0\xae"
                     "boxed_type_str\xa1t\xaarelay_path\x90"), /* a NUL in a name */
#undef CASE
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
    WireValue body = { (const guint8 *) cases[i].bytes, cases[i].length };
    GError *error = NULL;
    Msg msg;

    g_assert_false (tractor__msg_read (body, &msg, &error));
    harness_assert_error (error, TRACTOR_ERROR, TRACTOR_ERROR_PROTOCOL);
  }
}

static Msg
read_back (WireBuffer *buffer)
{
  FrameReader reader = { 0 };
  WireValue body;
  g_autoptr (GError) error = NULL;
  Msg msg;

  /* Its bytes stay in @buffer, so that the message can go on pointing at them. */
  reader.bytes = buffer->data;
  reader.end = reader.size = buffer->len;
  g_assert_cmpint (tractor__frame_reader_next (&reader, &body, &error), ==, FRAME_COMPLETE);
  g_assert_cmpuint (reader.start, ==, reader.end);
  g_assert_true (tractor__msg_read (body, &msg, &error));
  g_assert_no_error (error);
  return msg;
}

static void
test_what_we_write_is_read (void)
{
  const ActorId self = { (char *) "me", (char *) "1-2" };
  const char *relays[] = { "a@1", "b@2", NULL };
  const char *modules[] = { "one", "two", NULL };
  g_autoptr (GVariant) kwargs = g_variant_ref_sink (g_variant_new_parsed ("{'x': <1>}"));
  WireBuffer *buffer = tractor__wire_buffer_new ();
  g_auto (GStrv) read_relays = NULL;
  g_auto (GStrv) read_modules = NULL;
  Msg msg;

  tractor__msg_write_aid (buffer, &(AidMsg){ .id = &self });
  g_assert_cmpint (read_back (buffer).type, ==, MSG_AID);
  wire_truncate (buffer, 0);

  tractor__msg_write_spawn_spec (buffer, &(SpawnSpec){ self, modules, "glib", 3 });
  msg = read_back (buffer);
  g_assert_cmpint (msg.type, ==, MSG_SPAWN_SPEC);
  g_assert_true (tractor__msg_string_equals (&msg, FIELD_HOST, "glib"));
  g_assert_cmpint (tractor__msg_get_integer (&msg, FIELD_DEPTH), ==, 3);
  read_modules = tractor__msg_dup_keys (&msg, FIELD_ENABLE_MODULES);
  g_assert_true (g_strv_equal ((const char *const *) read_modules, modules));
  wire_truncate (buffer, 0);

  g_assert_true (
      tractor__msg_write_start (buffer, "c", "mod:fn", kwargs, &self, PACK_AT_ONCE, NULL));
  g_assert_cmpint (read_back (buffer).type, ==, MSG_START);
  wire_truncate (buffer, 0);

  tractor__msg_write_start_ack (buffer, "c", "asyncfunc", NULL);
  g_assert_cmpint (read_back (buffer).type, ==, MSG_START_ACK);
  wire_truncate (buffer, 0);

  g_assert_true (tractor__msg_write_payload (buffer, MSG_RETURN, "c", NULL, PACK_AT_ONCE, NULL));
  g_assert_cmpint (read_back (buffer).type, ==, MSG_RETURN);
  wire_truncate (buffer, 0);

  tractor__msg_write_cancel_ack (buffer, "c");
  g_assert_cmpint (read_back (buffer).type, ==, MSG_CANCEL_ACK);
  wire_truncate (buffer, 0);

  tractor__msg_write_error (buffer, &(ErrorMsg){
                                        .src_uid = "odd@name@1",
                                        .src_type = "T",
                                        .boxed_type = "U",
                                        .relay_path = relays,
                                        .message = "m",
                                        .backtrace = "b",
                                        .cid = "c",
                                        .domain = "d",
                                        .code = -5,
                                    });
  msg = read_back (buffer);
  g_assert_cmpint (msg.type, ==, MSG_ERROR);
  g_assert_cmpint (tractor__msg_get_integer (&msg, FIELD_CODE), ==, -5);
  read_relays = tractor__msg_dup_ids (&msg, FIELD_RELAY_PATH);
  g_assert_true (g_strv_equal ((const char *const *) read_relays, relays));
  {
    g_auto (ActorId) origin = { 0 };

    g_assert_true (tractor__msg_get_id (&msg, FIELD_SRC_UID, &origin));
    g_assert_cmpstr (origin.name, ==, "odd@name");
    g_assert_cmpstr (origin.uuid, ==, "1");
  }
  tractor__wire_buffer_free (buffer);
}

static void
write_one (WireBuffer *buffer, guint which)
{
  const ActorId self = { (char *) "me", (char *) "20a5ebee-5442-4f27-86ae-6f3d723fba1b" };
  g_autoptr (GVariant) kwargs = g_variant_ref_sink (g_variant_new_parsed ("{'x': <[1, 2]>}"));
  char cid[64];

  memset (cid, 'c', sizeof cid);
  cid[g_test_rand_int_range (0, sizeof cid)] = '\0';
  cid[sizeof cid - 1] = '\0';
  switch (which) {
  case 0:
    tractor__msg_write_start (buffer, cid, "mod:fn", kwargs, &self, PACK_AT_ONCE, NULL);
    break;
  case 1:
    tractor__msg_write_start_ack (buffer, cid, "asyncfunc", NULL);
    break;
  case 2:
    tractor__msg_write_start_ack (buffer, cid, "context", "a{sv}");
    break;
  case 3:
    tractor__msg_write_stop (buffer, cid);
    break;
  case 4:
    tractor__msg_write_payload (buffer, MSG_STARTED, cid, NULL, PACK_AT_ONCE, NULL);
    break;
  case 5:
    tractor__msg_write_payload (buffer, MSG_RETURN, cid, kwargs, PACK_AT_ONCE, NULL);
    break;
  case 6:
    tractor__msg_write_credit (buffer, cid, (Credit){ 100, 100000 });
    break;
  default:
    tractor__msg_write_payload (buffer, MSG_YIELD, cid, kwargs, PACK_AT_ONCE, NULL);
    break;
  }
}

/* Returns: the new length. */
static gsize
mutate (guint8 *bytes, gsize length)
{
  gsize at = (gsize) g_test_rand_int_range (0, (gint32) length);

  switch (g_test_rand_int_range (0, 5)) {
  case 0:
    bytes[at] = (guint8) g_test_rand_int ();
    return length;
  case 1:
    bytes[at] ^= (guint8) (1 << g_test_rand_int_range (0, 8));
    return length;
  case 2:
    memmove (bytes + at, bytes + at + 1, length - at - 1);
    return length - 1;
  case 3:
    memmove (bytes + at + 1, bytes + at, length - at);
    return length + 1;
  default:
    bytes[at] = 0xc0; /* nil */
    return length;
  }
}

static void
assert_same_reading (const guint8 *bytes, gsize length)
{
  WireValue body = { bytes, length };
  g_autoptr (GError) error = NULL;
  g_autoptr (GError) other_error = NULL;
  gboolean ok;
  Msg msg;
  Msg other;

  ok = tractor__msg_read (body, &msg, &error);
  g_assert_true (ok == tractor__msg_read_in_any_order (body, &other, &other_error));
  g_assert_cmpstr (ok ? NULL : error->message, ==, ok ? NULL : other_error->message);
  if (!ok)
    return;
  g_assert_cmpint (msg.type, ==, other.type);
  for (Field field = 0; field < N_FIELDS; field++) {
    g_assert_true (msg.fields[field].bytes == other.fields[field].bytes);
    g_assert_cmpuint (msg.fields[field].length, ==, other.fields[field].length);
  }
}

static void
test_layouts_and_any_order_agree (void)
{
  for (guint round = 0; round < 100000; round++) {
    WireBuffer *frame = tractor__wire_buffer_new ();
    guint8 bytes[512];
    gsize length;

    write_one (frame, round % 10);
    length = frame->len - 4;
    memcpy (bytes, frame->data + 4, length);
    for (gint n = g_test_rand_int_range (0, 4); n > 0; n--)
      length = mutate (bytes, length);
    assert_same_reading (bytes, length);
    tractor__wire_buffer_free (frame);
  }
}

/* Each ends where its memory does, so that a sanitizer sees who reads further. */
static void
test_cut_layouts (void)
{
  for (guint which = 0; which < 8; which++) {
    g_autoptr (WireBuffer) frame = tractor__wire_buffer_new ();

    write_one (frame, which);
    for (gsize length = 1; length < frame->len - 4; length++) {
      g_autofree guint8 *bytes = g_memdup2 (frame->data + 4, length);
      Msg msg;

      g_assert_false (tractor__msg_read ((WireValue){ bytes, length }, &msg, NULL));
      assert_same_reading (bytes, length);
    }
  }
}

/* A Start whose arguments are @n nils in an array. (transfer full) */
static WireBuffer *
new_long_start (guint32 n)
{
  static const guint8 before[] = "\xa6kwargs\x81\xa1x\xdd";
  const ActorId self = { (char *) "me", (char *) "1-2" };
  WireBuffer *start = tractor__wire_buffer_new ();
  WireBuffer *longer = tractor__wire_buffer_new ();
  guint8 *at;

  tractor__msg_write_start (start, "c", "mod:fn", NULL, &self, PACK_AT_ONCE, NULL);
  at = memmem (start->data, start->len, "\xa6kwargs\x80", 8);
  wire_append (longer, start->data, (gsize) (at - start->data));
  wire_append (longer, before, sizeof before - 1);
  wire_append (longer, &(guint32){ GUINT32_TO_BE (n) }, 4);
  for (guint32 i = 0; i < n; i++)
    wire_write_nil (longer);
  wire_append (longer, at + 8, start->len - (gsize) (at + 8 - start->data));
  tractor__wire_buffer_free (start);
  return longer;
}

/* The depth counts what is around a payload too. */
static void
test_limits_of_layouts (void)
{
  for (guint depth = LIMIT_DEPTH - 3; depth < LIMIT_DEPTH + 2; depth++) {
    WireBuffer *frame = tractor__wire_buffer_new ();
    guint8 deep[LIMIT_DEPTH + 2];

    memset (deep, 0x91, sizeof deep);
    deep[depth] = 0xc0;
    tractor__msg_write_packed (frame, MSG_YIELD, "c", (WireValue){ deep, depth + 1 }, NULL);
    assert_same_reading (frame->data + 4, frame->len - 4);
    tractor__wire_buffer_free (frame);
  }
  for (guint32 n = LIMIT_ELEMENTS - 12; n < LIMIT_ELEMENTS + 2; n++) {
    WireBuffer *frame = tractor__wire_buffer_new ();
    g_autofree guint8 *many = g_malloc0 (n + 5);

    many[0] = 0xdd;
    memcpy (many + 1, &(guint32){ GUINT32_TO_BE (n) }, 4);
    tractor__msg_write_packed (frame, MSG_RETURN, "c", (WireValue){ many, n + 5 }, NULL);
    assert_same_reading (frame->data + 4, frame->len - 4);
    tractor__wire_buffer_free (frame);
  }
  for (guint32 n = LIMIT_ELEMENTS - 24; n < LIMIT_ELEMENTS - 12; n++) {
    g_autoptr (WireBuffer) start = new_long_start (n);

    assert_same_reading (start->data + 4, start->len - 4);
  }
}

/* --- above the limits --------------------------------------------------------------------------- */

/* (transfer full): msgpack of @n nils in an array. */
static WireBuffer *
new_nils (guint32 n)
{
  WireBuffer *nils = tractor__wire_buffer_new ();

  tractor__wire_write_array (nils, n);
  for (guint32 i = 0; i < n; i++)
    wire_write_nil (nils);
  return nils;
}

/* (transfer full): msgpack of arrays in one another. */
static WireBuffer *
new_nested (guint depth)
{
  WireBuffer *nested = tractor__wire_buffer_new ();

  for (guint i = 0; i < depth; i++)
    tractor__wire_write_array (nested, 1);
  wire_write_nil (nested);
  return nested;
}

static void
assert_refused (const Msg *msg, const char *limit)
{
  GError *error = NULL;
  GVariant *value;

  g_assert_true (tractor__msg_string_equals (msg, FIELD_CID, "c"));
  g_assert_null (msg->fields[FIELD_PLD].bytes);
  g_assert_false (tractor__msg_unpack_as (msg, FIELD_PLD, NULL, &value, &error));
  g_assert_nonnull (strstr (error->message, limit));
  harness_assert_error (error, TRACTOR_ERROR, TRACTOR_ERROR_MSG_TYPE);
}

/* Whether it is laid out as ours, and whatever comes after. */
static void
assert_left_out (WireValue payload, const char *limit)
{
  static const MsgType types[] = { MSG_STARTED, MSG_YIELD, MSG_RETURN };
  Msg msg;

  for (guint i = 0; i < G_N_ELEMENTS (types); i++) {
    g_autoptr (WireBuffer) frame = tractor__wire_buffer_new ();
    WireValue body;
    GError *error = NULL;

    tractor__msg_write_packed (frame, types[i], "c", payload, NULL);
    frame->data[4]++; /* of the map's head: one more pair */
    wire_append_literal (frame, "\xa4more\x93\x01\x02\x03");
    for (int n_more = 0; n_more < 2; n_more++) {
      body = (WireValue){ frame->data + 4, frame->len - 4 - (n_more == 0 ? 9 : 0) };
      frame->data[4] = (guint8) (0x83 + n_more);
      g_assert_true (tractor__msg_read_tolerantly (body, &msg, &error));
      g_assert_no_error (error);
      g_assert_cmpint (msg.type, ==, types[i]);
      g_assert_cmpuint (msg.left_out.n_bytes, ==, payload.length);
      assert_refused (&msg, limit);
      g_assert_false (tractor__msg_read (body, &msg, &error)); /* from whom is not known */
      harness_assert_error (error, TRACTOR_ERROR, TRACTOR_ERROR_PROTOCOL);
    }
  }
}

static void
test_above_a_limit_is_left_out (void)
{
  g_autoptr (WireBuffer) nils = new_nils (LIMIT_ELEMENTS + 1);
  g_autoptr (WireBuffer) nested = new_nested (40);
  g_autoptr (WireBuffer) very_deep = new_nested (1000000);

  assert_left_out ((WireValue){ nils->data, nils->len }, "262144 elements");
  assert_left_out ((WireValue){ nested->data, nested->len }, "32 deep");
  assert_left_out ((WireValue){ very_deep->data, very_deep->len }, "32 deep");
}

/* What no outcome can do without, or what is no msgpack behind what is too deep, is wrong as ever. */
static void
test_what_is_not_left_out (void)
{
  g_autoptr (WireBuffer) deep = new_nested (40);
  static const char *const before[] = { "\x83\xa8msg_type\xa6Return\xa3pld\xc0\xa3"
                                        "cid",
                                        "\x83\xa8msg_type\xa6Return\xa3"
                                        "cid\xa1"
                                        "c\xa3pld" };

  for (guint i = 0; i < 4; i++) {
    g_autoptr (WireBuffer) body = tractor__wire_buffer_new ();
    GError *error = NULL;
    Msg msg;

    wire_append (body, before[i > 0], strlen (before[i > 0]));
    wire_append (body, deep->data, deep->len);
    if (i == 1)
      body->data[body->len - 1] = 0xc1;
    if (i == 2)
      body->len--;
    if (i == 3)
      wire_write_nil (body);
    g_assert_false (
        tractor__msg_read_tolerantly ((WireValue){ body->data, body->len }, &msg, &error));
    harness_assert_error (error, TRACTOR_ERROR, TRACTOR_ERROR_PROTOCOL);
  }
}

/* Hands a message over in parts of at most @step bytes. Returns: (transfer full) (nullable) */
static Skim *
skim (const guint8 *bytes, gsize length, gsize step, GError **error)
{
  Skim *made = tractor__skim_new (length, 1000);
  gsize at = 0;
  gsize end = 0;

  while (!tractor__skim_is_done (made)) {
    gsize n_taken;

    end = MIN (end + step, length);
    if (!tractor__skim_feed (made, (WireValue){ bytes + at, end - at }, &n_taken, error)) {
      tractor__skim_free (made);
      return NULL;
    }
    at += n_taken;
    g_assert_cmpuint (end - at, <, LIMIT_KEPT_BYTES);
  }
  return made;
}

/* As Python lays out an Error, with all kinds of values that are large. */
static WireBuffer *
new_large_error (void)
{
  WireBuffer *body = tractor__wire_buffer_new ();
  g_autofree char *long_text = g_strnfill (5000, 'x');
  g_autoptr (WireBuffer) nils = new_nils (3000);

  wire_append_literal (body, "\x8a\xa8msg_type\xa5"
                             "Error\xa7src_uid\x92\xa1n\xa1u\xacsrc_type_str\xaaValueError"
                             "\xae"
                             "boxed_type_str\xaaValueError\xaarelay_path\x91\x92\xa1n\xa1u"
                             "\xa7message");
  tractor__wire_write_string (body, long_text);
  wire_append_literal (body, "\xa6tb_str");
  tractor__wire_write_string (body, long_text);
  wire_append_literal (body, "\xaaunheard_of\x92\xd8\x9c");
  wire_append (body, "0123456789abcdef", 16); /* the mark of a descriptor */
  wire_append (body, nils->data, nils->len);
  wire_append_literal (body, "\xa3"
                             "cid\xa1"
                             "c\xa4"
                             "code\x07");
  return body;
}

static void
test_skim_every_split (void)
{
  g_autoptr (WireBuffer) body = new_large_error ();

  for (gsize step = 1; step <= body->len; step += step < 40 ? 1 : 997) {
    g_autoptr (Skim) skimmed = skim (body->data, body->len, step, NULL);
    GError *error = NULL;
    Msg msg;

    g_assert_nonnull (skimmed);
    g_assert_true (tractor__skim_read (skimmed, &msg, &error));
    g_assert_no_error (error);
    g_assert_cmpint (msg.type, ==, MSG_ERROR);
    g_assert_true (tractor__msg_string_equals (&msg, FIELD_SRC_TYPE, "ValueError"));
    g_assert_cmpint (tractor__msg_get_integer (&msg, FIELD_CODE), ==, 7);
    g_assert_cmpuint (msg.left_out.fields, ==,
                      FIELD_BIT (FIELD_MESSAGE) | FIELD_BIT (FIELD_BACKTRACE));
    g_assert_cmpuint (msg.left_out.n_bytes, ==, 2 * 5003);
    g_assert_true (tractor__fds_are_marked (tractor__skim_get_marked (skimmed)));
    assert_refused (&msg, "more than 1000 bytes");
  }
}

/* Whatever the bytes are, they end as a message or as a fault. */
static void
test_skim_of_bad_bytes (void)
{
  g_autoptr (WireBuffer) body = new_large_error ();
  guint n_faults = 0;

  for (int round = 0; round < 3000; round++) {
    g_autofree guint8 *copy = g_memdup2 (body->data, body->len);
    gsize length =
        round % 3 == 0 ? (gsize) g_test_rand_int_range (1, (gint32) body->len) : body->len;
    g_autoptr (Skim) skimmed = NULL;
    g_autoptr (GError) error = NULL;
    Msg msg;

    for (int i = 0; i < round % 3; i++)
      copy[g_test_rand_int_range (0, (gint32) length)] = (guint8) g_test_rand_int ();
    skimmed = skim (copy, length, (gsize) g_test_rand_int_range (1, 3000), &error);
    if (skimmed == NULL || !tractor__skim_read (skimmed, &msg, &error)) {
      g_assert_error (error, TRACTOR_ERROR, TRACTOR_ERROR_PROTOCOL);
      n_faults++;
    }
  }
  g_assert_cmpuint (n_faults, >=, 1000); /* all that were cut, at least */
}

/* However large it is, no more of it is held than one read. */
static void
test_oversized_frame_costs_nothing (void)
{
  g_autofree guint8 *bytes = g_malloc0 (READ_BYTES);
  FrameReader reader = { .limit = 1000, .skipped = LIMIT_SKIPPED_BYTES };
  gsize left = LIMIT_SKIPPED_BYTES;
  guint32 header = GUINT32_TO_LE (LIMIT_SKIPPED_BYTES);
  GError *error = NULL;
  WireValue part;

  feed (&reader, &header, 4);
  g_assert_cmpint (tractor__frame_reader_next (&reader, &part, &error), ==, FRAME_INCOMPLETE);
  g_assert_true (tractor__frame_reader_is_inside (&reader));
  while (left > 0) {
    gsize n = MIN (left, READ_BYTES);

    feed (&reader, bytes, n);
    left -= n;
    while (tractor__frame_reader_next (&reader, &part, &error) == FRAME_OVERSIZED)
      tractor__frame_reader_skip (&reader, part.length);
    g_assert_cmpuint (reader.size, <=, 2 * READ_BYTES);
  }
  g_assert_false (tractor__frame_reader_is_inside (&reader));

  /* What comes after it is a frame as any. */
  feed (&reader, "\1\0\0\0\xc0", 5);
  g_assert_cmpint (tractor__frame_reader_next (&reader, &part, &error), ==, FRAME_COMPLETE);
  g_assert_cmpmem (part.bytes, part.length, "\xc0", 1);
  header = GUINT32_TO_LE (LIMIT_SKIPPED_BYTES + 1);
  feed (&reader, &header, 4);
  g_assert_cmpint (tractor__frame_reader_next (&reader, &part, &error), ==, FRAME_INVALID);
  harness_assert_error (error, TRACTOR_ERROR, TRACTOR_ERROR_PROTOCOL);
  tractor__frame_reader_clear (&reader);
}

/* --- payloads ----------------------------------------------------------------------------------- */

/* The table of a Python payload that upstream was seen to send. */
static void
test_python_payload (void)
{
  static const char bytes[] = "\x8a\xa1"
                              "i\xff\xa3"
                              "big\xcf\x80\0\0\0\0\0\0\0\xa1"
                              "f"
                              "\xcb\x3f\xf8\0\0\0\0\0\0\xa1s\xa1x\xa1"
                              "b\xc4\x02\x00\xff"
                              "\xa1t\x92\x01\x02\xa1n\xc0\xa2"
                              "dt\xd7\xff\0\x29\x61\xc0\x65\x93\x52\x80"
                              "\xa1k\x82\x01\xa1"
                              "a\xa1"
                              "b\x02\xa1u\xc3";
  g_autoptr (GVariant) value = NULL;
  g_autoptr (GVariant) expected = g_variant_ref_sink (g_variant_new_parsed (
      "{'i': <int64 -1>, 'big': <uint64 9223372036854775808>, 'f': <1.5>, 's': <'x'>,"
      " 'b': <[byte 0, 255]>, 't': <[<int64 1>, <int64 2>]>, 'n': <@mv nothing>,"
      " 'dt': <(int16 -1, [byte 0x00, 0x29, 0x61, 0xc0, 0x65, 0x93, 0x52, 0x80])>,"
      " 'k': <[(<int64 1>, <'a'>), (<'b'>, <int64 2>)]>, 'u': <true>}"));

  g_assert_null (check (BYTES (bytes)));
  g_assert_true (tractor__codec_unpack (VALUE (bytes), &value, NULL));
  g_assert_cmpvariant (value, expected);
}

static void
test_too_deep_to_send (void)
{
  GVariant *value = g_variant_new_int32 (1);
  g_autoptr (GVariant) owned = NULL;
  WireBuffer *buffer = tractor__wire_buffer_new ();
  GError *error = NULL;

  for (int i = 0; i < LIMIT_DEPTH; i++)
    value = g_variant_new_tuple (&value, 1);
  owned = g_variant_ref_sink (value);
  g_assert_false (tractor__codec_pack (buffer, value, PACK_AT_ONCE, &error));
  harness_assert_error (error, TRACTOR_ERROR, TRACTOR_ERROR_MSG_TYPE);
  g_assert_cmpuint (buffer->len, ==, 0);
  tractor__wire_buffer_free (buffer);
}

int
main (int argc, char **argv)
{
  harness_init (&argc, &argv);
  harness_add ("/src/wire/whole-values-pass", test_whole_values_pass);
  harness_add ("/src/wire/I-05-bombs-are-refused", test_bombs_are_refused);
  harness_add ("/src/wire/many-elements-are-refused", test_many_elements_are_refused);
  harness_add ("/src/wire/random-bytes", test_random_bytes);
  harness_add ("/src/frame/I-03-every-split", test_every_split);
  harness_add ("/src/frame/I-04-bad-lengths", test_bad_lengths);
  harness_add ("/src/frame/row-94-promised-length-costs-nothing",
               test_promised_length_costs_nothing);
  harness_add ("/src/msg/start", test_start_is_read);
  harness_add ("/src/msg/smallest-aid", test_smallest_aid_is_read);
  harness_add ("/src/msg/texts-may-have-a-nul", test_texts_may_have_a_nul);
  harness_add ("/src/msg/I-06-bad-messages-are-refused", test_bad_messages_are_refused);
  harness_add ("/src/msg/what-we-write-is-read", test_what_we_write_is_read);
  harness_add ("/src/msg/layouts-and-any-order-agree", test_layouts_and_any_order_agree);
  harness_add ("/src/msg/cut-layouts", test_cut_layouts);
  harness_add ("/src/msg/limits-of-layouts", test_limits_of_layouts);
  harness_add ("/src/msg/above-a-limit-is-left-out", test_above_a_limit_is_left_out);
  harness_add ("/src/msg/what-is-not-left-out", test_what_is_not_left_out);
  harness_add ("/src/skim/every-split", test_skim_every_split);
  harness_add ("/src/skim/bad-bytes", test_skim_of_bad_bytes);
  harness_add ("/src/frame/row-94-oversized-costs-nothing", test_oversized_frame_costs_nothing);
  harness_add ("/src/codec/I-21-python-payload", test_python_payload);
  harness_add ("/src/codec/too-deep-to-send", test_too_deep_to_send);
  return harness_run ();
}
