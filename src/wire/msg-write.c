/* msg-write.c - the protocol's messages, written.
 *
 * Which fields a message has, in which order, and what they are called, is protocol.h's; here stands
 * what their values are. Of those that are ours the last may be left out. Payloads are codec.c's. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "msg.h"

#include <string.h>
#include <unistd.h>

#include "actor-trace.h"
#include "bounds.h"
#include "codec.h"
#include "frame.h"
#include "peer-limits.h"
#include "protocol.h"
#include "tractor-error.h"

/* Up to the value of the first field, which comes next. @n_absent: fields, of the last, that it will
 * not have. */
static inline void
write_opening (WireBuffer *buffer, MsgType type, guint n_absent)
{
  const MsgSpec *spec = &msg_specs[type];
  guint8 head = (guint8) (0x80 | (1 + spec->n_members - n_absent));

  wire_append (buffer, &head, 1);
  wire_append (buffer, spec->opening.bytes, spec->opening.length);
}

/* A frame, and a message in it up to its second field: the first is the id of a call. */
static inline guint
begin_in_dialog (WireBuffer *buffer, MsgType type, guint n_absent, const char *cid)
{
  guint start = frame_begin (buffer);

  write_opening (buffer, type, n_absent);
  tractor__wire_write_string (buffer, cid);
  return start;
}

G_STATIC_ASSERT (TRACTOR_TRACE_MESSAGE_START == (int) MSG_START &&
                 TRACTOR_TRACE_MESSAGE_ERROR == (int) MSG_ERROR);

/* Yields, of which there are several in a dialog, are counted by their stream, which notes them itself. */
static inline void
end_in_dialog (WireBuffer *buffer, guint start, MsgType type, const char *cid)
{
  frame_end (buffer, start);
  if (type != MSG_YIELD)
    trace_sent (type, cid, 0, NULL);
}

static inline void
write_key (WireBuffer *buffer, Field field)
{
  wire_append (buffer, field_specs[field].key.bytes, field_specs[field].key.length);
}

static inline void
write_string (WireBuffer *buffer, Field field, const char *string)
{
  write_key (buffer, field);
  tractor__wire_write_string (buffer, string);
}

/* @string: (nullable): NULL is nil */
static void
write_optional_string (WireBuffer *buffer, Field field, const char *string)
{
  write_key (buffer, field);
  if (string != NULL)
    tractor__wire_write_string (buffer, string);
  else
    wire_write_nil (buffer);
}

/* @string: (nullable). What a program has chosen freely: the quark of an error's domain may be anything. */
static void
write_valid_string (WireBuffer *buffer, Field field, const char *string)
{
  g_autofree char *valid = string != NULL ? g_utf8_make_valid (string, -1) : NULL;

  write_optional_string (buffer, field, valid);
}

static inline void
write_integer (WireBuffer *buffer, Field field, gint64 integer)
{
  write_key (buffer, field);
  tractor__wire_write_integer (buffer, integer);
}

static inline void
write_boolean (WireBuffer *buffer, Field field, gboolean boolean)
{
  write_key (buffer, field);
  wire_write_boolean (buffer, boolean);
}

static void
write_id (WireBuffer *buffer, Field field, const ActorId *id)
{
  write_key (buffer, field);
  tractor__wire_write_array (buffer, 2);
  tractor__wire_write_string (buffer, id->name);
  tractor__wire_write_string (buffer, id->uuid);
}

/* A part of an id, cut to what a receiver lets through. */
static void
write_id_part (WireBuffer *buffer, const char *part, gsize length)
{
  g_autofree char *cut = g_strndup (part, MIN (length, LIMIT_NAME_BYTES));
  g_autofree char *valid = g_utf8_make_valid (cut, -1);

  if (strlen (valid) > LIMIT_NAME_BYTES)
    valid[0] = '\0';
  tractor__wire_write_string (buffer, valid);
}

/* @text: (nullable): "name@uuid"; a name may contain an '@', a uuid does not. */
static void
write_id_text (WireBuffer *buffer, const char *text)
{
  const char *at = text != NULL ? strrchr (text, '@') : NULL;
  const char *uuid = at != NULL ? at + 1 : "";

  if (text == NULL) {
    wire_write_nil (buffer);
    return;
  }
  tractor__wire_write_array (buffer, 2);
  write_id_part (buffer, text, at != NULL ? (gsize) (at - text) : strlen (text));
  write_id_part (buffer, uuid, strlen (uuid));
}

static void
write_credit (WireBuffer *buffer, Credit credit)
{
  write_integer (buffer, FIELD_CREDIT_ITEMS, credit.items);
  write_integer (buffer, FIELD_CREDIT_BYTES, credit.bytes);
}

/* @addresses: (nullable): NULL is nil */
static void
write_addresses (WireBuffer *buffer, const GPtrArray *addresses)
{
  if (addresses == NULL) {
    wire_write_nil (buffer);
    return;
  }
  tractor__wire_write_array (buffer, addresses->len);
  for (guint i = 0; i < addresses->len; i++)
    tractor__address_write (buffer, addresses->pdata[i]);
}

void
tractor__msg_write_aid (WireBuffer *buffer, const AidMsg *aid)
{
  guint start = frame_begin (buffer);

  write_opening (buffer, MSG_AID, (aid->addresses == NULL) + (aid->key == NULL));
  tractor__wire_write_string (buffer, aid->id->name);
  write_string (buffer, FIELD_UUID, aid->id->uuid);
  write_integer (buffer, FIELD_PID, getpid ());
  write_boolean (buffer, FIELD_IS_REGISTRAR, aid->is_registrar);
  write_boolean (buffer, FIELD_IS_PROBE, aid->is_probe);
  write_credit (buffer, aid->credit);
  write_boolean (buffer, FIELD_FDS, TRUE);
  if (aid->addresses != NULL) {
    write_key (buffer, FIELD_ADDRESSES);
    write_addresses (buffer, aid->addresses);
  }
  if (aid->key != NULL)
    write_string (buffer, FIELD_KEY, aid->key);
  frame_end (buffer, start);
}

static void
write_modules (WireBuffer *buffer, const char *const *modules)
{
  guint n_modules = modules != NULL ? g_strv_length ((char **) modules) : 0;

  if (modules == NULL) {
    wire_append_literal (buffer, "\x81\xa1*\xa0"); /* all that there are */
    return;
  }
  tractor__wire_write_map (buffer, n_modules);
  for (guint i = 0; i < n_modules; i++) {
    const char *path = strchr (modules[i], '='); /* a Python actor wants to know it */
    g_autofree char *name =
        g_strndup (modules[i], path != NULL ? (gsize) (path - modules[i]) : strlen (modules[i]));

    tractor__wire_write_string (buffer, name);
    tractor__wire_write_string (buffer, path != NULL ? path + 1 : "");
  }
}

/* What a Python child wants to know. */
static void
write_runtime_vars (WireBuffer *buffer, const SpawnSpec *spec)
{
  const Address none = { 0 };
  const Address *root = spec->root != NULL ? spec->root : &none;

  wire_append_literal (buffer, "\x8a\xa8_is_root\xc2\xad_root_mailbox");
  tractor__address_write (buffer, root);
  wire_append_literal (buffer, "\xab_root_addrs\x91");
  tractor__address_write (buffer, root);
  wire_append_literal (buffer, "\xac_enable_tpts\x91\xa3");
  wire_append (buffer, spec->uses_tcp ? "tcp" : "uds", 3);
  wire_append_literal (buffer, "\xaf_registry_addrs");
  write_addresses (buffer, spec->registrars);
  wire_append_literal (buffer, "\xab_debug_mode");
  wire_write_boolean (buffer, spec->is_python_debugged);
  wire_append_literal (buffer, "\xacrepl_fixture\xc2\xaduse_greenback\xc2"
                               "\xaeuse_stackscope\xc2\xb0_is_infected_aio\xc2");
}

void
tractor__msg_write_spawn_spec (WireBuffer *buffer, const SpawnSpec *spec)
{
  guint start = frame_begin (buffer);

  write_opening (buffer, MSG_SPAWN_SPEC, spec->debug == NULL);
  tractor__wire_write_map (buffer, 0); /* _parent_main_data */
  write_key (buffer, FIELD_RUNTIME_VARS);
  write_runtime_vars (buffer, spec);
  write_key (buffer, FIELD_ENABLE_MODULES);
  write_modules (buffer, spec->modules);
  write_key (buffer, FIELD_REG_ADDRS);
  write_addresses (buffer, spec->registrars);
  write_key (buffer, FIELD_BIND_ADDRS);
  write_addresses (buffer, spec->listen);
  write_id (buffer, FIELD_UID, &spec->id);
  write_optional_string (buffer, FIELD_HOST, spec->host);
  write_optional_string (buffer, FIELD_LOG_LEVEL, spec->log_level);
  write_integer (buffer, FIELD_DEPTH, spec->depth);
  write_key (buffer, FIELD_LIMITS);
  tractor__limits_write (buffer, spec->limits);
  write_boolean (buffer, FIELD_IS_REGISTERED, spec->is_registered);
  write_optional_string (buffer, FIELD_KEY, spec->key);
  if (spec->debug != NULL)
    write_string (buffer, FIELD_DEBUG, spec->debug);
  frame_end (buffer, start);
}

/* Before a frame with a payload, which began at @start, is ended. Returns: FALSE with MSG_TYPE if it has become too large
 * for the peer: then it is taken back. */
static gboolean
check_size (WireBuffer *buffer, guint start, GError **error)
{
  if (tractor__codec_check_length (buffer, buffer->len - start, error))
    return TRUE;
  wire_truncate (buffer, start);
  return FALSE;
}

/* Up to the value of its keyword arguments. */
static guint
begin_start (WireBuffer *buffer, const char *cid, const char *function)
{
  const char *colon = strchr (function, ':');
  guint start = begin_in_dialog (buffer, MSG_START, 0, cid);

  write_key (buffer, FIELD_NS);
  tractor__wire_write_text (buffer, function, (gsize) (colon - function));
  write_string (buffer, FIELD_FUNC, colon + 1);
  write_key (buffer, FIELD_KWARGS);
  return start;
}

static gboolean
end_start (WireBuffer *buffer,
           guint start,
           const char *cid,
           const char *function,
           const ActorId *self,
           GError **error)
{
  write_id (buffer, FIELD_UID, self);
  write_key (buffer, FIELD_PLD_SPEC);
  wire_append_literal (buffer, "\xaatyping.Any");
  if (!check_size (buffer, start, error))
    return FALSE;
  frame_end (buffer, start);
  trace_sent (MSG_START, cid, 0, function);
  return TRUE;
}

gboolean
tractor__msg_write_start (WireBuffer *buffer,
                          const char *cid,
                          const char *function,
                          GVariant *kwargs,
                          const ActorId *self,
                          PackPace pace,
                          GError **error)
{
  guint start = begin_start (buffer, cid, function);

  if (kwargs == NULL) {
    tractor__wire_write_map (buffer, 0);
  } else if (!tractor__codec_pack (buffer, kwargs, pace, error)) {
    wire_truncate (buffer, start);
    return FALSE;
  }
  return end_start (buffer, start, cid, function, self, error);
}

gboolean
tractor__msg_write_start_packed (WireBuffer *buffer,
                                 const char *cid,
                                 const char *function,
                                 WireValue kwargs,
                                 const ActorId *self,
                                 GError **error)
{
  guint start;

  if (!tractor__codec_check_length (buffer, kwargs.length, error))
    return FALSE;
  start = begin_start (buffer, cid, function);
  wire_append (buffer, kwargs.bytes, kwargs.length);
  return end_start (buffer, start, cid, function, self, error);
}

void
tractor__msg_write_start_ack (WireBuffer *buffer,
                              const char *cid,
                              const char *functype,
                              const char *payload_spec)
{
  guint start = begin_in_dialog (buffer, MSG_START_ACK, payload_spec == NULL, cid);

  write_string (buffer, FIELD_FUNCTYPE, functype);
  if (payload_spec != NULL)
    write_string (buffer, FIELD_PLD_SPEC, payload_spec);
  end_in_dialog (buffer, start, MSG_START_ACK, cid);
}

/* Everything of a Started, Yield or Return but its payload. */
static guint
begin_payload (WireBuffer *buffer, MsgType type, const char *cid)
{
  guint start = begin_in_dialog (buffer, type, 0, cid);

  write_key (buffer, FIELD_PLD);
  return start;
}

gboolean
tractor__msg_write_payload (WireBuffer *buffer,
                            MsgType type,
                            const char *cid,
                            GVariant *value,
                            PackPace pace,
                            GError **error)
{
  guint start = begin_payload (buffer, type, cid);

  if (!tractor__codec_pack (buffer, value, pace, error)) {
    wire_truncate (buffer, start);
    return FALSE;
  }
  if (!check_size (buffer, start, error))
    return FALSE;
  end_in_dialog (buffer, start, type, cid);
  return TRUE;
}

gboolean
tractor__msg_write_packed (
    WireBuffer *buffer, MsgType type, const char *cid, WireValue value, GError **error)
{
  guint start;

  if (!tractor__codec_check_length (buffer, value.length, error))
    return FALSE;
  start = begin_payload (buffer, type, cid);
  wire_append (buffer, value.bytes, value.length);
  if (!check_size (buffer, start, error))
    return FALSE;
  end_in_dialog (buffer, start, type, cid);
  return TRUE;
}

gsize
tractor__msg_get_yield_overhead (const char *cid)
{
  gsize length = strlen (cid);

  return FRAME_HEADER_BYTES + 1 + msg_specs[MSG_YIELD].opening.length + (length <= 31 ? 1 : 2) +
         length + field_specs[FIELD_PLD].key.length;
}

void
tractor__msg_write_stop (WireBuffer *buffer, const char *cid)
{
  guint start = begin_in_dialog (buffer, MSG_STOP, 0, cid);

  end_in_dialog (buffer, start, MSG_STOP, cid);
}

void
tractor__msg_write_credit (WireBuffer *buffer, const char *cid, Credit credit)
{
  guint start = begin_in_dialog (buffer, MSG_CREDIT, 0, cid);

  write_credit (buffer, credit);
  frame_end (buffer, start);
}

void
tractor__msg_write_cancel_ack (WireBuffer *buffer, const char *cid)
{
  guint start = begin_in_dialog (buffer, MSG_CANCEL_ACK, 0, cid);

  write_boolean (buffer, FIELD_PLD, TRUE);
  end_in_dialog (buffer, start, MSG_CANCEL_ACK, cid);
}

void
tractor__msg_write_error_value (WireBuffer *buffer, const ErrorMsg *error_msg)
{
  gboolean is_group = error_msg->members.bytes != NULL;

  write_opening (buffer, MSG_ERROR, !is_group);
  write_id_text (buffer, error_msg->src_uid);
  write_valid_string (buffer, FIELD_SRC_TYPE, error_msg->src_type);
  write_valid_string (buffer, FIELD_BOXED_TYPE, error_msg->boxed_type);
  write_key (buffer, FIELD_RELAY_PATH);
  tractor__wire_write_array (buffer, g_strv_length ((char **) error_msg->relay_path));
  for (const char *const *relay = error_msg->relay_path; *relay != NULL; relay++)
    write_id_text (buffer, *relay);
  write_string (buffer, FIELD_MESSAGE, error_msg->message);
  write_string (buffer, FIELD_BACKTRACE, error_msg->backtrace);
  write_key (buffer, FIELD_CANCELLER);
  write_id_text (buffer, error_msg->canceller);
  write_key (buffer, FIELD_SENDER);
  write_id_text (buffer, error_msg->sender);
  write_optional_string (buffer, FIELD_CID, error_msg->cid);
  write_optional_string (buffer, FIELD_BAD_MSG, NULL);
  write_optional_string (buffer, FIELD_BAD_MSG_AS_DICT, NULL);
  write_valid_string (buffer, FIELD_DOMAIN, error_msg->domain);
  write_integer (buffer, FIELD_CODE, error_msg->code);
  if (is_group) {
    write_key (buffer, FIELD_MEMBERS);
    wire_append (buffer, error_msg->members.bytes, error_msg->members.length);
  }
}

void
tractor__msg_write_error (WireBuffer *buffer, const ErrorMsg *error_msg)
{
  guint start = frame_begin (buffer);

  tractor__msg_write_error_value (buffer, error_msg);
  frame_end (buffer, start);
  if (error_msg->cid != NULL)
    trace_sent (MSG_ERROR, error_msg->cid, 0, NULL);
}
