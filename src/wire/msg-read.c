/* msg-read.c - the protocol's messages, read in place.
 *
 * Two tables say everything about reading: what type each field must have, and which fields each
 * message must have. Unknown keys are skipped and the order of keys is free, as upstream has it;
 * everything else that is wrong is the peer's fault, and ends its connection. But for a payload above
 * our limits, which upstream does not know: it is left out, and who waits for the message is told.
 *
 * A third table is only for speed: how those messages look that come by the million, as our own
 * writer and upstream's lay them out. Their keys are compared as constant bytes, and only the values
 * are looked at; that takes a fifth of the time. Whatever is not exactly so, and whatever is wrong,
 * goes the general way. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "msg.h"

#include <string.h>

#include "bounds.h"
#include "codec.h"
#include "tractor-error.h"

/* --- reading ----------------------------------------------------------------------------------- */

typedef enum {
  KIND_ANY,
  KIND_STRING,
  KIND_TEXT, /* a string for people, which may have a NUL in it: an exception's has what it has */
  KIND_INTEGER,
  KIND_BOOLEAN,
  KIND_MAP,
  KIND_ID,  /* an array of two strings */
  KIND_IDS, /* an array of those */
} Kind;

#define NAME(literal) literal, sizeof (literal) - 1

static const struct {
  const char *key;
  guint32 key_length;
  Kind kind;
} fields[N_FIELDS] = {
  [FIELD_CID] = { NAME ("cid"), KIND_STRING },
  [FIELD_NAME] = { NAME ("name"), KIND_STRING },
  [FIELD_UUID] = { NAME ("uuid"), KIND_STRING },
  [FIELD_PID] = { NAME ("pid"), KIND_INTEGER },
  [FIELD_IS_REGISTRAR] = { NAME ("is_registrar"), KIND_BOOLEAN },
  [FIELD_IS_PROBE] = { NAME ("is_probe"), KIND_BOOLEAN },
  [FIELD_NS] = { NAME ("ns"), KIND_STRING },
  [FIELD_FUNC] = { NAME ("func"), KIND_STRING },
  [FIELD_KWARGS] = { NAME ("kwargs"), KIND_MAP },
  [FIELD_UID] = { NAME ("uid"), KIND_ID },
  [FIELD_FUNCTYPE] = { NAME ("functype"), KIND_STRING },
  [FIELD_PLD] = { NAME ("pld"), KIND_ANY },
  [FIELD_SRC_UID] = { NAME ("src_uid"), KIND_ID },
  [FIELD_SRC_TYPE] = { NAME ("src_type_str"), KIND_STRING },
  [FIELD_BOXED_TYPE] = { NAME ("boxed_type_str"), KIND_STRING },
  [FIELD_RELAY_PATH] = { NAME ("relay_path"), KIND_IDS },
  [FIELD_MESSAGE] = { NAME ("message"), KIND_TEXT },
  [FIELD_BACKTRACE] = { NAME ("tb_str"), KIND_TEXT },
  [FIELD_CANCELLER] = { NAME ("canceller"), KIND_ID },
  [FIELD_DOMAIN] = { NAME ("domain"), KIND_STRING },
  [FIELD_CODE] = { NAME ("code"), KIND_INTEGER },
  [FIELD_ENABLE_MODULES] = { NAME ("enable_modules"), KIND_MAP },
  [FIELD_HOST] = { NAME ("host"), KIND_STRING },
  [FIELD_DEPTH] = { NAME ("depth"), KIND_INTEGER },
  [FIELD_SENDER] = { NAME ("sender"), KIND_ID },
  [FIELD_PLD_SPEC] = { NAME ("pld_spec"), KIND_STRING },
  [FIELD_CREDIT_ITEMS] = { NAME ("credit_items"), KIND_INTEGER },
  [FIELD_CREDIT_BYTES] = { NAME ("credit_bytes"), KIND_INTEGER },
  [FIELD_ADDRESSES] = { NAME ("addresses"), KIND_ANY },
  [FIELD_REG_ADDRS] = { NAME ("reg_addrs"), KIND_ANY },
  [FIELD_BIND_ADDRS] = { NAME ("bind_addrs"), KIND_ANY },
  [FIELD_RUNTIME_VARS] = { NAME ("_runtime_vars"), KIND_MAP },
  [FIELD_LOG_LEVEL] = { NAME ("log_level"), KIND_STRING },
  [FIELD_MEMBERS] = { NAME ("members"), KIND_ANY },
  [FIELD_LIMITS] = { NAME ("limits"), KIND_ANY },
  [FIELD_FDS] = { NAME ("fds"), KIND_BOOLEAN },
  [FIELD_IS_REGISTERED] = { NAME ("is_registered"), KIND_BOOLEAN },
  [FIELD_KEY] = { NAME ("key"), KIND_STRING },
};

#define BIT FIELD_BIT

static const struct {
  const char *name;
  guint32 name_length;
  guint64 required;
} types[] = {
  [MSG_AID] = { NAME ("Aid"), BIT (FIELD_NAME) | BIT (FIELD_UUID) },
  [MSG_SPAWN_SPEC] = { NAME ("SpawnSpec"), BIT (FIELD_ENABLE_MODULES) },
  [MSG_START] = { NAME ("Start"), BIT (FIELD_CID) | BIT (FIELD_NS) | BIT (FIELD_FUNC) |
                                      BIT (FIELD_KWARGS) | BIT (FIELD_UID) },
  [MSG_START_ACK] = { NAME ("StartAck"), BIT (FIELD_CID) | BIT (FIELD_FUNCTYPE) },
  [MSG_STARTED] = { NAME ("Started"), BIT (FIELD_CID) | BIT (FIELD_PLD) },
  [MSG_YIELD] = { NAME ("Yield"), BIT (FIELD_CID) | BIT (FIELD_PLD) },
  [MSG_STOP] = { NAME ("Stop"), BIT (FIELD_CID) },
  [MSG_RETURN] = { NAME ("Return"), BIT (FIELD_CID) | BIT (FIELD_PLD) },
  [MSG_CANCEL_ACK] = { NAME ("CancelAck"), BIT (FIELD_CID) | BIT (FIELD_PLD) },
  [MSG_ERROR] = { NAME ("Error"), BIT (FIELD_SRC_UID) | BIT (FIELD_SRC_TYPE) |
                                      BIT (FIELD_BOXED_TYPE) | BIT (FIELD_RELAY_PATH) },
  [MSG_CREDIT] = { NAME ("Credit"),
                   BIT (FIELD_CID) | BIT (FIELD_CREDIT_ITEMS) | BIT (FIELD_CREDIT_BYTES) },
};

static inline gboolean
item_is (const WireItem *item, const char *string, gsize length)
{
  return item->length == length && item->type == WIRE_STRING &&
         memcmp (item->bytes, string, length) == 0;
}

static gboolean
item_equals (const WireItem *item, const char *string)
{
  return item_is (item, string, strlen (string));
}

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

Field
tractor__msg_find_field (const WireItem *key)
{
  for (Field field = 0; field < N_FIELDS; field++)
    if (item_is (key, fields[field].key, fields[field].key_length))
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
  for (guint i = 0; i < G_N_ELEMENTS (types); i++)
    if (item_is (&item, types[i].name, types[i].name_length)) {
      reading->msg->type = (MsgType) i;
      reading->has_type = TRUE;
      return TRUE;
    }
  return set_protocol_error (error, "an unknown type of message", "msg_type");
}

static void
leave_out (Msg *msg, Field field, gsize length, const char *limit)
{
  msg->left_out.fields |= BIT (field);
  msg->left_out.n_bytes += length;
  msg->left_out.limit = limit;
}

/* @limit: (nullable): which it is above. */
static gboolean
read_field (Reading *reading, Field field, WireValue value, const char *limit, GError **error)
{
  if (field == N_FIELDS)
    return TRUE;
  if (reading->seen & BIT (field))
    return set_protocol_error (error, "twice the key", fields[field].key);
  reading->seen |= BIT (field);
  if (limit != NULL) {
    leave_out (reading->msg, field, value.length, limit);
    return TRUE;
  }
  if (value.bytes[0] == 0xc0 && fields[field].kind != KIND_ANY)
    return TRUE; /* nil: as if it were not there */
  if (!is_of_kind (value, fields[field].kind))
    return set_protocol_error (error, "a wrong value for the key", fields[field].key);
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
  if (item_is (&key, NAME ("msg_type")))
    return read_type (reading, value, error);
  return read_field (reading, tractor__msg_find_field (&key), value, limit, error);
}

/* What an outcome can do without: the rest says whose it is. */
#define PAYLOADS                                                                                   \
  (BIT (FIELD_PLD) | BIT (FIELD_KWARGS) | BIT (FIELD_RELAY_PATH) | BIT (FIELD_MESSAGE) |           \
   BIT (FIELD_BACKTRACE) | BIT (FIELD_MEMBERS))

static gboolean
has_required (const Msg *msg, GError **error)
{
  guint64 required = types[msg->type].required & ~(msg->left_out.fields & PAYLOADS);

  for (Field field = 0; field < N_FIELDS; field++)
    if ((required & BIT (field)) && msg->fields[field].bytes == NULL) {
      g_set_error (error, TRACTOR_ERROR, TRACTOR_ERROR_PROTOCOL, "a message '%s' without '%s'",
                   types[msg->type].name, fields[field].key);
      return FALSE;
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

/* --- the layouts of our writer --- */

/* Constant bytes, and the field whose value comes after them. */
typedef struct {
  const char *bytes;
  gsize length;
  Field field;
} LayoutPart;

#define MAX_PARTS 6

static const struct {
  MsgType type;
  LayoutPart parts[MAX_PARTS]; /* as many as have bytes; all fields that are required are there */
} layouts[] = {
  { MSG_YIELD,
    { { NAME ("\x83\xa8msg_type\xa5Yield\xa3"
              "cid"),
        FIELD_CID },
      { NAME ("\xa3pld"), FIELD_PLD } } },
  { MSG_RETURN,
    { { NAME ("\x83\xa8msg_type\xa6Return\xa3"
              "cid"),
        FIELD_CID },
      { NAME ("\xa3pld"), FIELD_PLD } } },
  { MSG_START_ACK,
    { { NAME ("\x83\xa8msg_type\xa8StartAck\xa3"
              "cid"),
        FIELD_CID },
      { NAME ("\xa8"
              "functype"),
        FIELD_FUNCTYPE } } },
  { MSG_START,
    { { NAME ("\x87\xa8msg_type\xa5Start\xa3"
              "cid"),
        FIELD_CID },
      { NAME ("\xa2ns"), FIELD_NS },
      { NAME ("\xa4"
              "func"),
        FIELD_FUNC },
      { NAME ("\xa6kwargs"), FIELD_KWARGS },
      { NAME ("\xa3uid"), FIELD_UID },
      { NAME ("\xa8pld_spec"), FIELD_PLD_SPEC } } },
  { MSG_STARTED,
    { { NAME ("\x83\xa8msg_type\xa7Started\xa3"
              "cid"),
        FIELD_CID },
      { NAME ("\xa3pld"), FIELD_PLD } } },
  { MSG_STOP,
    { { NAME ("\x82\xa8msg_type\xa4Stop\xa3"
              "cid"),
        FIELD_CID } } },
};

/* Where the name of the type begins, in all of them: with its length. */
#define TYPE_AT 10

/* Takes a short string of ASCII without a NUL, which nearly all are, in one go. */
static inline gboolean
take_plain_string (WireReader *reader)
{
  const guint8 *at = reader->at;
  gboolean is_plain = TRUE;
  gsize length;

  if (at == reader->end || (*at & 0xe0) != 0xa0)
    return FALSE;
  length = *at++ & 0x1f;
  if ((gsize) (reader->end - at) < length)
    return FALSE;
  for (gsize i = 0; i < length; i++)
    is_plain &= at[i] - 1u < 0x7f;
  if (is_plain)
    reader->at = at + length;
  return is_plain;
}

/* Takes a value, checked as well as in any other order. */
static gboolean
take_value (WireReader *reader, Kind kind, WireValue *ret_value)
{
  ret_value->bytes = reader->at;
  if (kind == KIND_STRING && take_plain_string (reader)) {
    ret_value->length = (gsize) (reader->at - ret_value->bytes);
    return TRUE;
  }
  if (tractor__wire_check_value (reader, 1) != NULL)
    return FALSE;
  ret_value->length = (gsize) (reader->at - ret_value->bytes);
  return is_of_kind (*ret_value, kind);
}

static gboolean
read_part (WireReader *reader, const LayoutPart *part, Msg *msg)
{
  if ((gsize) (reader->end - reader->at) < part->length ||
      memcmp (reader->at, part->bytes, part->length) != 0)
    return FALSE;
  reader->at += part->length;
  return take_value (reader, fields[part->field].kind, &msg->fields[part->field]);
}

/* Returns: FALSE if it has none of the layouts, or something is wrong with it; then @msg is in any
 * state. */
static gboolean
read_as_laid_out (WireValue body, Msg *msg)
{
  WireReader reader = wire_reader (body);

  if (body.length <= TYPE_AT + 1)
    return FALSE;
  for (guint i = 0; i < G_N_ELEMENTS (layouts); i++) {
    const LayoutPart *parts = layouts[i].parts;

    if (body.bytes[TYPE_AT] != (guint8) parts[0].bytes[TYPE_AT] ||
        body.bytes[TYPE_AT + 1] != (guint8) parts[0].bytes[TYPE_AT + 1])
      continue;
    memset (msg, 0, sizeof *msg);
    msg->type = layouts[i].type;
    for (guint part = 0; part < MAX_PARTS && parts[part].bytes != NULL; part++)
      if (!read_part (&reader, &parts[part], msg))
        return FALSE;
    return reader.at == reader.end;
  }
  return FALSE;
}

gboolean
tractor__msg_read (WireValue body, Msg *msg, GError **error)
{
  return read_as_laid_out (body, msg) || read_body (body, NULL, FALSE, msg, error);
}

gboolean
tractor__msg_read_tolerantly (WireValue body, Msg *msg, GError **error)
{
  return read_as_laid_out (body, msg) || read_body (body, NULL, TRUE, msg, error);
}

/* --- what a message says ----------------------------------------------------------------------- */

static gboolean
read_item (const Msg *msg, Field field, WireReader *ret_reader, WireItem *ret_item)
{
  WireValue value = msg->fields[field];

  if (value.bytes == NULL)
    return FALSE;
  *ret_reader = wire_reader (value);
  return tractor__wire_read (ret_reader, ret_item);
}

gboolean
tractor__msg_check_whole (const Msg *msg, GError **error)
{
  if (msg->left_out.limit == NULL)
    return TRUE;
  g_set_error (error, TRACTOR_ERROR, TRACTOR_ERROR_MSG_TYPE, "A value is refused: %s",
               msg->left_out.limit);
  return FALSE;
}

void
tractor__unpacked_clear (Unpacked *unpacked)
{
  g_clear_pointer (&unpacked->value, g_variant_unref);
  g_clear_error (&unpacked->error);
}

/* Which field of @msg is unpacked, if any. */
static Field
get_packed_field (const Msg *msg)
{
  switch ((int) msg->type) {
  case MSG_START:
    return FIELD_KWARGS;
  case MSG_STARTED:
  case MSG_RETURN:
  case MSG_CANCEL_ACK:
    return FIELD_PLD;
  default: /* an item of a stream is unpacked by who receives it */
    return N_FIELDS;
  }
}

gboolean
tractor__msg_is_large (const Msg *msg)
{
  Field field = get_packed_field (msg);

  return field != N_FIELDS && msg->left_out.limit == NULL &&
         msg->fields[field].length > LARGE_PAYLOAD_BYTES;
}

void
tractor__msg_unpack_ahead (const Msg *msg, const GVariantType *payload_type, Unpacked *ret_unpacked)
{
  if (get_packed_field (msg) == FIELD_KWARGS)
    tractor__codec_unpack_kwargs (msg->fields[FIELD_KWARGS], msg->fds, UNPACK_IN_TURNS,
                                  &ret_unpacked->value, &ret_unpacked->error);
  else
    tractor__codec_unpack_as (msg->fields[FIELD_PLD], msg->fds, payload_type, UNPACK_IN_TURNS,
                              &ret_unpacked->value, &ret_unpacked->error);
}

static gboolean
take_ahead (const Unpacked *ahead, GVariant **ret_value, GError **error)
{
  if (ahead->error != NULL) {
    g_propagate_error (error, g_error_copy (ahead->error));
    return FALSE;
  }
  *ret_value = ahead->value != NULL ? g_variant_ref (ahead->value) : NULL;
  return TRUE;
}

gboolean
tractor__msg_unpack_as (
    const Msg *msg, Field field, const GVariantType *type, GVariant **ret_value, GError **error)
{
  if (msg->ahead != NULL)
    return take_ahead (msg->ahead, ret_value, error);
  return tractor__msg_check_whole (msg, error) &&
         tractor__codec_unpack_as (msg->fields[field], msg->fds, type, UNPACK_AT_ONCE, ret_value,
                                   error);
}

gboolean
tractor__msg_unpack_kwargs (const Msg *msg, GVariant **ret_kwargs, GError **error)
{
  if (msg->ahead != NULL)
    return take_ahead (msg->ahead, ret_kwargs, error);
  return tractor__msg_check_whole (msg, error) &&
         tractor__codec_unpack_kwargs (msg->fields[FIELD_KWARGS], msg->fds, UNPACK_AT_ONCE,
                                       ret_kwargs, error);
}

const char *
tractor__msg_get_string (const Msg *msg, Field field, gsize *ret_length)
{
  const guint8 *bytes = msg->fields[field].bytes;
  WireReader reader;
  WireItem item;

  if (bytes != NULL && (*bytes & 0xe0) == 0xa0) { /* short, as nearly all are */
    *ret_length = *bytes & 0x1f;
    return (const char *) bytes + 1;
  }
  if (!read_item (msg, field, &reader, &item))
    return NULL;
  *ret_length = item.length;
  return (const char *) item.bytes;
}

char *
tractor__msg_dup_string (const Msg *msg, Field field)
{
  gsize length;
  const char *string = tractor__msg_get_string (msg, field, &length);

  return string != NULL ? g_strndup (string, length) : NULL;
}

char *
tractor__msg_dup_payload_spec (const Msg *msg)
{
  g_autofree char *spec = tractor__msg_dup_string (msg, FIELD_PLD_SPEC);

  return spec != NULL && g_variant_type_string_is_valid (spec) ? g_steal_pointer (&spec) : NULL;
}

gboolean
tractor__msg_string_equals (const Msg *msg, Field field, const char *string)
{
  gsize length;
  const char *value = tractor__msg_get_string (msg, field, &length);

  return value != NULL && strlen (string) == length && memcmp (value, string, length) == 0;
}

gint64
tractor__msg_get_integer (const Msg *msg, Field field)
{
  WireReader reader;
  WireItem item;

  return read_item (msg, field, &reader, &item) ? item.integer : 0;
}

gboolean
tractor__msg_get_boolean (const Msg *msg, Field field)
{
  return tractor__msg_get_integer (msg, field) != 0;
}

Credit
tractor__msg_get_credit (const Msg *msg)
{
  return (Credit){
    .items = CLAMP (tractor__msg_get_integer (msg, FIELD_CREDIT_ITEMS), 0, G_MAXINT32),
    .bytes = CLAMP (tractor__msg_get_integer (msg, FIELD_CREDIT_BYTES), 0, G_MAXINT32),
  };
}

gboolean
tractor__msg_find_in_map (const Msg *msg, Field field, const char *key, WireValue *ret_value)
{
  WireReader reader;
  WireItem map;

  if (!read_item (msg, field, &reader, &map))
    return FALSE;
  for (guint32 i = 0; i < map.length; i++) {
    WireItem item;
    WireValue skipped;

    if (!tractor__wire_read (&reader, &item))
      return FALSE;
    if (item.type == WIRE_ARRAY || item.type == WIRE_MAP)
      return FALSE; /* no key that we would look for, or have to look behind */
    if (!tractor__wire_read_value (&reader, &skipped))
      return FALSE;
    if (item_equals (&item, key)) {
      *ret_value = skipped;
      return TRUE;
    }
  }
  return FALSE;
}

gboolean
tractor__msg_id_equals (const Msg *msg, Field field, const ActorId *id)
{
  WireReader reader;
  WireItem item;

  return read_item (msg, field, &reader, &item) && tractor__wire_read (&reader, &item) &&
         item_equals (&item, id->name) && tractor__wire_read (&reader, &item) &&
         item_equals (&item, id->uuid);
}

static char *
take_string (WireReader *reader)
{
  WireItem item;

  tractor__wire_read (reader, &item);
  return g_strndup ((const char *) item.bytes, item.length);
}

gboolean
tractor__msg_get_id (const Msg *msg, Field field, ActorId *ret_id)
{
  WireReader reader;
  WireItem item;

  if (!read_item (msg, field, &reader, &item))
    return FALSE;
  ret_id->name = take_string (&reader);
  ret_id->uuid = take_string (&reader);
  return TRUE;
}

char **
tractor__msg_dup_ids (const Msg *msg, Field field)
{
  g_autoptr (GStrvBuilder) builder = g_strv_builder_new ();
  WireReader reader;
  WireItem item;
  WireItem pair;

  if (read_item (msg, field, &reader, &item))
    for (guint32 i = 0; i < MIN (item.length, LIMIT_RELAYS); i++) {
      g_auto (ActorId) id = { 0 };
      g_autofree char *text = NULL;

      tractor__wire_read (&reader, &pair);
      id.name = take_string (&reader);
      id.uuid = take_string (&reader);
      text = actor_id_to_string (&id);
      g_strv_builder_add (builder, text);
    }
  return g_strv_builder_end (builder);
}

char **
tractor__msg_dup_keys (const Msg *msg, Field field)
{
  g_autoptr (GStrvBuilder) builder = g_strv_builder_new ();
  WireReader reader;
  WireItem item;

  if (!read_item (msg, field, &reader, &item))
    return NULL;
  for (guint32 i = 0; i < item.length; i++) {
    WireItem key;
    WireValue value;

    tractor__wire_read (&reader, &key);
    tractor__wire_read_value (&reader, &value);
    if (key.type == WIRE_STRING) {
      g_autofree char *text = g_strndup ((const char *) key.bytes, key.length);

      g_strv_builder_add (builder, text);
    }
  }
  return g_strv_builder_end (builder);
}
