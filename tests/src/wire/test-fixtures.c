/* test-fixtures.c - every message of the protocol, byte by byte as upstream's Python sends it: that it is
 * what the table says, that we read it, and that what we write for the same content has all of its keys,
 * with the same types. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <string.h>

#include "codec.h"
#include "frame.h"
#include "harness.h"
#include "msg.h"
#include "protocol.h"
#include "tractor-error.h"
#include "wire.h"

#define ROOT_UUID  "20a5ebee-5442-4f27-86ae-6f3d723fba1b"
#define CHILD_UUID "2b62c1e9-55e5-4651-a149-930bf4b3eda7"
#define CID        "95ae1c5c-e208-4244-946a-1272d77a9ccc"
#define OTHER_CID  "6ec06617-a3a8-4e36-88b1-45784e0ec446"

/* Text of 36 bytes is a str8. */
#define STR36(text) "\xd9\x24" text
#define ROOT        "\x92\xa4root" STR36 (ROOT_UUID)
#define CHILD       "\x92\xaarpc_server" STR36 (CHILD_UUID)
#define TYPE        "\xa8msg_type"
/* The letters after a \x would be taken for more of its digits. */
#define K_CID                                                                                      \
  "\xa3"                                                                                           \
  "cid" STR36 (CID)
#define K_PLD      "\xa3pld"
#define K_PLD_SPEC "\xa8pld_spec\xaatyping.Any"
#define ADDRESS                                                                                    \
  "\x92\xa9"                                                                                       \
  "127.0.0.1\xcd\x06\x50"

#define BODY(literal) ((WireValue){ (const guint8 *) (literal), sizeof (literal) - 1 })

/* clang-format off */
static const char aid[] =
    "\x68\0\0\0"
    "\x86" TYPE "\xa3" "Aid" "\xa4name\xaarpc_server" "\xa4uuid" STR36 (CHILD_UUID)
    "\xa3pid\xcd\x62\xf9" "\xacis_registrar\xc2" "\xa8is_probe\xc2";

static const char spawn_spec[] =
    "\xde\x01\0\0"
    "\x86" TYPE "\xa9SpawnSpec"
    "\xb1_parent_main_data\x81\xb3init_main_from_path\xd9\x27/directory/examples/rpc_bidir_streaming"
    "\xad_runtime_vars\x8a"
    "\xa8_is_root\xc2" "\xad_root_mailbox" ADDRESS "\xab_root_addrs\x91" ADDRESS
    "\xac_enable_tpts\x91\xa3tcp" "\xaf_registry_addrs\x91" ADDRESS
    "\xab_debug_mode\xc2" "\xacrepl_fixture\xc2" "\xaduse_greenback\xc2" "\xaeuse_stackscope\xc2"
    "\xb0_is_infected_aio\xc2"
    "\xae" "enable_modules\x82\xa8__main__\xd9\x27/directory/examples/rpc_bidir_streaming"
    "\xbctractor.devx.debug._tty_lock\xd9\x27/directory/tractor/devx/debug/_tty_lock"
    "\xa9reg_addrs\x91" ADDRESS
    "\xaa" "bind_addrs\xc0";

static const char start[] =
    "\xa1\0\0\0"
    "\x87" TYPE "\xa5Start" K_CID "\xa2ns\xa8__main__" "\xa4" "func\xa3" "add"
    "\xa6kwargs\x82\xa1" "a\x01\xa1" "b\x02" "\xa3uid" ROOT K_PLD_SPEC;

static const char start_cancel_task[] =
    "\xca\0\0\0"
    "\x87" TYPE "\xa5Start" K_CID "\xa2ns\xa4self" "\xa4" "func\xac_cancel_task"
    "\xa6kwargs\x81\xa3" "cid" STR36 (OTHER_CID) "\xa3uid" ROOT K_PLD_SPEC;

static const char start_register[] =
    "\xf1\0\0\0"
    "\x87" TYPE "\xa5Start" K_CID "\xa2ns\xa4self" "\xa4" "func\xaeregister_actor"
    "\xa6kwargs\x82\xa3uid" CHILD "\xa4" "addr\x92\xa9" "127.0.0.1\xcd\x88\x11"
    "\xa3uid" CHILD K_PLD_SPEC;

static const char ack_call[] =
    "\x50\0\0\0" "\x83" TYPE "\xa8StartAck" K_CID "\xa8" "functype\xa9" "asyncfunc";
static const char ack_stream[] =
    "\x4f\0\0\0" "\x83" TYPE "\xa8StartAck" K_CID "\xa8" "functype\xa8" "asyncgen";
static const char ack_context[] =
    "\x4e\0\0\0" "\x83" TYPE "\xa8StartAck" K_CID "\xa8" "functype\xa7" "context";
static const char started[] = "\x41\0\0\0" "\x83" TYPE "\xa7Started" K_CID K_PLD "\x0b";
static const char yield[] = "\x43\0\0\0" "\x83" TYPE "\xa5Yield" K_CID K_PLD "\xa4ping";
static const char stop[] = "\x39\0\0\0" "\x82" TYPE "\xa4Stop" K_CID;
static const char returned[] = "\x40\0\0\0" "\x83" TYPE "\xa6Return" K_CID K_PLD "\x03";
static const char cancel_ack[] = "\x43\0\0\0" "\x83" TYPE "\xa9" "CancelAck" K_CID K_PLD "\xc3";

static const char value_error[] =
    "\x3d\x01\0\0"
    "\x8c" TYPE "\xa5" "Error" "\xa7src_uid" CHILD "\xacsrc_type_str\xaaValueError"
    "\xae" "boxed_type_str\xaaValueError" "\xaarelay_path\x91" CHILD "\xa7message\xa0"
    "\xa6tb_str\xb9Traceback (most recent..." "\xa9" "canceller\xc0" "\xa6sender\xc0" K_CID
    "\xa8_bad_msg\xc0" "\xb0_bad_msg_as_dict\xc0";

static const char context_cancelled[] =
    "\x77\x01\0\0"
    "\x8c" TYPE "\xa5" "Error" "\xa7src_uid" CHILD "\xacsrc_type_str\xb0" "ContextCancelled"
    "\xae" "boxed_type_str\xb0" "ContextCancelled" "\xaarelay_path\x91" CHILD
    "\xa7message\xda\0\x10the task is gone" "\xa6tb_str\xda\0\x08some txt"
    "\xa9" "canceller" ROOT "\xa6sender\xc0" K_CID
    "\xa8_bad_msg\xc0" "\xb0_bad_msg_as_dict\xc0";
/* clang-format on */

static const ActorId root = { (char *) "root", (char *) ROOT_UUID };
static const ActorId child = { (char *) "rpc_server", (char *) CHILD_UUID };

/* The only frame of @bytes; it stays where it is. */
static WireValue
cut_frame (const void *bytes, gsize length)
{
  FrameReader reader = { .bytes = (guint8 *) bytes, .size = length, .end = length };
  g_autoptr (GError) error = NULL;
  WireValue body;

  g_assert_cmpint (tractor__frame_reader_next (&reader, &body, &error), ==, FRAME_COMPLETE);
  g_assert_cmpuint (reader.start, ==, reader.end);
  return body;
}

/* Its keys are those of the table, in that order: of theirs all but what is ours. */
static void
assert_as_in_table (WireValue body, MsgType type, gboolean is_theirs)
{
  const MsgSpec *spec = &msg_specs[type];
  WireReader reader = wire_reader (body);
  WireValue value;
  WireItem item;
  guint n = 1;
  guint n_keys;

  g_assert_true (tractor__wire_read (&reader, &item));
  n_keys = item.length;
  g_assert_cmpmem (reader.at, spec->opening.length, spec->opening.bytes, spec->opening.length);
  reader.at += TAG_LENGTH;
  g_assert_true (tractor__wire_read_value (&reader, &value));
  for (guint i = 0; i < spec->n_members && n < n_keys; i++) {
    const Packed *key = &field_specs[spec->members[i].field].key;

    if (is_theirs && spec->members[i].presence == IS_OURS)
      break;
    g_assert_true (tractor__wire_read_value (&reader, &value));
    g_assert_cmpmem (value.bytes, value.length, key->bytes, key->length);
    g_assert_true (tractor__wire_read_value (&reader, &value));
    n++;
  }
  g_assert_cmpuint (n, ==, n_keys);
  g_assert_true (reader.at == reader.end);
  g_assert_true (!is_theirs || n == spec->n_members + 1 ||
                 spec->members[n - 1].presence == IS_OURS);
}

static Msg
read_bytes (const void *bytes, gsize length, MsgType type)
{
  g_autoptr (GError) error = NULL;
  Msg msg;

  g_assert_true (tractor__msg_read (cut_frame (bytes, length), &msg, &error));
  g_assert_no_error (error);
  g_assert_cmpint (msg.type, ==, type);
  assert_as_in_table (cut_frame (bytes, length), type, TRUE);
  return msg;
}

/* A string literal's frame is without the NUL. */
#define READ(fixture, type) read_bytes ((fixture), sizeof (fixture) - 1, (type))

static void
assert_field (const Msg *msg, Field field, const char *expected)
{
  g_autofree char *text = tractor__msg_dup_string (msg, field);

  g_assert_cmpstr (text, ==, expected);
}

static void
assert_id (const Msg *msg, Field field, const ActorId *expected)
{
  g_auto (ActorId) id = { 0 };

  g_assert_true (tractor__msg_get_id (msg, field, &id));
  g_assert_cmpstr (id.name, ==, expected->name);
  g_assert_cmpstr (id.uuid, ==, expected->uuid);
}

static void
assert_payload (const Msg *msg, Field field, const char *expected)
{
  g_autoptr (GVariant) value = NULL;
  g_autoptr (GVariant) wanted = g_variant_ref_sink (g_variant_new_parsed (expected));

  g_assert_true (tractor__codec_unpack (msg->fields[field], &value, NULL));
  g_assert_cmpvariant (value, wanted);
}

/* --- what we write ---------------------------------------------------------------------------------- */

/* A map whose values depend on who writes it, and not on the protocol. */
static gboolean
is_free_map (const WireItem *key)
{
  static const char *const names[] = { "_parent_main_data", "enable_modules", NULL };

  for (guint i = 0; names[i] != NULL; i++)
    if (key->length == strlen (names[i]) && memcmp (key->bytes, names[i], key->length) == 0)
      return TRUE;
  return FALSE;
}

static gboolean
find_key (WireValue map, const WireItem *key, WireValue *ret_value)
{
  WireReader reader = { map.bytes, map.bytes + map.length };
  WireItem head;

  g_assert_true (tractor__wire_read (&reader, &head));
  for (guint32 i = 0; i < head.length; i++) {
    WireItem item;

    g_assert_true (tractor__wire_read (&reader, &item));
    g_assert_true (tractor__wire_read_value (&reader, ret_value));
    g_assert_cmpint (item.type, ==, WIRE_STRING);
    if (item.length == key->length && memcmp (item.bytes, key->bytes, key->length) == 0)
      return TRUE;
  }
  return FALSE;
}

/* Every key of @theirs is in @ours, with a value of the same type; so too what is inside of it. */
static void
assert_superset (WireValue theirs, WireValue ours)
{
  WireReader reader = { theirs.bytes, theirs.bytes + theirs.length };
  WireReader our_reader = { ours.bytes, ours.bytes + ours.length };
  WireItem head;
  WireItem our_head;

  g_assert_true (tractor__wire_read (&reader, &head));
  g_assert_true (tractor__wire_read (&our_reader, &our_head));
  g_assert_cmpint (our_head.type, ==, head.type);
  if (head.type == WIRE_ARRAY)
    g_assert_cmpuint (our_head.length, ==, head.length);
  for (guint32 i = 0; head.type == WIRE_ARRAY && i < head.length; i++) {
    WireValue their_item;
    WireValue our_item;

    g_assert_true (tractor__wire_read_value (&reader, &their_item));
    g_assert_true (tractor__wire_read_value (&our_reader, &our_item));
    assert_superset (their_item, our_item);
  }
  for (guint32 i = 0; head.type == WIRE_MAP && i < head.length; i++) {
    WireItem key;
    WireValue their_value;
    WireValue our_value;

    g_assert_true (tractor__wire_read (&reader, &key));
    g_assert_true (tractor__wire_read_value (&reader, &their_value));
    if (!find_key (ours, &key, &our_value))
      g_error ("what we write has no '%.*s'", (int) key.length, (const char *) key.bytes);
    if (is_free_map (&key))
      g_assert_cmpint (our_value.bytes[0] & 0xf0, ==, 0x80); /* a small map too */
    else
      assert_superset (their_value, our_value);
  }
}

static void
assert_accepted (const char *theirs, gsize length, const WireBuffer *ours)
{
  WireValue their_body = cut_frame (theirs, length);
  WireValue our_body = cut_frame (ours->data, ours->len);
  Msg their_msg;
  Msg msg;

  g_assert_true (tractor__msg_read (our_body, &msg, NULL));
  assert_as_in_table (our_body, msg.type, FALSE);
  g_assert_true (tractor__msg_read (their_body, &their_msg, NULL));
  g_assert_cmpint (msg.type, ==, their_msg.type);
  assert_superset (their_body, our_body);
}

#define ASSERT_ACCEPTED(fixture, buffer) assert_accepted ((fixture), sizeof (fixture) - 1, (buffer))

/* --- one by one ------------------------------------------------------------------------------------- */

static void
test_aid (void)
{
  g_autoptr (WireBuffer) buffer = tractor__wire_buffer_new ();
  Msg msg = READ (aid, MSG_AID);

  assert_field (&msg, FIELD_NAME, "rpc_server");
  assert_field (&msg, FIELD_UUID, CHILD_UUID);
  g_assert_cmpint (tractor__msg_get_integer (&msg, FIELD_PID), ==, 25337);
  g_assert_false (tractor__msg_get_boolean (&msg, FIELD_IS_REGISTRAR));
  g_assert_nonnull (msg.fields[FIELD_IS_REGISTRAR].bytes);
  g_assert_false (tractor__msg_get_boolean (&msg, FIELD_IS_PROBE));
  g_assert_cmpint (tractor__msg_get_credit (&msg).items, ==, 0);
  tractor__msg_write_aid (buffer, &(AidMsg){ .id = &child });
  ASSERT_ACCEPTED (aid, buffer);
}

static void
test_spawn_spec (void)
{
  const char *modules[] = { "__main__=/examples/x", NULL };
  const char *expected[] = { "__main__", "tractor.devx.debug._tty_lock", NULL };
  Address here = { .kind = ADDRESS_TCP, .host = (char *) "127.0.0.1", .port = 1616 };
  g_autoptr (GPtrArray) registrars = g_ptr_array_new ();
  g_autoptr (WireBuffer) buffer = tractor__wire_buffer_new ();
  g_autoptr (GPtrArray) read_registrars = NULL;
  g_autoptr (GPtrArray) listen = NULL;
  g_auto (GStrv) read_modules = NULL;
  WireValue mailbox;
  Msg msg = READ (spawn_spec, MSG_SPAWN_SPEC);

  read_modules = tractor__msg_dup_keys (&msg, FIELD_ENABLE_MODULES);
  g_assert_true (g_strv_equal ((const char *const *) read_modules, expected));
  read_registrars = tractor__address_read_list (msg.fields[FIELD_REG_ADDRS], NULL);
  g_assert_cmpuint (read_registrars->len, ==, 1);
  g_assert_true (tractor__address_equal (read_registrars->pdata[0], &here));
  listen = tractor__address_read_list (msg.fields[FIELD_BIND_ADDRS], NULL);
  g_assert_cmpuint (listen->len, ==, 0); /* nil: wherever it likes */
  g_assert_true (tractor__msg_find_in_map (&msg, FIELD_RUNTIME_VARS, "_root_mailbox", &mailbox));
  g_assert_cmpmem (mailbox.bytes, mailbox.length, ADDRESS, strlen (ADDRESS));

  g_ptr_array_add (registrars, &here);
  tractor__msg_write_spawn_spec (buffer, &(SpawnSpec){ .id = child,
                                                       .modules = modules,
                                                       .registrars = registrars,
                                                       .uses_tcp = TRUE,
                                                       .root = &here });
  ASSERT_ACCEPTED (spawn_spec, buffer);
}

static void
test_start (void)
{
  g_autoptr (WireBuffer) buffer = tractor__wire_buffer_new ();
  g_autoptr (GVariant) kwargs =
      g_variant_ref_sink (g_variant_new_parsed ("{'a': <int64 1>, 'b': <int64 2>}"));
  Msg msg = READ (start, MSG_START);

  assert_field (&msg, FIELD_CID, CID);
  assert_field (&msg, FIELD_NS, "__main__");
  assert_field (&msg, FIELD_FUNC, "add");
  assert_id (&msg, FIELD_UID, &root);
  assert_field (&msg, FIELD_PLD_SPEC, "typing.Any");
  assert_payload (&msg, FIELD_KWARGS, "{'a': <int64 1>, 'b': <int64 2>}");
  g_assert_true (
      tractor__msg_write_start (buffer, CID, "__main__:add", kwargs, &root, PACK_AT_ONCE, NULL));
  ASSERT_ACCEPTED (start, buffer);
}

static void
test_start_of_cancel (void)
{
  g_autoptr (WireBuffer) buffer = tractor__wire_buffer_new ();
  g_autoptr (GVariant) kwargs =
      g_variant_ref_sink (g_variant_new_parsed ("{'cid': <'" OTHER_CID "'>}"));
  Msg msg = READ (start_cancel_task, MSG_START);

  assert_field (&msg, FIELD_NS, "self");
  assert_field (&msg, FIELD_FUNC, "_cancel_task");
  assert_payload (&msg, FIELD_KWARGS, "{'cid': <'" OTHER_CID "'>}");
  g_assert_true (tractor__msg_write_start (buffer, CID, "self:_cancel_task", kwargs, &root,
                                           PACK_AT_ONCE, NULL));
  ASSERT_ACCEPTED (start_cancel_task, buffer);
}

static void
test_start_of_register (void)
{
  g_autoptr (WireBuffer) buffer = tractor__wire_buffer_new ();
  g_autoptr (GVariant) kwargs = g_variant_ref_sink (g_variant_new_parsed (
      "{'uid': <('rpc_server', '" CHILD_UUID "')>, 'addr': <('127.0.0.1', int64 34833)>}"));
  Msg msg = READ (start_register, MSG_START);

  assert_field (&msg, FIELD_FUNC, "register_actor");
  assert_id (&msg, FIELD_UID, &child);
  g_assert_true (tractor__msg_write_start (buffer, CID, "self:register_actor", kwargs, &child,
                                           PACK_AT_ONCE, NULL));
  ASSERT_ACCEPTED (start_register, buffer);
}

static void
test_start_ack (void)
{
  static const struct {
    const char *bytes;
    gsize length;
    const char *functype;
  } acks[] = {
    { ack_call, sizeof ack_call - 1, "asyncfunc" },
    { ack_stream, sizeof ack_stream - 1, "asyncgen" },
    { ack_context, sizeof ack_context - 1, "context" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (acks); i++) {
    g_autoptr (WireBuffer) buffer = tractor__wire_buffer_new ();
    Msg msg = read_bytes (acks[i].bytes, acks[i].length, MSG_START_ACK);

    assert_field (&msg, FIELD_CID, CID);
    assert_field (&msg, FIELD_FUNCTYPE, acks[i].functype);
    for (int with_spec = 0; with_spec < 2; with_spec++) {
      wire_truncate (buffer, 0);
      tractor__msg_write_start_ack (buffer, CID, acks[i].functype, with_spec ? "x" : NULL);
      assert_accepted (acks[i].bytes, acks[i].length, buffer);
    }
  }
}

/* What has as many keys as upstream's is byte by byte the same. */
static void
assert_same (const char *theirs, gsize length, WireBuffer *ours)
{
  g_assert_cmpmem (ours->data, ours->len, theirs, length);
  wire_truncate (ours, 0);
}

static void
test_payloads (void)
{
  g_autoptr (WireBuffer) buffer = tractor__wire_buffer_new ();
  g_autoptr (GVariant) eleven = g_variant_ref_sink (g_variant_new_int64 (11));
  g_autoptr (GVariant) ping = g_variant_ref_sink (g_variant_new_string ("ping"));
  g_autoptr (GVariant) three = g_variant_ref_sink (g_variant_new_int64 (3));
  Msg msg = READ (started, MSG_STARTED);

  assert_field (&msg, FIELD_CID, CID);
  assert_payload (&msg, FIELD_PLD, "int64 11");
  g_assert_true (tractor__msg_write_payload (buffer, MSG_STARTED, CID, eleven, PACK_AT_ONCE, NULL));
  assert_same (started, sizeof started - 1, buffer);
  msg = READ (yield, MSG_YIELD);
  assert_payload (&msg, FIELD_PLD, "'ping'");
  g_assert_true (tractor__msg_write_payload (buffer, MSG_YIELD, CID, ping, PACK_AT_ONCE, NULL));
  assert_same (yield, sizeof yield - 1, buffer);
  msg = READ (returned, MSG_RETURN);
  assert_payload (&msg, FIELD_PLD, "int64 3");
  g_assert_true (tractor__msg_write_payload (buffer, MSG_RETURN, CID, three, PACK_AT_ONCE, NULL));
  assert_same (returned, sizeof returned - 1, buffer);
}

static void
test_stop_and_cancel_ack (void)
{
  g_autoptr (WireBuffer) buffer = tractor__wire_buffer_new ();
  Msg msg = READ (stop, MSG_STOP);

  assert_field (&msg, FIELD_CID, CID);
  tractor__msg_write_stop (buffer, CID);
  assert_same (stop, sizeof stop - 1, buffer);
  msg = READ (cancel_ack, MSG_CANCEL_ACK);
  assert_field (&msg, FIELD_CID, CID);
  assert_payload (&msg, FIELD_PLD, "true");
  tractor__msg_write_cancel_ack (buffer, CID);
  assert_same (cancel_ack, sizeof cancel_ack - 1, buffer);
}

static void
assert_relayed_by_child (const Msg *msg)
{
  g_auto (GStrv) relays = tractor__msg_dup_ids (msg, FIELD_RELAY_PATH);

  g_assert_cmpuint (g_strv_length (relays), ==, 1);
  g_assert_cmpstr (relays[0], ==, "rpc_server@" CHILD_UUID);
}

static void
test_error (void)
{
  const char *relays[] = { "rpc_server@" CHILD_UUID, NULL };
  g_autoptr (WireBuffer) buffer = tractor__wire_buffer_new ();
  Msg msg = READ (value_error, MSG_ERROR);

  assert_id (&msg, FIELD_SRC_UID, &child);
  assert_field (&msg, FIELD_SRC_TYPE, "ValueError");
  assert_field (&msg, FIELD_BOXED_TYPE, "ValueError");
  assert_relayed_by_child (&msg);
  assert_field (&msg, FIELD_MESSAGE, "");
  assert_field (&msg, FIELD_BACKTRACE, "Traceback (most recent...");
  g_assert_null (msg.fields[FIELD_CANCELLER].bytes);
  g_assert_null (msg.fields[FIELD_SENDER].bytes);
  assert_field (&msg, FIELD_CID, CID);
  tractor__msg_write_error (buffer, &(ErrorMsg){ .src_uid = relays[0],
                                                 .src_type = "ValueError",
                                                 .boxed_type = "ValueError",
                                                 .relay_path = relays,
                                                 .message = "m",
                                                 .backtrace = "b",
                                                 .cid = CID });
  ASSERT_ACCEPTED (value_error, buffer);
}

static void
test_context_cancelled (void)
{
  const char *relays[] = { "rpc_server@" CHILD_UUID, NULL };
  g_autoptr (WireBuffer) buffer = tractor__wire_buffer_new ();
  Msg msg = READ (context_cancelled, MSG_ERROR);

  assert_id (&msg, FIELD_SRC_UID, &child);
  assert_field (&msg, FIELD_SRC_TYPE, "ContextCancelled");
  assert_field (&msg, FIELD_BOXED_TYPE, "ContextCancelled");
  assert_relayed_by_child (&msg);
  assert_field (&msg, FIELD_MESSAGE, "the task is gone");
  assert_field (&msg, FIELD_BACKTRACE, "some txt");
  assert_id (&msg, FIELD_CANCELLER, &root);
  assert_field (&msg, FIELD_CID, CID);
  tractor__msg_write_error (buffer, &(ErrorMsg){ .src_uid = relays[0],
                                                 .src_type = "ContextCancelled",
                                                 .boxed_type = "ContextCancelled",
                                                 .relay_path = relays,
                                                 .message = "m",
                                                 .backtrace = "b",
                                                 .canceller = "root@" ROOT_UUID,
                                                 .cid = CID });
  ASSERT_ACCEPTED (context_cancelled, buffer);
}

int
main (int argc, char **argv)
{
  harness_init (&argc, &argv);
  harness_add ("/src/fixture/Aid", test_aid);
  harness_add ("/src/fixture/SpawnSpec", test_spawn_spec);
  harness_add ("/src/fixture/Start", test_start);
  harness_add ("/src/fixture/Start-of-cancel-task", test_start_of_cancel);
  harness_add ("/src/fixture/Start-of-register", test_start_of_register);
  harness_add ("/src/fixture/StartAck-of-each-kind", test_start_ack);
  harness_add ("/src/fixture/Started-Yield-Return", test_payloads);
  harness_add ("/src/fixture/Stop-CancelAck", test_stop_and_cancel_ack);
  harness_add ("/src/fixture/Error", test_error);
  harness_add ("/src/fixture/ContextCancelled", test_context_cancelled);
  return harness_run ();
}
