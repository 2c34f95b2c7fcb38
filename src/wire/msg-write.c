/* msg-write.c - the protocol's messages, written.
 *
 * What is the same in every message is written as constant bytes of msgpack; payloads are codec.c's.
 * Keys of ours are added where upstream ignores unknown ones: "domain" and "code" carry a GError
 * across, "uid", "host" and "depth" a child's place, "credit_items" and "credit_bytes" offer flow
 * control. "key" says who it is where the kernel does not. One message is ours, Credit; it goes only to peers that made that offer. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "msg.h"

#include <string.h>
#include <unistd.h>

#include "bounds.h"
#include "codec.h"
#include "frame.h"
#include "peer-limits.h"
#include "tractor-error.h"

static void
write_id (WireBuffer *buffer, const ActorId *id)
{
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
  wire_append_literal (buffer, "\xac"
                               "credit_items");
  tractor__wire_write_integer (buffer, credit.items);
  wire_append_literal (buffer, "\xac"
                               "credit_bytes");
  tractor__wire_write_integer (buffer, credit.bytes);
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
  guint start = tractor__frame_begin (buffer);

  tractor__wire_write_map (buffer, 9 + (aid->addresses != NULL) + (aid->key != NULL));
  wire_append_literal (buffer, "\xa8msg_type\xa3"
                               "Aid"
                               "\xa4name");
  tractor__wire_write_string (buffer, aid->id->name);
  wire_append_literal (buffer, "\xa4uuid");
  tractor__wire_write_string (buffer, aid->id->uuid);
  wire_append_literal (buffer, "\xa3pid");
  tractor__wire_write_integer (buffer, getpid ());
  wire_append_literal (buffer, "\xacis_registrar");
  wire_write_boolean (buffer, aid->is_registrar);
  wire_append_literal (buffer, "\xa8is_probe");
  wire_write_boolean (buffer, aid->is_probe);
  write_credit (buffer, aid->credit);
  wire_append_literal (buffer, "\xa3"
                               "fds\xc3");
  if (aid->addresses != NULL) {
    wire_append_literal (buffer, "\xa9"
                                 "addresses");
    write_addresses (buffer, aid->addresses);
  }
  if (aid->key != NULL) {
    wire_append_literal (buffer, "\xa3key");
    tractor__wire_write_string (buffer, aid->key);
  }
  tractor__frame_end (buffer, start);
}

static void
write_optional_string (WireBuffer *buffer, const char *string)
{
  if (string != NULL)
    tractor__wire_write_string (buffer, string);
  else
    wire_write_nil (buffer);
}

/* What a program has chosen freely: the quark of an error's domain may be anything. */
static void
write_valid_string (WireBuffer *buffer, const char *string)
{
  g_autofree char *valid = g_utf8_make_valid (string, -1);

  tractor__wire_write_string (buffer, valid);
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
  wire_append_literal (buffer, "\xab_debug_mode\xc2\xacrepl_fixture\xc2\xaduse_greenback\xc2"
                               "\xaeuse_stackscope\xc2\xb0_is_infected_aio\xc2");
}

void
tractor__msg_write_spawn_spec (WireBuffer *buffer, const SpawnSpec *spec)
{
  guint start = tractor__frame_begin (buffer);

  wire_append_literal (buffer, "\x8d\xa8msg_type\xa9SpawnSpec"
                               "\xb1_parent_main_data\x80"
                               "\xad_runtime_vars");
  write_runtime_vars (buffer, spec);
  wire_append_literal (buffer, "\xae"
                               "enable_modules");
  write_modules (buffer, spec->modules);
  wire_append_literal (buffer, "\xa9reg_addrs");
  write_addresses (buffer, spec->registrars);
  wire_append_literal (buffer, "\xaa"
                               "bind_addrs");
  write_addresses (buffer, spec->listen);
  wire_append_literal (buffer, "\xa3uid");
  write_id (buffer, &spec->id);
  wire_append_literal (buffer, "\xa4host");
  write_optional_string (buffer, spec->host);
  wire_append_literal (buffer, "\xa9log_level");
  write_optional_string (buffer, spec->log_level);
  wire_append_literal (buffer, "\xa5"
                               "depth");
  tractor__wire_write_integer (buffer, spec->depth);
  wire_append_literal (buffer, "\xa6limits");
  tractor__limits_write (buffer, spec->limits);
  wire_append_literal (buffer, "\xadis_registered");
  wire_write_boolean (buffer, spec->is_registered);
  wire_append_literal (buffer, "\xa3key");
  write_optional_string (buffer, spec->key);
  tractor__frame_end (buffer, start);
}

/* Ends a frame with a payload. Returns: FALSE with MSG_TYPE if it has become too large for the peer:
 * then it is taken back. */
static gboolean
end_payload (WireBuffer *buffer, guint start, GError **error)
{
  gsize limit = buffer->frame_limit != 0 ? buffer->frame_limit : LIMIT_FRAME_BYTES;
  guint length = buffer->len - start;

  if (length > limit) {
    wire_truncate (buffer, start);
    g_set_error (error, TRACTOR_ERROR, TRACTOR_ERROR_MSG_TYPE,
                 "A value of %u bytes cannot be sent: %" G_GSIZE_FORMAT
                 " are allowed (TractorLimits.frame_bytes)",
                 length, limit);
    return FALSE;
  }
  tractor__frame_end (buffer, start);
  return TRUE;
}

gboolean
tractor__msg_write_start (WireBuffer *buffer,
                          const char *cid,
                          const char *function,
                          GVariant *kwargs,
                          const ActorId *self,
                          GError **error)
{
  const char *colon = strchr (function, ':');
  guint start = tractor__frame_begin (buffer);

  wire_append_literal (buffer, "\x87\xa8msg_type\xa5Start\xa3"
                               "cid");
  tractor__wire_write_string (buffer, cid);
  wire_append_literal (buffer, "\xa2ns");
  tractor__wire_write_text (buffer, function, (gsize) (colon - function));
  wire_append_literal (buffer, "\xa4"
                               "func");
  tractor__wire_write_string (buffer, colon + 1);
  wire_append_literal (buffer, "\xa6kwargs");
  if (kwargs == NULL) {
    tractor__wire_write_map (buffer, 0);
  } else if (!tractor__codec_pack (buffer, kwargs, error)) {
    wire_truncate (buffer, start);
    return FALSE;
  }
  wire_append_literal (buffer, "\xa3uid");
  write_id (buffer, self);
  wire_append_literal (buffer, "\xa8pld_spec\xaatyping.Any");
  return end_payload (buffer, start, error);
}

void
tractor__msg_write_start_ack (WireBuffer *buffer,
                              const char *cid,
                              const char *functype,
                              const char *payload_spec)
{
  guint start = tractor__frame_begin (buffer);

  wire_append (buffer, payload_spec != NULL ? "\x84" : "\x83", 1);
  wire_append_literal (buffer, "\xa8msg_type\xa8StartAck\xa3"
                               "cid");
  tractor__wire_write_string (buffer, cid);
  wire_append_literal (buffer, "\xa8"
                               "functype");
  tractor__wire_write_string (buffer, functype);
  if (payload_spec != NULL) {
    wire_append_literal (buffer, "\xa8pld_spec");
    tractor__wire_write_string (buffer, payload_spec);
  }
  tractor__frame_end (buffer, start);
}

/* Everything of a Started, Yield or Return but its payload. */
static guint
begin_payload (WireBuffer *buffer, MsgType type, const char *cid)
{
  guint start = tractor__frame_begin (buffer);

  if (type == MSG_YIELD)
    wire_append_literal (buffer, "\x83\xa8msg_type\xa5Yield\xa3"
                                 "cid");
  else if (type == MSG_STARTED)
    wire_append_literal (buffer, "\x83\xa8msg_type\xa7Started\xa3"
                                 "cid");
  else
    wire_append_literal (buffer, "\x83\xa8msg_type\xa6Return\xa3"
                                 "cid");
  tractor__wire_write_string (buffer, cid);
  wire_append_literal (buffer, "\xa3pld");
  return start;
}

gboolean
tractor__msg_write_payload (
    WireBuffer *buffer, MsgType type, const char *cid, GVariant *value, GError **error)
{
  guint start = begin_payload (buffer, type, cid);

  if (!tractor__codec_pack (buffer, value, error)) {
    wire_truncate (buffer, start);
    return FALSE;
  }
  return end_payload (buffer, start, error);
}

gboolean
tractor__msg_write_packed (
    WireBuffer *buffer, MsgType type, const char *cid, WireValue value, GError **error)
{
  guint start = begin_payload (buffer, type, cid);

  wire_append (buffer, value.bytes, value.length);
  return end_payload (buffer, start, error);
}

gsize
tractor__msg_get_yield_overhead (const char *cid)
{
  gsize length = strlen (cid);

  return strlen ("----\x83\xa8msg_type\xa5Yield\xa3"
                 "cid"
                 "\xa3pld") +
         length + (length <= 31 ? 1 : 2);
}

void
tractor__msg_write_stop (WireBuffer *buffer, const char *cid)
{
  guint start = tractor__frame_begin (buffer);

  wire_append_literal (buffer, "\x82\xa8msg_type\xa4Stop\xa3"
                               "cid");
  tractor__wire_write_string (buffer, cid);
  tractor__frame_end (buffer, start);
}

void
tractor__msg_write_credit (WireBuffer *buffer, const char *cid, Credit credit)
{
  guint start = tractor__frame_begin (buffer);

  wire_append_literal (buffer, "\x84\xa8msg_type\xa6"
                               "Credit\xa3"
                               "cid");
  tractor__wire_write_string (buffer, cid);
  write_credit (buffer, credit);
  tractor__frame_end (buffer, start);
}

void
tractor__msg_write_cancel_ack (WireBuffer *buffer, const char *cid)
{
  guint start = tractor__frame_begin (buffer);

  wire_append_literal (buffer, "\x83\xa8msg_type\xa9"
                               "CancelAck\xa3"
                               "cid");
  tractor__wire_write_string (buffer, cid);
  wire_append_literal (buffer, "\xa3pld\xc3");
  tractor__frame_end (buffer, start);
}

void
tractor__msg_write_error_value (WireBuffer *buffer, const ErrorMsg *error_msg)
{
  gboolean is_group = error_msg->members.bytes != NULL;

  wire_append (buffer, is_group ? "\x8f" : "\x8e", 1);
  wire_append_literal (buffer, "\xa8msg_type\xa5"
                               "Error\xa7src_uid");
  write_id_text (buffer, error_msg->src_uid);
  wire_append_literal (buffer, "\xacsrc_type_str");
  write_valid_string (buffer, error_msg->src_type);
  wire_append_literal (buffer, "\xae"
                               "boxed_type_str");
  write_valid_string (buffer, error_msg->boxed_type);
  wire_append_literal (buffer, "\xaarelay_path");
  tractor__wire_write_array (buffer, g_strv_length ((char **) error_msg->relay_path));
  for (const char *const *relay = error_msg->relay_path; *relay != NULL; relay++)
    write_id_text (buffer, *relay);
  wire_append_literal (buffer, "\xa7message");
  tractor__wire_write_string (buffer, error_msg->message);
  wire_append_literal (buffer, "\xa6tb_str");
  tractor__wire_write_string (buffer, error_msg->backtrace);
  wire_append_literal (buffer, "\xa9"
                               "canceller");
  write_id_text (buffer, error_msg->canceller);
  wire_append_literal (buffer, "\xa6sender");
  write_id_text (buffer, error_msg->sender);
  wire_append_literal (buffer, "\xa3"
                               "cid");
  write_optional_string (buffer, error_msg->cid);
  wire_append_literal (buffer, "\xa8_bad_msg\xc0\xb0_bad_msg_as_dict\xc0\xa6"
                               "domain");
  if (error_msg->domain != NULL)
    write_valid_string (buffer, error_msg->domain);
  else
    wire_write_nil (buffer);
  wire_append_literal (buffer, "\xa4"
                               "code");
  tractor__wire_write_integer (buffer, error_msg->code);
  if (is_group) {
    wire_append_literal (buffer, "\xa7members");
    wire_append (buffer, error_msg->members.bytes, error_msg->members.length);
  }
}

void
tractor__msg_write_error (WireBuffer *buffer, const ErrorMsg *error_msg)
{
  guint start = tractor__frame_begin (buffer);

  tractor__msg_write_error_value (buffer, error_msg);
  tractor__frame_end (buffer, start);
}
