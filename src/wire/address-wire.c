/* address-wire.c - addresses as the protocol has them: in two halves.
 *
 * It does not tag them: a number in the second place makes it TCP, a string Unix. Tagged forms are
 * understood too, never written: "unix" and "tcp" are no absolute directories. What is refused is a
 * peer's: PROTOCOL.
 *
 * In payloads they are the same, as GVariants. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "address.h"

#include <string.h>

#include "address-rules.h"
#include "codec.h"

/* A half longer than this is not even quoted. */
#define LONGEST_HALF_BYTES 1024

gboolean
tractor__address_from_halves (const char *host_or_dir,
                              const char *filename,
                              gint64 port,
                              Address *ret_address,
                              GError **error)
{
  g_autofree char *path = NULL;

  if (filename == NULL)
    return tractor__address_set_tcp (ret_address, host_or_dir, port, TRACTOR_ERROR_PROTOCOL, error);
  if (strchr (filename, '/') != NULL)
    return tractor__address_refuse (error, TRACTOR_ERROR_PROTOCOL, filename,
                                    "the name of its file has a '/' in it");
  path = g_strconcat (host_or_dir, g_str_has_suffix (host_or_dir, "/") ? "" : "/", filename, NULL);
  return tractor__address_set_unix (ret_address, path, TRACTOR_ERROR_PROTOCOL, error);
}

char *
tractor__address_split_path (const Address *address, const char **ret_filename)
{
  const char *slash = strrchr (address->path, '/');

  *ret_filename = slash + 1;
  return slash == address->path ? g_strdup ("/")
                                : g_strndup (address->path, (gsize) (slash - address->path));
}

void
tractor__address_write (WireBuffer *buffer, const Address *address)
{
  g_autofree char *dir = NULL;
  const char *filename;

  switch (address->kind) {
  case ADDRESS_TCP:
    tractor__wire_write_array (buffer, 2);
    tractor__wire_write_string (buffer, address->host);
    tractor__wire_write_integer (buffer, address->port);
    break;
  case ADDRESS_UNIX:
    dir = tractor__address_split_path (address, &filename);
    tractor__wire_write_array (buffer, 2);
    tractor__wire_write_string (buffer, dir);
    tractor__wire_write_string (buffer, filename);
    break;
  case ADDRESS_NONE:
  default:
    wire_write_nil (buffer);
  }
}

static gboolean
refuse_value (GError **error)
{
  g_set_error_literal (error, TRACTOR_ERROR, TRACTOR_ERROR_PROTOCOL,
                       "an address that is neither [host, port] nor [directory, filename]");
  return FALSE;
}

/* (transfer full) (nullable) */
static char *
dup_half (const WireItem *item)
{
  if (item->type != WIRE_STRING || item->length > LONGEST_HALF_BYTES ||
      memchr (item->bytes, '\0', item->length) != NULL)
    return NULL;
  return g_strndup ((const char *) item->bytes, item->length);
}

/* @parts: @n_parts of them, two or three. */
static gboolean
set_from_parts (const WireItem *parts, guint32 n_parts, Address *ret_address, GError **error)
{
  g_autofree char *first = dup_half (&parts[0]);
  g_autofree char *second = dup_half (&parts[1]);

  if (n_parts == 2 && parts[0].type == WIRE_NIL && parts[1].type == WIRE_NIL)
    return TRUE;
  if (first == NULL)
    return refuse_value (error);
  if (n_parts == 3) {
    if (strcmp (first, "tcp") != 0 || second == NULL || parts[2].type != WIRE_INTEGER)
      return refuse_value (error);
    return tractor__address_set_tcp (ret_address, second, parts[2].integer, TRACTOR_ERROR_PROTOCOL,
                                     error);
  }
  if (second != NULL && strcmp (first, "unix") == 0)
    return tractor__address_set_unix (ret_address, second, TRACTOR_ERROR_PROTOCOL, error);
  if (second == NULL && parts[1].type != WIRE_INTEGER)
    return refuse_value (error);
  return tractor__address_from_halves (first, second, parts[1].integer, ret_address, error);
}

gboolean
tractor__address_read (WireReader *reader, Address *ret_address, GError **error)
{
  WireItem head;
  WireItem parts[3];

  *ret_address = (Address){ .kind = ADDRESS_NONE };
  if (!tractor__wire_read (reader, &head))
    return refuse_value (error);
  if (head.type == WIRE_NIL)
    return TRUE;
  if (head.type != WIRE_ARRAY || head.length < 2 || head.length > 3)
    return refuse_value (error);
  for (guint32 i = 0; i < head.length; i++)
    if (!tractor__wire_read (reader, &parts[i]))
      return refuse_value (error);
  return set_from_parts (parts, head.length, ret_address, error);
}

/* Moves @reader to the first address. Returns: how many there are. */
static guint32
enter_list (WireReader *reader)
{
  WireReader ahead = *reader;
  WireItem list;
  WireItem first;

  if (!tractor__wire_read (&ahead, &list) || list.type != WIRE_ARRAY)
    return 1;
  if (list.length > 0) {
    WireReader inside = ahead;

    if (!tractor__wire_read (&inside, &first) || first.type != WIRE_ARRAY)
      return 1;
  }
  *reader = ahead;
  return list.length;
}

GPtrArray *
tractor__address_read_list (WireValue value, GError **error)
{
  g_autoptr (GPtrArray) addresses = g_ptr_array_new_with_free_func (tractor__address_free);
  WireReader reader = wire_reader (value);
  guint32 n = enter_list (&reader);

  if (n > LIMIT_ADDRESSES) {
    g_set_error (error, TRACTOR_ERROR, TRACTOR_ERROR_PROTOCOL,
                 "%u addresses for one actor; at most %d are taken", n, LIMIT_ADDRESSES);
    return NULL;
  }
  for (guint32 i = 0; i < n; i++) {
    Address address;

    if (!tractor__address_read (&reader, &address, error))
      return NULL;
    if (address.kind != ADDRESS_NONE)
      g_ptr_array_add (addresses, g_memdup2 (&address, sizeof address));
  }
  return g_steal_pointer (&addresses);
}

/* --- payloads ---------------------------------------------------------------------------------- */

GVariant *
tractor__address_to_variant (const Address *address)
{
  g_autofree char *dir = NULL;
  const char *filename;

  switch (address->kind) {
  case ADDRESS_TCP:
    return g_variant_new ("(sx)", address->host, (gint64) address->port);
  case ADDRESS_UNIX:
    dir = tractor__address_split_path (address, &filename);
    return g_variant_new ("(ss)", dir, filename);
  case ADDRESS_NONE:
  default:
    return NULL;
  }
}

/* Back to bytes: they are few, and there is one reader only to get right. (transfer full)
 * (nullable) */
static WireBuffer *
pack_again (GVariant *value, GError **error)
{
  g_autoptr (WireBuffer) buffer = tractor__wire_buffer_new ();

  if (tractor__codec_pack (buffer, value, PACK_AT_ONCE, NULL))
    return g_steal_pointer (&buffer);
  refuse_value (error);
  return NULL;
}

gboolean
tractor__address_from_variant (GVariant *value, Address *ret_address, GError **error)
{
  g_autoptr (WireBuffer) buffer = pack_again (value, error);
  WireReader reader;

  if (buffer == NULL)
    return FALSE;
  reader = (WireReader){ buffer->data, buffer->data + buffer->len };
  return tractor__address_read (&reader, ret_address, error);
}

GPtrArray *
tractor__address_list_from_variant (GVariant *value, GError **error)
{
  g_autoptr (WireBuffer) buffer = pack_again (value, error);

  if (buffer == NULL)
    return NULL;
  return tractor__address_read_list ((WireValue){ buffer->data, buffer->len }, error);
}
