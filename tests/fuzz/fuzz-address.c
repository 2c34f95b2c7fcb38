/* fuzz-address.c - addresses: in whatever form one is accepted, each other form leads back to it. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <string.h>
#include <sys/un.h>

#include "address.h"
#include "codec.h"
#include "fuzz.h"

static void
assert_parses_to (const char *text, const Address *address)
{
  g_auto (Address) parsed = { 0 };

  g_assert_true (tractor__address_parse (text, &parsed, NULL));
  g_assert_true (tractor__address_equal (&parsed, address));
  g_assert_cmpuint (tractor__address_hash (&parsed), ==, tractor__address_hash (address));
}

static void
go_through_texts (const Address *address)
{
  g_autofree char *text = tractor__address_to_string (address);

  fuzz_assert_readable (text);
  assert_parses_to (text, address);
}

static void
go_through_sockaddr (const Address *address)
{
  struct sockaddr_storage name;
  socklen_t length;
  g_auto (Address) back = { 0 };

  if (!tractor__address_to_sockaddr (address, &name, &length, NULL))
    return;
  g_assert_true (tractor__address_from_sockaddr (&name, length, &back, NULL));
  g_assert_true (tractor__address_equal (&back, address));
}

static void
go_through_variant (const Address *address)
{
  g_autoptr (GVariant) variant = g_variant_ref_sink (tractor__address_to_variant (address));
  g_auto (Address) back = { 0 };

  g_assert_true (tractor__address_from_variant (variant, &back, NULL));
  g_assert_true (tractor__address_equal (&back, address));
}

static void
go_through_wire (const Address *address)
{
  g_autoptr (WireBuffer) buffer = tractor__wire_buffer_new ();
  g_auto (Address) back = { 0 };
  WireReader reader;

  tractor__address_write (buffer, address);
  reader = (WireReader){ buffer->data, buffer->data + buffer->len };
  g_assert_true (tractor__address_read (&reader, &back, NULL));
  g_assert_true (tractor__address_equal (&back, address));
}

static void
use (const Address *address)
{
  go_through_wire (address);
  tractor__address_is_loopback (address);
  if (address->kind == ADDRESS_NONE)
    return;
  go_through_texts (address);
  go_through_sockaddr (address);
  go_through_variant (address);
}

static void
use_list (GPtrArray *list, GError *error)
{
  g_autoptr (GPtrArray) addresses = list;

  fuzz_assert_outcome (list != NULL, error);
  if (addresses == NULL)
    return;
  g_assert_cmpuint (addresses->len, <=, LIMIT_ADDRESSES);
  g_ptr_array_foreach (addresses, (GFunc) (void (*) (void)) use, NULL);
  tractor__address_choose (addresses);
}

static void
from_text (const guint8 *bytes, gsize length)
{
  g_autofree char *text = g_strndup ((const char *) bytes, length);
  g_auto (Address) address = { 0 };
  GError *error = NULL;
  gboolean ok = tractor__address_parse (text, &address, &error);

  fuzz_assert_outcome (ok, error);
  if (ok)
    use (&address);
}

static void
from_variant (GVariant *variant)
{
  g_auto (Address) address = { 0 };
  GError *error = NULL;
  gboolean ok = tractor__address_from_variant (variant, &address, &error);
  GPtrArray *list;

  fuzz_assert_outcome (ok, error);
  if (ok)
    use (&address);
  error = NULL;
  list = tractor__address_list_from_variant (variant, &error);
  use_list (list, error);
}

static void
from_wire (const guint8 *bytes, gsize length)
{
  WireValue value = { bytes, length };
  WireReader reader = { bytes, bytes + length };
  g_auto (Address) address = { 0 };
  g_autoptr (GVariant) variant = NULL;
  GError *error = NULL;
  GPtrArray *list;
  gsize offset;
  gboolean ok;

  if (tractor__wire_check (bytes, length, FALSE, &offset) != NULL)
    return;
  ok = tractor__address_read (&reader, &address, &error);
  fuzz_assert_outcome (ok, error);
  if (ok)
    use (&address);
  error = NULL;
  list = tractor__address_read_list (value, &error);
  use_list (list, error);
  if (tractor__codec_unpack (value, &variant, NULL))
    from_variant (variant);
}

static void
from_sockaddr (const guint8 *bytes, gsize length)
{
  static const sa_family_t families[] = { AF_UNIX, AF_INET, AF_INET6, AF_NETLINK };
  struct sockaddr_storage name = { 0 };
  g_auto (Address) address = { 0 };
  GError *error = NULL;
  gboolean ok;

  length = MIN (length, sizeof name);
  if (length < sizeof name.ss_family)
    return;
  memcpy (&name, bytes, length);
  name.ss_family = families[bytes[0] % G_N_ELEMENTS (families)];
  ok = tractor__address_from_sockaddr (&name, (socklen_t) length, &address, &error);
  fuzz_assert_outcome (ok, error);
}

int
LLVMFuzzerTestOneInput (const guint8 *bytes, gsize length)
{
  static void (*const from[]) (const guint8 *bytes, gsize length) = { from_text, from_wire,
                                                                      from_sockaddr };

  if (length > 1)
    from[bytes[0] % G_N_ELEMENTS (from)](bytes + 1, length - 1);
  return 0;
}
