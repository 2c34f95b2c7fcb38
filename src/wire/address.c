/* address.c - where an actor listens.
 *
 * People write addresses as text, the protocol cuts them into two halves, the kernel has its
 * sockaddr; all three come together in one struct. What is in it has been checked and has one
 * spelling, so two addresses are the same place if they are the same bytes: hosts are IP literals as
 * inet_ntop() writes them, paths are absolute, without ".", ".." and empty components.
 *
 * The protocol does not tag its halves: a number in the second place makes it TCP, a string Unix.
 * Tagged forms are understood too, never written: "unix" and "tcp" are no absolute directories.
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
#include <stddef.h>
#include <string.h>
#include <sys/un.h>

#include "codec.h"
#include "escape.h"
#include "tractor-error.h"

#define ACCEPTED                                                                                   \
  "accepted are tcp://IP:PORT, unix:/absolute/path, /ip4/IP/tcp/PORT, /ip6/IP/tcp/PORT and "       \
  "/unix/absolute/path"

#define PATH_BYTES sizeof (((struct sockaddr_un *) NULL)->sun_path)
/* A half longer than this is not even quoted. */
#define LONGEST_HALF_BYTES 1024

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

static gboolean
is_ipv6 (const char *host)
{
  return strchr (host, ':') != NULL;
}

/* --- what may be one --------------------------------------------------------------------------- */

static gboolean
refuse (GError **error, TractorError code, const char *text, const char *problem)
{
  g_autofree char *escaped = tractor__escape_name (text);

  g_set_error (error, TRACTOR_ERROR, code, "'%s' cannot be an address: %s", escaped, problem);
  return FALSE;
}

/* (transfer full) (nullable): the usual spelling of an IP literal. */
static char *
normalize_host (const char *host)
{
  int family = is_ipv6 (host) ? AF_INET6 : AF_INET;
  guint8 bytes[sizeof (struct in6_addr)];
  char text[INET6_ADDRSTRLEN];

  if (inet_pton (family, host, bytes) != 1)
    return NULL;
  return g_strdup (inet_ntop (family, bytes, text, sizeof text));
}

static gboolean
set_tcp (Address *ret_address, const char *host, gint64 port, TractorError code, GError **error)
{
  g_autofree char *normal_host = normalize_host (host);

  if (normal_host == NULL)
    return refuse (error, code, host,
                   "the host has to be an IP address, as names are not looked up");
  if (port < 0 || port > G_MAXUINT16)
    return refuse (error, code, host, "its port is not between 0 and 65535");
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

static gboolean
set_unix (Address *ret_address, const char *path, TractorError code, GError **error)
{
  g_autofree char *problem = find_path_problem (path);

  if (problem != NULL)
    return refuse (error, code, path, problem);
  *ret_address = (Address){ .kind = ADDRESS_UNIX, .path = g_strdup (path) };
  return TRUE;
}

/* --- text -------------------------------------------------------------------------------------- */

static gboolean
parse_port (const char *text, const char *port_text, gint64 *ret_port, GError **error)
{
  guint64 port;

  if (!g_ascii_string_to_unsigned (port_text, 10, 0, G_MAXUINT16, &port, NULL))
    return refuse (error, TRACTOR_ERROR_MISUSE, text, "its port is not between 0 and 65535");
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
    return refuse (error, TRACTOR_ERROR_MISUSE, text, ACCEPTED);
  if (bracket != NULL)
    host = g_strndup (rest + 1, (gsize) (bracket - rest - 1));
  else
    host = g_strndup (rest, (gsize) (colon - rest));
  if (is_ipv6 (host) != (bracket != NULL))
    return refuse (error, TRACTOR_ERROR_MISUSE, text,
                   "an IPv6 address, and no other, goes into brackets: tcp://[::1]:1616");
  if (!parse_port (text, colon + 1, &port, error))
    return FALSE;
  return set_tcp (ret_address, strcmp (host, "localhost") == 0 ? "127.0.0.1" : host, port,
                  TRACTOR_ERROR_MISUSE, error);
}

/* @text: /ip4/... or /ip6/... */
static gboolean
parse_ip_multiaddr (const char *text, Address *ret_address, GError **error)
{
  g_auto (GStrv) parts = g_strsplit (text, "/", -1); /* "", ip4, host, tcp, port */
  gint64 port;

  if (g_strv_length (parts) != 5 || strcmp (parts[3], "tcp") != 0 ||
      is_ipv6 (parts[2]) != (strcmp (parts[1], "ip6") == 0))
    return refuse (error, TRACTOR_ERROR_MISUSE, text, ACCEPTED);
  return parse_port (text, parts[4], &port, error) &&
         set_tcp (ret_address, parts[2], port, TRACTOR_ERROR_MISUSE, error);
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
    return set_unix (ret_address, text + strlen ("unix:"), TRACTOR_ERROR_MISUSE, error);
  if (g_str_has_prefix (text, "/unix/"))
    return set_unix (ret_address, text + strlen ("/unix"), TRACTOR_ERROR_MISUSE, error);
  if (g_str_has_prefix (text, "/ip4/") || g_str_has_prefix (text, "/ip6/"))
    return parse_ip_multiaddr (text, ret_address, error);
  return refuse (error, TRACTOR_ERROR_MISUSE, text, ACCEPTED);
}

char *
tractor__address_to_string (const Address *address)
{
  switch (address->kind) {
  case ADDRESS_TCP:
    return g_strdup_printf (is_ipv6 (address->host) ? "tcp://[%s]:%u" : "tcp://%s:%u",
                            address->host, address->port);
  case ADDRESS_UNIX:
    return g_strconcat ("unix:", address->path, NULL);
  case ADDRESS_NONE:
  default:
    return g_strdup ("no address");
  }
}

char *
tractor__address_to_multiaddr (const Address *address)
{
  switch (address->kind) {
  case ADDRESS_TCP:
    return g_strdup_printf ("/%s/%s/tcp/%u", is_ipv6 (address->host) ? "ip6" : "ip4", address->host,
                            address->port);
  case ADDRESS_UNIX:
    return g_strconcat ("/unix", address->path, NULL);
  case ADDRESS_NONE:
  default:
    return g_strdup ("no address");
  }
}

/* --- the wire ---------------------------------------------------------------------------------- */

gboolean
tractor__address_from_halves (const char *host_or_dir,
                              const char *filename,
                              gint64 port,
                              Address *ret_address,
                              GError **error)
{
  g_autofree char *path = NULL;

  if (filename == NULL)
    return set_tcp (ret_address, host_or_dir, port, TRACTOR_ERROR_PROTOCOL, error);
  if (strchr (filename, '/') != NULL)
    return refuse (error, TRACTOR_ERROR_PROTOCOL, filename, "the name of its file has a '/' in it");
  path = g_strconcat (host_or_dir, g_str_has_suffix (host_or_dir, "/") ? "" : "/", filename, NULL);
  return set_unix (ret_address, path, TRACTOR_ERROR_PROTOCOL, error);
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
    return set_tcp (ret_address, second, parts[2].integer, TRACTOR_ERROR_PROTOCOL, error);
  }
  if (second != NULL && strcmp (first, "unix") == 0)
    return set_unix (ret_address, second, TRACTOR_ERROR_PROTOCOL, error);
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

  if (tractor__codec_pack (buffer, value, NULL))
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

/* --- the kernel -------------------------------------------------------------------------------- */

static gboolean
fill_unix (const char *path, struct sockaddr_un *name, socklen_t *ret_length, GError **error)
{
  g_auto (Address) checked = { 0 };

  if (!set_unix (&checked, path, TRACTOR_ERROR_MISUSE, error))
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
  return refuse (error, TRACTOR_ERROR_MISUSE, address->host != NULL ? address->host : "", ACCEPTED);
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
  return set_unix (ret_address, path, TRACTOR_ERROR_MISUSE, error);
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
