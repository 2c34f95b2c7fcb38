/* fuzz-message.c - messages: the quick reader and the slow one agree, and whatever a field is used for,
 * it may hold anything. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "codec.h"
#include "fuzz.h"
#include "handshake.h"
#include "link.h"
#include "msg.h"
#include "peer-limits.h"
#include "remote-error.h"
#include "tractor-error.h"

static void
use_scalars (const Msg *msg)
{
  static const Field strings[] = { FIELD_CID,       FIELD_NAME,       FIELD_UUID,
                                   FIELD_NS,        FIELD_FUNC,       FIELD_FUNCTYPE,
                                   FIELD_SRC_TYPE,  FIELD_BOXED_TYPE, FIELD_MESSAGE,
                                   FIELD_DOMAIN,    FIELD_BACKTRACE,  FIELD_HOST,
                                   FIELD_LOG_LEVEL, FIELD_PLD_SPEC };
  static const Field integers[] = { FIELD_PID, FIELD_CODE, FIELD_DEPTH, FIELD_CREDIT_ITEMS,
                                    FIELD_CREDIT_BYTES };
  static const Field booleans[] = { FIELD_IS_PROBE, FIELD_IS_REGISTRAR, FIELD_FDS,
                                    FIELD_IS_REGISTERED };

  for (guint i = 0; i < G_N_ELEMENTS (strings); i++) {
    g_autofree char *string = tractor__msg_dup_string (msg, strings[i]);

    g_assert_true (string == NULL || g_utf8_validate (string, -1, NULL));
    tractor__msg_string_equals (msg, strings[i], "self");
  }
  for (guint i = 0; i < G_N_ELEMENTS (integers); i++)
    tractor__msg_get_integer (msg, integers[i]);
  for (guint i = 0; i < G_N_ELEMENTS (booleans); i++)
    tractor__msg_get_boolean (msg, booleans[i]);
  tractor__msg_get_credit (msg);
}

static void
use_ids (const Msg *msg)
{
  static const Field ids[] = { FIELD_UID, FIELD_SRC_UID, FIELD_CANCELLER, FIELD_SENDER };
  const ActorId own = { (char *) "actor", (char *) "uuid" };
  g_auto (GStrv) relays = tractor__msg_dup_ids (msg, FIELD_RELAY_PATH);
  g_auto (GStrv) modules = tractor__msg_dup_keys (msg, FIELD_ENABLE_MODULES);
  g_autofree char *spec = tractor__msg_dup_payload_spec (msg);

  g_assert_true (spec == NULL || g_variant_type_string_is_valid (spec));
  for (guint i = 0; i < G_N_ELEMENTS (ids); i++) {
    g_auto (ActorId) id = { 0 };

    if (tractor__msg_get_id (msg, ids[i], &id))
      g_assert_true (id.name != NULL && id.uuid != NULL);
    tractor__msg_id_equals (msg, ids[i], &own);
  }
}

static void
use_addresses (const Msg *msg)
{
  static const Field lists[] = { FIELD_ADDRESSES, FIELD_REG_ADDRS, FIELD_BIND_ADDRS };
  WireValue root;

  for (guint i = 0; i < G_N_ELEMENTS (lists); i++) {
    GError *error = NULL;
    g_autoptr (GPtrArray) list = NULL;

    if (msg->fields[lists[i]].bytes == NULL)
      continue;
    list = tractor__address_read_list (msg->fields[lists[i]], &error);
    fuzz_assert_outcome (list != NULL, error);
  }
  if (tractor__msg_find_in_map (msg, FIELD_RUNTIME_VARS, "_root_mailbox", &root)) {
    WireReader reader = { root.bytes, root.bytes + root.length };
    g_auto (Address) address = { 0 };
    GError *error = NULL;
    gboolean ok = tractor__address_read (&reader, &address, &error);

    fuzz_assert_outcome (ok, error);
  }
}

static void
use_structures (const Msg *msg)
{
  g_auto (Introduction) introduction = { 0 };
  TractorLimits limits;
  GError *error = NULL;
  gboolean ok = tractor__introduction_take (&introduction, msg, &error);

  fuzz_assert_outcome (ok, error);
  tractor__limits_read (msg->fields[FIELD_LIMITS], &limits);
  g_assert_true (limits.frame_bytes > 0);
  if (msg->fields[FIELD_KWARGS].bytes != NULL) {
    GVariant *kwargs = NULL;

    error = NULL;
    ok = tractor__codec_unpack_kwargs (msg->fields[FIELD_KWARGS], NULL, UNPACK_AT_ONCE, &kwargs,
                                       &error);
    fuzz_assert_outcome (ok, error);
    g_clear_pointer (&kwargs, g_variant_unref);
  }
}

/* What comes out of an Error message can be read by people, and sent on. */
static void
use_error (const Msg *msg)
{
  const ActorId peer = { (char *) "peer", (char *) "uuid" };
  TractorRuntime runtime = { .id = peer };
  g_autoptr (GError) remote = tractor__remote_error_read (msg, &peer);
  g_autofree char *description = tractor_error_describe (remote);
  g_autoptr (WireBuffer) buffer = tractor__wire_buffer_new ();
  GError *error = NULL;
  Msg again;
  gboolean ok;

  fuzz_assert_readable (description);
  tractor__remote_error_write (&(Link){ .runtime = &runtime, .peer = peer, .out = buffer }, "cid",
                               remote, "function");
  ok = tractor__msg_read ((WireValue){ buffer->data + 4, buffer->len - 4 }, &again, &error);
  fuzz_assert_outcome (ok, error);
  g_assert_true (ok && again.type == MSG_ERROR);
}

/* Returns: whether it is a message. */
static gboolean
read_both_ways (WireValue body, Msg *ret_msg)
{
  GError *error = NULL;
  GError *slow_error = NULL;
  Msg slow;
  gboolean ok = tractor__msg_read (body, ret_msg, &error);

  g_assert_true (tractor__msg_read_in_any_order (body, &slow, &slow_error) == ok);
  fuzz_assert_outcome (ok, error);
  fuzz_assert_outcome (ok, slow_error);
  if (!ok)
    return FALSE;
  g_assert_true (ret_msg->type == slow.type);
  for (guint i = 0; i < N_FIELDS; i++)
    g_assert_true (ret_msg->fields[i].bytes == slow.fields[i].bytes &&
                   ret_msg->fields[i].length == slow.fields[i].length);
  return TRUE;
}

int
LLVMFuzzerTestOneInput (const guint8 *bytes, gsize length)
{
  Msg msg;

  if (length == 0 || !read_both_ways ((WireValue){ bytes, length }, &msg))
    return 0;
  use_scalars (&msg);
  use_ids (&msg);
  use_addresses (&msg);
  use_structures (&msg);
  if (msg.type == MSG_ERROR)
    use_error (&msg);
  return 0;
}
