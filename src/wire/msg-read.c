/* msg-read.c - the protocol's messages, read in place.
 *
 * What a message has to have, and of what kind its fields are, is protocol.h's. Unknown keys are
 * skipped and the order of keys is free, as upstream has it; everything else that is wrong is the
 * peer's fault, and ends its connection. But for a payload above our limits, which upstream does not
 * know: it is left out, and who waits for the message is told.
 *
 * What comes by the million is first taken for what our own writer and upstream's make of it: in the
 * table's order, with nothing between. Then keys are compared as constant bytes, and only the values
 * are looked at; that takes a fifth of the time. Whatever is not exactly so, and whatever is wrong,
 * goes the general way. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "msg.h"

#include <string.h>

#include "bounds.h"
#include "protocol.h"
#include "tractor-error.h"

/* --- in any order ------------------------------------------------------------------------------ */

static gboolean
is_id (WireReader *reader)
{
  WireItem item;

  if (!tractor__wire_read (reader, &item) || item.type != WIRE_ARRAY || item.length != 2)
    return FALSE;
  for (int i = 0; i < 2; i++)
    if (!tractor__wire_read (reader, &item) || item.type != WIRE_STRING ||
        item.length > LIMIT_NAME_BYTES || memchr (item.bytes, '\0', item.length) != NULL)
      return FALSE;
  return TRUE;
}

static gboolean
is_of_kind (WireValue value, Kind kind)
{
  WireReader reader = wire_reader (value);
  WireItem item;

  if (kind == KIND_ANY)
    return TRUE;
  if (kind == KIND_ID)
    return is_id (&reader);
  tractor__wire_read (&reader, &item);
  switch (kind) {
  case KIND_STRING:
    return item.type == WIRE_STRING && memchr (item.bytes, '\0', item.length) == NULL;
  case KIND_TEXT:
    return item.type == WIRE_STRING;
  case KIND_INTEGER:
    return item.type == WIRE_INTEGER;
  case KIND_BOOLEAN:
    return item.type == WIRE_BOOLEAN;
  case KIND_MAP:
    return item.type == WIRE_MAP;
  case KIND_IDS:
    if (item.type != WIRE_ARRAY)
      return FALSE;
    for (guint32 i = 0; i < item.length; i++)
      if (!is_id (&reader))
        return FALSE;
    return TRUE;
  case KIND_ANY:
  case KIND_ID:
  default:
    return TRUE;
  }
}

static gboolean
set_protocol_error (GError **error, const char *problem, const char *what)
{
  g_set_error (error, TRACTOR_ERROR, TRACTOR_ERROR_PROTOCOL, "%s '%s'", problem, what);
  return FALSE;
}

/* Without its head. */
static inline const char *
get_key (Field field)
{
  return field_specs[field].key.bytes + 1;
}

/* No NUL ends it. */
static inline const char *
get_type_name (const MsgSpec *spec)
{
  return spec->opening.bytes + TAG_LENGTH + 1;
}

static inline guint
get_type_length (const MsgSpec *spec)
{
  return spec->opening.bytes[TAG_LENGTH] & 0x1f;
}

Field
tractor__msg_find_field (const WireItem *key)
{
  for (Field field = 0; field < N_FIELDS; field++)
    if (wire_item_is (key, get_key (field), field_specs[field].key.length - 1))
      return field;
  return N_FIELDS;
}

/* A body while it is read. */
typedef struct {
  const guint8 *start;
  WireReader reader;
  Msg *msg;
  gboolean has_type;
  guint64 seen;
  gboolean is_tolerant; /* of payloads above the limits */
} Reading;

static gboolean
set_malformed (const Reading *reading, const char *problem, GError **error)
{
  g_set_error (error, TRACTOR_ERROR, TRACTOR_ERROR_PROTOCOL, "%s, at byte %" G_GSIZE_FORMAT,
               problem, (gsize) (reading->reader.at - reading->start));
  return FALSE;
}

/* Takes the next value, checked. Of one that is above a limit, *@ret_limit is set to which. */
static gboolean
take_checked (Reading *reading, WireValue *ret_value, const char **ret_limit, GError **error)
{
  WireReader *reader = &reading->reader;
  const char *problem;

  *ret_limit = NULL;
  ret_value->bytes = reader->at;
  problem = tractor__wire_check_value (reader, 1);
  if (problem == NULL) {
    ret_value->length = (gsize) (reader->at - ret_value->bytes);
    return TRUE;
  }
  if (!reading->is_tolerant ||
      (problem != tractor__wire_too_many && problem != tractor__wire_too_deep))
    return set_malformed (reading, problem, error);

  reader->at = ret_value->bytes;
  *ret_limit = problem;
  return tractor__wire_read_value (reader, ret_value) ||
         set_malformed (reading, "not msgpack, or cut short", error);
}

static gboolean
read_type (Reading *reading, WireValue value, GError **error)
{
  WireReader reader = wire_reader (value);
  WireItem item;

  tractor__wire_read (&reader, &item);
  if (reading->has_type)
    return set_protocol_error (error, "twice the key", "msg_type");
  for (guint i = 0; i < G_N_ELEMENTS (msg_specs); i++)
    if (wire_item_is (&item, get_type_name (&msg_specs[i]), get_type_length (&msg_specs[i]))) {
      reading->msg->type = (MsgType) i;
      reading->has_type = TRUE;
      return TRUE;
    }
  return set_protocol_error (error, "an unknown type of message", "msg_type");
}

static void
leave_out (Msg *msg, Field field, gsize length, const char *limit)
{
  msg->left_out.fields |= FIELD_BIT (field);
  msg->left_out.n_bytes += length;
  msg->left_out.limit = limit;
}

/* @limit: (nullable): which it is above. */
static gboolean
read_field (Reading *reading, Field field, WireValue value, const char *limit, GError **error)
{
  if (field == N_FIELDS)
    return TRUE;
  if (reading->seen & FIELD_BIT (field))
    return set_protocol_error (error, "twice the key", get_key (field));
  reading->seen |= FIELD_BIT (field);
  if (limit != NULL) {
    leave_out (reading->msg, field, value.length, limit);
    return TRUE;
  }
  if (value.bytes[0] == 0xc0 && field_specs[field].kind != KIND_ANY)
    return TRUE; /* nil: as if it were not there */
  if (!is_of_kind (value, field_specs[field].kind))
    return set_protocol_error (error, "a wrong value for the key", get_key (field));
  reading->msg->fields[field] = value;
  return TRUE;
}

static gboolean
read_pair (Reading *reading, GError **error)
{
  WireReader key_reader = reading->reader;
  const char *limit;
  WireValue value;
  WireItem key;

  if (!take_checked (reading, &value, &limit, error))
    return FALSE;
  tractor__wire_read (&key_reader, &key);
  if (key.type != WIRE_STRING)
    return set_protocol_error (error, "a key that is not a string:", "frame");
  if (!take_checked (reading, &value, &limit, error))
    return FALSE;
  if (wire_item_equals (&key, "msg_type"))
    return read_type (reading, value, error);
  return read_field (reading, tractor__msg_find_field (&key), value, limit, error);
}

/* What an outcome can do without: the rest says whose it is. */
#define PAYLOADS                                                                                   \
  (FIELD_BIT (FIELD_PLD) | FIELD_BIT (FIELD_KWARGS) | FIELD_BIT (FIELD_RELAY_PATH) |               \
   FIELD_BIT (FIELD_MESSAGE) | FIELD_BIT (FIELD_BACKTRACE) | FIELD_BIT (FIELD_MEMBERS))

static gboolean
has_required (const Msg *msg, GError **error)
{
  const MsgSpec *spec = &msg_specs[msg->type];
  guint64 is_left_out = msg->left_out.fields & PAYLOADS;

  for (guint i = 0; i < spec->n_members; i++) {
    Field field = spec->members[i].field;

    if (spec->members[i].presence == IS_REQUIRED && msg->fields[field].bytes == NULL &&
        !(is_left_out & FIELD_BIT (field))) {
      g_set_error (error, TRACTOR_ERROR, TRACTOR_ERROR_PROTOCOL, "a message '%.*s' without '%s'",
                   get_type_length (spec), get_type_name (spec), get_key (field));
      return FALSE;
    }
  }
  return TRUE;
}

/* @left_out: (nullable): of it, before */
static gboolean
read_body (WireValue body, const LeftOut *left_out, gboolean is_tolerant, Msg *msg, GError **error)
{
  Reading reading = {
    .start = body.bytes, .reader = wire_reader (body), .msg = msg, .is_tolerant = is_tolerant
  };
  WireItem map;

  G_STATIC_ASSERT (N_FIELDS <= 64);
  memset (msg, 0, sizeof *msg);
  if (left_out != NULL) {
    msg->left_out = *left_out;
    reading.seen = left_out->fields;
  }
  if (!tractor__wire_read (&reading.reader, &map))
    return set_malformed (&reading, "not msgpack, or cut short", error);
  if (map.type != WIRE_MAP)
    return set_protocol_error (error, "a message that is not a map:", "frame");
  if (map.length > LIMIT_MESSAGE_KEYS)
    return set_malformed (&reading, "a message of too many keys", error);
  for (guint32 i = 0; i < map.length; i++)
    if (!read_pair (&reading, error))
      return FALSE;
  if (reading.reader.at < reading.reader.end)
    return set_malformed (&reading, "bytes after the end of the value", error);
  if (!reading.has_type)
    return set_protocol_error (error, "a message without", "msg_type");
  return has_required (msg, error);
}

gboolean
tractor__msg_read_in_any_order (WireValue body, Msg *msg, GError **error)
{
  return read_body (body, NULL, FALSE, msg, error);
}

gboolean
tractor__msg_read_kept (WireValue body, const LeftOut *left_out, Msg *msg, GError **error)
{
  return read_body (body, left_out, TRUE, msg, error);
}

/* --- in the order of the table ----------------------------------------------------------------- */

/* Takes a string of ASCII without a NUL that is no longer than a name, as nearly all are, in one go. */
static inline gboolean
take_plain_string (WireReader *reader)
{
  const guint8 *at = reader->at;
  gsize n = (gsize) (reader->end - at);
  gboolean is_plain = TRUE;
  gsize length;

  if (n > 0 && (at[0] & 0xe0) == 0xa0) {
    length = at[0] & 0x1f;
    at += 1;
  } else if (n > 1 && at[0] == 0xd9 && at[1] <= LIMIT_NAME_BYTES) { /* a uuid is one of these */
    length = at[1];
    at += 2;
  } else {
    return FALSE;
  }
  if ((gsize) (reader->end - at) < length)
    return FALSE;
  for (gsize i = 0; i < length; i++)
    is_plain &= at[i] - 1u < 0x7f;
  if (is_plain)
    reader->at = at + length;
  return is_plain;
}

/* The same of an id that is made of two. */
static inline gboolean
take_plain_id (WireReader *reader)
{
  WireReader ahead = *reader;

  if (ahead.at == ahead.end || *ahead.at++ != 0x92 || !take_plain_string (&ahead) ||
      !take_plain_string (&ahead))
    return FALSE;
  *reader = ahead;
  return TRUE;
}

/* Takes a value, checked as well as in any other order. */
static gboolean
take_value (WireReader *reader, Kind kind, WireValue *ret_value)
{
  ret_value->bytes = reader->at;
  if ((kind == KIND_STRING && take_plain_string (reader)) ||
      (kind == KIND_ID && take_plain_id (reader))) {
    ret_value->length = (gsize) (reader->at - ret_value->bytes);
    return TRUE;
  }
  if (tractor__wire_check_value (reader, 1) != NULL)
    return FALSE;
  ret_value->length = (gsize) (reader->at - ret_value->bytes);
  return kind == KIND_ANY || is_of_kind (*ret_value, kind);
}

static inline gboolean
take_constant (WireReader *reader, Packed constant)
{
  if ((gsize) (reader->end - reader->at) < constant.length ||
      memcmp (reader->at, constant.bytes, constant.length) != 0)
    return FALSE;
  reader->at += constant.length;
  return TRUE;
}

/* The most frequent first. */
static const MsgType frequent[] = { MSG_YIELD,   MSG_RETURN, MSG_START_ACK, MSG_START,
                                    MSG_STARTED, MSG_STOP,   MSG_CREDIT };

/* Of those. (nullable): what the first bytes of its type look like. */
static const MsgSpec *
guess_spec (WireValue body)
{
  const guint8 *type = body.bytes + 1 + TAG_LENGTH;

  if (body.length < 1 + TAG_LENGTH + 2)
    return NULL;
  for (guint i = 0; i < G_N_ELEMENTS (frequent); i++) {
    const MsgSpec *spec = &msg_specs[frequent[i]];
    const char *opening = spec->opening.bytes + TAG_LENGTH;

    if (type[0] == (guint8) opening[0] &&
        type[1] == (guint8) opening[1]) /* no two are the same there */
      return spec;
  }
  return NULL;
}

/* Returns: FALSE if it is not laid out so, or something is wrong with it; then @msg is in any state. */
static gboolean
read_in_order (WireValue body, Msg *msg)
{
  const MsgSpec *spec = guess_spec (body);
  WireReader reader = wire_reader (body);
  guint n_members;

  if (spec == NULL)
    return FALSE;
  n_members = *reader.at++ - (0x80u + 1);
  if (n_members > spec->n_members || !take_constant (&reader, spec->opening))
    return FALSE;
  memset (msg, 0, sizeof *msg);
  msg->type = (MsgType) (spec - msg_specs);
  for (guint i = 0; i < n_members; i++) {
    Field field = spec->members[i].field;

    if ((i > 0 && !take_constant (&reader, field_specs[field].key)) ||
        !take_value (&reader, field_specs[field].kind, &msg->fields[field]))
      return FALSE;
  }
  for (guint i = n_members; i < spec->n_members; i++)
    if (spec->members[i].presence == IS_REQUIRED)
      return FALSE;
  return reader.at == reader.end;
}

gboolean
tractor__msg_read (WireValue body, Msg *msg, GError **error)
{
  return read_in_order (body, msg) || read_body (body, NULL, FALSE, msg, error);
}

gboolean
tractor__msg_read_tolerantly (WireValue body, Msg *msg, GError **error)
{
  return read_in_order (body, msg) || read_body (body, NULL, TRUE, msg, error);
}
