/* address.h - where an actor listens. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#ifndef TRACTOR_SRC_BUILD
#error "private to src/"
#endif

#include <sys/socket.h>

#include "wire.h"

/* Addresses of one actor that are taken from a peer: a few for each interface. */
#define LIMIT_ADDRESSES 64

typedef enum {
  ADDRESS_NONE, /* of zeroed memory; nil on the wire */
  ADDRESS_TCP,
  ADDRESS_UNIX,
} AddressKind;

typedef struct {
  AddressKind kind;
  char *host;   /* TCP: an IP literal, written in the one usual way */
  guint16 port; /* TCP: 0 is any, to listen on */
  char *path;   /* Unix: absolute, plain, and short enough for a socket */
} Address;

G_GNUC_INTERNAL void tractor__address_clear (Address *address);
/* For the elements of a GPtrArray, which are on the heap. */
G_GNUC_INTERNAL void tractor__address_free (gpointer address);
G_GNUC_INTERNAL void tractor__address_copy (const Address *from, Address *ret_to);
/* Of two Address, for hash tables too. */
G_GNUC_INTERNAL gboolean tractor__address_equal (gconstpointer a, gconstpointer b);
G_GNUC_INTERNAL guint tractor__address_hash (gconstpointer address);

/* @text: tcp://127.0.0.1:1616, tcp://[::1]:0, tcp://localhost:1616, unix:/absolute/path, or a
 * multiaddr: /ip4/127.0.0.1/tcp/1616, /ip6/::1/tcp/0, /unix/absolute/path.
 * Returns: FALSE with MISUSE, which says what is accepted. */
G_GNUC_INTERNAL gboolean tractor__address_parse (const char *text,
                                                 Address *ret_address,
                                                 GError **error);
/* (transfer full): tcp://... or unix:... */
G_GNUC_INTERNAL char *tractor__address_to_string (const Address *address);
/* @texts: (nullable). Returns: (transfer full) (element-type Address): NULL with MISUSE. */
G_GNUC_INTERNAL GPtrArray *tractor__addresses_parse (const char *const *texts, GError **error);

/* From the two halves that the protocol cuts it into. @filename: (nullable): with one, @host_or_dir
 * is a directory, else a host, and @port counts. Returns: FALSE with PROTOCOL. */
G_GNUC_INTERNAL gboolean tractor__address_from_halves (const char *host_or_dir,
                                                       const char *filename,
                                                       gint64 port,
                                                       Address *ret_address,
                                                       GError **error);
/* (transfer full): the directory of a Unix address; *@ret_filename points into its path. */
G_GNUC_INTERNAL char *tractor__address_split_path (const Address *address,
                                                   const char **ret_filename);

/* Appends [host, port], [directory, filename], or nil. */
G_GNUC_INTERNAL void tractor__address_write (WireBuffer *buffer, const Address *address);
/* Takes one value of bytes that tractor__wire_check() has passed; nil and [nil, nil] are NONE.
 * Returns: FALSE with PROTOCOL; how far the reader is then, is not said. */
G_GNUC_INTERNAL gboolean tractor__address_read (WireReader *reader,
                                                Address *ret_address,
                                                GError **error);
/* @value: one address, or an array of them, as registrars of different age answer.
 * Returns: (transfer full) (element-type Address) (nullable): empty for none; NULL with PROTOCOL. */
G_GNUC_INTERNAL GPtrArray *tractor__address_read_list (WireValue value, GError **error);

/* The same as payloads. Returns: (transfer floating) (nullable): an "(sx)" or "(ss)"; NULL, which is
 * sent as nil, for none. */
G_GNUC_INTERNAL GVariant *tractor__address_to_variant (const Address *address);
/* @value: (nullable): as tractor__codec_unpack() gives it. Returns: FALSE with PROTOCOL. */
G_GNUC_INTERNAL gboolean tractor__address_from_variant (GVariant *value,
                                                        Address *ret_address,
                                                        GError **error);
/* @value: (nullable). Returns: as tractor__address_read_list() does. */
G_GNUC_INTERNAL GPtrArray *tractor__address_list_from_variant (GVariant *value, GError **error);

/* Returns: FALSE with MISUSE for what no address can be made of. */
G_GNUC_INTERNAL gboolean tractor__address_to_sockaddr (const Address *address,
                                                       struct sockaddr_storage *ret_name,
                                                       socklen_t *ret_length,
                                                       GError **error);
/* An unnamed Unix socket gives NONE. Returns: FALSE with MISUSE for an abstract one, or another family. */
G_GNUC_INTERNAL gboolean tractor__address_from_sockaddr (const struct sockaddr_storage *name,
                                                         socklen_t length,
                                                         Address *ret_address,
                                                         GError **error);

/* Whether it is TCP that stays on this machine: 127.0.0.0/8, ::1. */
G_GNUC_INTERNAL gboolean tractor__address_is_loopback (const Address *address);
/* @addresses: (element-type Address) */
G_GNUC_INTERNAL gboolean tractor__addresses_have_tcp (const GPtrArray *addresses);
/* @addresses: (element-type Address): of one actor. Returns: (transfer none) (nullable): the best to
 * connect to: Unix, then loopback, then the rest; of its kind the latest. */
G_GNUC_INTERNAL const Address *tractor__address_choose (const GPtrArray *addresses);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Address, tractor__address_clear)
