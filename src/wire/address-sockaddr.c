/* address-sockaddr.c - addresses as the kernel has them.
 *
 * What it says is not taken on trust either: a path goes through the same check, as it will be told to
 * others. An unnamed socket, which has no address, is none, and no fault. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stddef.h>
#include <string.h>
#include <sys/un.h>

#include "address-rules.h"

static gboolean
fill_unix (const char *path, struct sockaddr_un *name, socklen_t *ret_length, GError **error)
{
  g_auto (Address) checked = { 0 };

  if (!tractor__address_set_unix (&checked, path, TRACTOR_ERROR_MISUSE, error))
    return FALSE;
  name->sun_family = AF_UNIX;
  memcpy (name->sun_path, path, strlen (path) + 1);
  *ret_length = (socklen_t) (offsetof (struct sockaddr_un, sun_path) + strlen (path) + 1);
  return TRUE;
}

gboolean
tractor__address_to_sockaddr (const Address *address,
                              struct sockaddr_storage *ret_name,
                              socklen_t *ret_length,
                              GError **error)
{
  struct sockaddr_in *ipv4 = (struct sockaddr_in *) ret_name;
  struct sockaddr_in6 *ipv6 = (struct sockaddr_in6 *) ret_name;

  memset (ret_name, 0, sizeof *ret_name);
  if (address->kind == ADDRESS_UNIX)
    return fill_unix (address->path, (struct sockaddr_un *) ret_name, ret_length, error);
  if (address->kind == ADDRESS_TCP && inet_pton (AF_INET, address->host, &ipv4->sin_addr) == 1) {
    ipv4->sin_family = AF_INET;
    ipv4->sin_port = htons (address->port);
    *ret_length = sizeof *ipv4;
    return TRUE;
  }
  if (address->kind == ADDRESS_TCP && inet_pton (AF_INET6, address->host, &ipv6->sin6_addr) == 1) {
    ipv6->sin6_family = AF_INET6;
    ipv6->sin6_port = htons (address->port);
    *ret_length = sizeof *ipv6;
    return TRUE;
  }
  return tractor__address_refuse (error, TRACTOR_ERROR_MISUSE,
                                  address->host != NULL ? address->host : "", ADDRESS_ACCEPTED);
}

static gboolean
take_ip (int family, const void *bytes, in_port_t port, Address *ret_address)
{
  char text[INET6_ADDRSTRLEN];

  *ret_address = (Address){
    .kind = ADDRESS_TCP,
    .host = g_strdup (inet_ntop (family, bytes, text, sizeof text)),
    .port = ntohs (port),
  };
  return TRUE;
}

static gboolean
take_unix (const struct sockaddr_un *name, socklen_t length, Address *ret_address, GError **error)
{
  g_autofree char *path = NULL;

  *ret_address = (Address){ .kind = ADDRESS_NONE };
  if (length <= offsetof (struct sockaddr_un, sun_path))
    return TRUE;
  path = g_strndup (name->sun_path, length - offsetof (struct sockaddr_un, sun_path));
  if (!g_utf8_validate (path, -1, NULL)) {
    g_set_error_literal (error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE,
                         "a socket whose path is not UTF-8");
    return FALSE;
  }
  return tractor__address_set_unix (ret_address, path, TRACTOR_ERROR_MISUSE, error);
}

gboolean
tractor__address_from_sockaddr (const struct sockaddr_storage *name,
                                socklen_t length,
                                Address *ret_address,
                                GError **error)
{
  const struct sockaddr_in *ipv4 = (const struct sockaddr_in *) name;
  const struct sockaddr_in6 *ipv6 = (const struct sockaddr_in6 *) name;

  switch (name->ss_family) {
  case AF_INET:
    return take_ip (AF_INET, &ipv4->sin_addr, ipv4->sin_port, ret_address);
  case AF_INET6:
    return take_ip (AF_INET6, &ipv6->sin6_addr, ipv6->sin6_port, ret_address);
  case AF_UNIX:
    return take_unix ((const struct sockaddr_un *) name, length, ret_address, error);
  default:
    g_set_error (error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE,
                 "a socket of the family %d, which is neither TCP nor Unix", name->ss_family);
    return FALSE;
  }
}
