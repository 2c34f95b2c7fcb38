/* address.c - where an actor listens.
 *
 * People write addresses as text (address-text.c), the protocol cuts them into two halves
 * (address-wire.c), the kernel has its sockaddr (address-sockaddr.c); all three come together in one
 * struct. What is in it has been checked here and has one spelling, so two addresses are the same
 * place if they are the same bytes: hosts are IP literals as inet_ntop() writes them, paths are
 * absolute, without ".", ".." and empty components.
 *
 * Whose fault a bad address is depends on where it came from: MISUSE for the caller's text,
 * PROTOCOL for a peer's. Both quote it, escaped, as it may end in a log.
 *
 * Names are not looked up: that would block, and let another machine's answer say who is local.
 * Abstract sockets are refused, as no directory guards them. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/un.h>

#include "address-rules.h"
#include "escape.h"

#define PATH_BYTES sizeof (((struct sockaddr_un *) NULL)->sun_path)

/* --- the struct -------------------------------------------------------------------------------- */

void
tractor__address_clear (Address *address)
{
  g_free (address->host);
  g_free (address->path);
  *address = (Address){ .kind = ADDRESS_NONE };
}

void
tractor__address_free (gpointer address)
{
  tractor__address_clear (address);
  g_free (address);
}

void
tractor__address_copy (const Address *from, Address *to)
{
  *to = *from;
  to->host = g_strdup (from->host);
  to->path = g_strdup (from->path);
}

gboolean
tractor__address_equal (gconstpointer a, gconstpointer b)
{
  const Address *left = a;
  const Address *right = b;

  return left->kind == right->kind && left->port == right->port &&
         g_strcmp0 (left->host, right->host) == 0 && g_strcmp0 (left->path, right->path) == 0;
}

guint
tractor__address_hash (gconstpointer address)
{
  const Address *self = address;
  const char *text = self->kind == ADDRESS_TCP ? self->host : self->path;

  return (text != NULL ? g_str_hash (text) : 0) * 31 + self->port;
}

/* --- what may be one --------------------------------------------------------------------------- */

gboolean
tractor__address_refuse (GError **error, TractorError code, const char *text, const char *problem)
{
  g_autofree char *escaped = tractor__escape_name (text);

  g_set_error (error, TRACTOR_ERROR, code, "'%s' cannot be an address: %s", escaped, problem);
  return FALSE;
}

/* (transfer full) (nullable): the usual spelling of an IP literal. */
static char *
normalize_host (const char *host)
{
  int family = address_is_ipv6 (host) ? AF_INET6 : AF_INET;
  guint8 bytes[sizeof (struct in6_addr)];
  char text[INET6_ADDRSTRLEN];

  if (inet_pton (family, host, bytes) != 1)
    return NULL;
  return g_strdup (inet_ntop (family, bytes, text, sizeof text));
}

gboolean
tractor__address_set_tcp (
    Address *ret_address, const char *host, gint64 port, TractorError code, GError **error)
{
  g_autofree char *normal_host = normalize_host (host);

  if (normal_host == NULL)
    return tractor__address_refuse (error, code, host,
                                    "the host has to be an IP address, as names are not looked up");
  if (port < 0 || port > G_MAXUINT16)
    return tractor__address_refuse (error, code, host, "its port is not between 0 and 65535");
  *ret_address = (Address){
    .kind = ADDRESS_TCP,
    .host = g_steal_pointer (&normal_host),
    .port = (guint16) port,
  };
  return TRUE;
}

static gboolean
has_odd_component (const char *path)
{
  g_auto (GStrv) components = g_strsplit (path + 1, "/", -1);

  for (char **component = components; *component != NULL; component++)
    if (strcmp (*component, "") == 0 || strcmp (*component, ".") == 0 ||
        strcmp (*component, "..") == 0)
      return TRUE;
  return components[0] == NULL;
}

static gboolean
has_control_character (const char *path)
{
  for (const char *at = path; *at != '\0'; at = g_utf8_next_char (at))
    if (g_unichar_iscntrl (g_utf8_get_char (at)))
      return TRUE;
  return FALSE;
}

/* (transfer full) (nullable) */
static char *
find_path_problem (const char *path)
{
  gsize length = strlen (path);

  /* A multiaddr has a '/' in front of everything. */
  if (path[0] == '\0' || path[0] == '@' || g_str_has_prefix (path, "/@"))
    return g_strdup ("abstract sockets are open to every user and container, so they are not used; "
                     "give the absolute path of a file");
  if (path[0] != '/')
    return g_strdup ("the path of a socket has to be absolute");
  if (length >= PATH_BYTES)
    return g_strdup_printf ("the path is %" G_GSIZE_FORMAT
                            " bytes long, and a socket's can have at most %" G_GSIZE_FORMAT,
                            length, PATH_BYTES - 1);
  if (has_odd_component (path))
    return g_strdup ("the path has to name a file, without '.', '..' or '//' in it");
  if (has_control_character (path)) /* it will be printed */
    return g_strdup ("the path has a control character in it");
  return NULL;
}

gboolean
tractor__address_set_unix (Address *ret_address,
                           const char *path,
                           TractorError code,
                           GError **error)
{
  g_autofree char *problem = find_path_problem (path);

  if (problem != NULL)
    return tractor__address_refuse (error, code, path, problem);
  *ret_address = (Address){ .kind = ADDRESS_UNIX, .path = g_strdup (path) };
  return TRUE;
}

/* --- which one to take ------------------------------------------------------------------------- */

gboolean
tractor__address_is_loopback (const Address *address)
{
  struct in_addr ipv4;

  if (address->kind != ADDRESS_TCP)
    return FALSE;
  if (inet_pton (AF_INET, address->host, &ipv4) == 1)
    return ntohl (ipv4.s_addr) >> 24 == 127;
  return strcmp (address->host, "::1") == 0;
}

static int
get_rank (const Address *address)
{
  if (address->kind == ADDRESS_NONE)
    return 0;
  if (address->kind == ADDRESS_UNIX)
    return 3;
  return tractor__address_is_loopback (address) ? 2 : 1;
}

gboolean
tractor__addresses_have_tcp (const GPtrArray *addresses)
{
  for (guint i = 0; i < addresses->len; i++)
    if (((Address *) addresses->pdata[i])->kind == ADDRESS_TCP)
      return TRUE;
  return FALSE;
}

const Address *
tractor__address_choose (const GPtrArray *addresses)
{
  const Address *best = NULL;

  for (guint i = 0; i < addresses->len; i++) {
    const Address *address = addresses->pdata[i];

    if (get_rank (address) > 0 && (best == NULL || get_rank (address) >= get_rank (best)))
      best = address;
  }
  return best;
}
