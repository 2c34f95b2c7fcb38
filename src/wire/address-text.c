/* address-text.c - addresses as people write them.
 *
 * As a URL, or as a multiaddr, which upstream prints. What is refused is the caller's: MISUSE, and it
 * is told what would have been accepted. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "address.h"

#include <string.h>

#include "address-rules.h"

static gboolean
parse_port (const char *text, const char *port_text, gint64 *ret_port, GError **error)
{
  guint64 port;

  if (!g_ascii_string_to_unsigned (port_text, 10, 0, G_MAXUINT16, &port, NULL)) {
    tractor__address_refuse (error, TRACTOR_ERROR_MISUSE, text,
                             "its port is not between 0 and 65535");
    return FALSE;
  }
  *ret_port = (gint64) port;
  return TRUE;
}

/* @text: with @rest behind its "tcp://". */
static gboolean
parse_tcp (const char *text, const char *rest, Address *ret_address, GError **error)
{
  const char *colon = strrchr (rest, ':');
  const char *bracket = strrchr (rest, ']');
  g_autofree char *host = NULL;
  gint64 port;

  if (colon == NULL || (bracket != NULL && (rest[0] != '[' || bracket + 1 != colon)))
    return tractor__address_refuse (error, TRACTOR_ERROR_MISUSE, text, ADDRESS_ACCEPTED);
  if (bracket != NULL)
    host = g_strndup (rest + 1, (gsize) (bracket - rest - 1));
  else
    host = g_strndup (rest, (gsize) (colon - rest));
  if (address_is_ipv6 (host) != (bracket != NULL))
    return tractor__address_refuse (
        error, TRACTOR_ERROR_MISUSE, text,
        "an IPv6 address, and no other, goes into brackets: tcp://[::1]:1616");
  if (!parse_port (text, colon + 1, &port, error))
    return FALSE;
  return tractor__address_set_tcp (ret_address,
                                   strcmp (host, "localhost") == 0 ? "127.0.0.1" : host, port,
                                   TRACTOR_ERROR_MISUSE, error);
}

/* @text: /ip4/... or /ip6/... */
static gboolean
parse_ip_multiaddr (const char *text, Address *ret_address, GError **error)
{
  g_auto (GStrv) parts = g_strsplit (text, "/", -1); /* "", ip4, host, tcp, port */
  gint64 port;

  if (g_strv_length (parts) != 5 || strcmp (parts[3], "tcp") != 0 ||
      address_is_ipv6 (parts[2]) != (strcmp (parts[1], "ip6") == 0))
    return tractor__address_refuse (error, TRACTOR_ERROR_MISUSE, text, ADDRESS_ACCEPTED);
  return parse_port (text, parts[4], &port, error) &&
         tractor__address_set_tcp (ret_address, parts[2], port, TRACTOR_ERROR_MISUSE, error);
}

gboolean
tractor__address_parse (const char *text, Address *ret_address, GError **error)
{
  if (!g_utf8_validate (text, -1, NULL)) {
    g_set_error_literal (error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE,
                         "An address has to be UTF-8: nothing else can be told to other actors");
    return FALSE;
  }
  if (g_str_has_prefix (text, "tcp://"))
    return parse_tcp (text, text + strlen ("tcp://"), ret_address, error);
  if (g_str_has_prefix (text, "unix:"))
    return tractor__address_set_unix (ret_address, text + strlen ("unix:"), TRACTOR_ERROR_MISUSE,
                                      error);
  if (g_str_has_prefix (text, "/unix/"))
    return tractor__address_set_unix (ret_address, text + strlen ("/unix"), TRACTOR_ERROR_MISUSE,
                                      error);
  if (g_str_has_prefix (text, "/ip4/") || g_str_has_prefix (text, "/ip6/"))
    return parse_ip_multiaddr (text, ret_address, error);
  return tractor__address_refuse (error, TRACTOR_ERROR_MISUSE, text, ADDRESS_ACCEPTED);
}

char *
tractor__address_to_string (const Address *address)
{
  switch (address->kind) {
  case ADDRESS_TCP:
    return g_strdup_printf (address_is_ipv6 (address->host) ? "tcp://[%s]:%u" : "tcp://%s:%u",
                            address->host, address->port);
  case ADDRESS_UNIX:
    return g_strconcat ("unix:", address->path, NULL);
  case ADDRESS_NONE:
  default:
    return g_strdup ("no address");
  }
}

GPtrArray *
tractor__addresses_parse (const char *const *texts, GError **error)
{
  g_autoptr (GPtrArray) addresses = g_ptr_array_new_with_free_func (tractor__address_free);

  for (; texts != NULL && *texts != NULL; texts++) {
    Address *address = g_new0 (Address, 1);

    g_ptr_array_add (addresses, address);
    if (!tractor__address_parse (*texts, address, error))
      return NULL;
  }
  return g_steal_pointer (&addresses);
}
