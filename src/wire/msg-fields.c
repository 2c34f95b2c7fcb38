/* msg-fields.c - what a message says.
 *
 * Its fields lie in its frame as they came, and have been checked: each is of its kind, or not there.
 * They are read when somebody asks, and copied only for who keeps them. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "msg.h"

#include <string.h>

#include "bounds.h"

static gboolean
read_item (const Msg *msg, Field field, WireReader *ret_reader, WireItem *ret_item)
{
  WireValue value = msg->fields[field];

  if (value.bytes == NULL)
    return FALSE;
  *ret_reader = wire_reader (value);
  return tractor__wire_read (ret_reader, ret_item);
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
    if (wire_item_equals (&item, key)) {
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
         wire_item_equals (&item, id->name) && tractor__wire_read (&reader, &item) &&
         wire_item_equals (&item, id->uuid);
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
