/* codec-unpack.h - a payload while it is unpacked: for the files that do it. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#ifndef TRACTOR_SRC_BUILD
#error "private to src/"
#endif

#include <string.h>

#include "bounds.h"
#include "codec.h"
#include "serial.h"
#include "tractor-error.h"
#include "value-fd.h"

typedef struct {
  WireReader reader;
  Serial *serial;      /* what is being written */
  GVariant *extension; /* (nullable): the last that was made by a function of the program */
  WireReader whole;    /* at the beginning */
  GByteArray *maps;    /* (nullable): the keys of each map in it */
  guint n_maps;        /* that have been read */
  UnpackPace pace;
  guint n_until_turn; /* values, if it is in turns */
  PassedFds *fds;     /* (nullable): that came with it */
  ValueFds value_fds;
  TractorError code; /* MSG_TYPE, unless it is another */
  char *fault;       /* what is wrong */
  char *place;       /* and where: it grows at its front on the way out of the containers */
} Unpacker;

G_GNUC_INTERNAL void tractor__unpacker_clear (Unpacker *unpacker);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Unpacker, tractor__unpacker_clear)

static inline char
get_kind (const GVariantType *type)
{
  return *g_variant_type_peek_string (type);
}

static inline gboolean
has_nul (const WireItem *string)
{
  return memchr (string->bytes, '\0', string->length) != NULL;
}

static inline gint8
get_extension_code (const WireItem *item)
{
  return (gint8) item->bytes[0];
}

static inline gboolean
is_fd (const WireItem *item)
{
  return fd_mark_is_at (item->bytes, item->length);
}

/* --- bytes --- */

/* For others, if it is in turns. */
G_GNUC_INTERNAL void tractor__unpacker_take_turn (Unpacker *unpacker);

static inline gboolean
unpacker_read_item (Unpacker *unpacker, WireItem *item)
{
  if (tractor__wire_read (&unpacker->reader, item)) {
    unpacker->n_maps += item->type == WIRE_MAP;
    if (G_UNLIKELY (--unpacker->n_until_turn == 0))
      tractor__unpacker_take_turn (unpacker);
    return TRUE;
  }
  unpacker->fault = g_strdup ("cut short"); /* not after a check */
  return FALSE;
}

static inline void
unpacker_write_bytes (Unpacker *unpacker, const WireItem *item)
{
  guint8 *to = item->length > 0 ? serial_extend (unpacker->serial, item->length) : NULL;
  gsize n;

  for (gsize done = 0; done < item->length; done += n) {
    if (done > 0 && unpacker->pace == UNPACK_IN_TURNS)
      tractor__unpacker_take_turn (unpacker);
    n = MIN (item->length - done, BYTES_A_TURN);
    memcpy (to + done, item->bytes + done, n);
  }
}

/* The check has seen its UTF-8, and it has no NUL. */
static inline void
unpacker_write_string (Unpacker *unpacker, const WireItem *item)
{
  unpacker_write_bytes (unpacker, item);
  *serial_extend (unpacker->serial, 1) = '\0';
}

/* An extension as it is: "(nay)". */
static inline void
unpacker_write_raw_extension (Unpacker *unpacker, const WireItem *item)
{
  Serial *serial = unpacker->serial;
  gint16 code = get_extension_code (item);

  serial_append (serial, &code, sizeof code);
  if (item->length > 1)
    serial_append (serial, item->bytes + 1, item->length - 1);
}

/* All that follow return FALSE, or NULL, with a fault; what has been written is of no use then. */

/* --- faults: codec-unpack-state.c --- */

/* Returns: FALSE */
G_GNUC_INTERNAL gboolean tractor__unpacker_refuse (Unpacker *unpacker,
                                                   const WireItem *item,
                                                   const GVariantType *type);
/* @outer: (transfer full). Returns: FALSE */
G_GNUC_INTERNAL gboolean tractor__unpacker_note_place (Unpacker *unpacker, char *outer);

/* --- a value that can be written at once: codec-unpack-write.c --- */

/* @type: definite; or one by which the value that came has its own: that must be of it. Returns:
 * (transfer floating) (nullable) */
G_GNUC_INTERNAL GVariant *
tractor__unpacker_make_at_once (Unpacker *unpacker, const WireItem *item, const GVariantType *type);

/* --- what is in it: codec-unpack-ext.c, codec-unpack-map.c --- */

/* @type: what it has to be of. Returns: (transfer none) (nullable): of which it is, until the next is
 * written. */
G_GNUC_INTERNAL const char *tractor__unpacker_write_extension (Unpacker *unpacker,
                                                               const WireItem *item,
                                                               const GVariantType *type);
/* Of the map that has just been read, and is not empty, by itself. */
G_GNUC_INTERNAL const char *tractor__unpacker_get_map_type (Unpacker *unpacker);
