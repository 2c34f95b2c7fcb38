/* serial.h - the bytes of a GVariant, written from front to back. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#ifndef TRACTOR_SRC_BUILD
#error "private to src/"
#endif

#include <string.h>

#include <glib.h>

/* How values of a type lie in memory. */
typedef struct {
  guint alignment;
  gsize size; /* 0: they differ */
} SerialLayout;

/* @type: definite */
G_GNUC_INTERNAL SerialLayout tractor__serial_get_layout (const GVariantType *type);

#define SERIAL_FIRST_BYTES 256

typedef struct {
  guint8 *data; /* aligned as any value may have to be */
  gsize length;
  gsize size;
  guint32 *ends; /* (nullable): of what is in the containers that are open, the outermost first */
  guint n_ends;
  guint ends_size;
  guint64
      first[SERIAL_FIRST_BYTES / sizeof (guint64)]; /* what is small needs no memory of its own */
} Serial;

G_GNUC_INTERNAL void tractor__serial_init (Serial *serial);
G_GNUC_INTERNAL void tractor__serial_clear (Serial *serial);
/* Returns: (transfer floating): the one value, of @type, that has been written. @serial is clear then. */
G_GNUC_INTERNAL GVariant *tractor__serial_take (Serial *serial, const GVariantType *type);

G_GNUC_INTERNAL void tractor__serial_grow (Serial *serial, gsize n);
/* Returns: room for @n more bytes, which count as written. */
static inline guint8 *
serial_extend (Serial *serial, gsize n)
{
  if (G_UNLIKELY (serial->size - serial->length < n))
    tractor__serial_grow (serial, n);
  serial->length += n;
  return serial->data + serial->length - n;
}

static inline void
serial_append (Serial *serial, const void *bytes, gsize n)
{
  memcpy (serial_extend (serial, n), bytes, n);
}

/* Before each value, as its type has it. */
static inline void
serial_align (Serial *serial, guint alignment)
{
  gsize n = -serial->length & (alignment - 1);

  if (n > 0)
    memset (serial_extend (serial, n), 0, n);
}

/* One that is open: what is written from now on is in it. */
typedef struct {
  gsize start;
  guint n_ends;
} SerialContainer;

static inline SerialContainer
serial_open (const Serial *serial)
{
  return (SerialContainer){ serial->length, serial->n_ends };
}

/* So many values will be written in one container: if they are small, memory is asked for once. */
G_GNUC_INTERNAL void tractor__serial_reserve (Serial *serial, SerialLayout layout, guint n);
G_GNUC_INTERNAL void tractor__serial_grow_ends (Serial *serial, guint n);
/* After each value of the container whose size is not fixed. */
static inline void
serial_note_end (Serial *serial, SerialContainer container)
{
  if (G_UNLIKELY (serial->n_ends == serial->ends_size))
    tractor__serial_grow_ends (serial, 1);
  serial->ends[serial->n_ends++] = (guint32) (serial->length - container.start);
}

G_GNUC_INTERNAL void tractor__serial_close_array (Serial *serial, SerialContainer container);
/* Of a tuple or an entry. @layout: its own. @is_last_fixed: the size of its last member is. */
G_GNUC_INTERNAL void tractor__serial_close_tuple (Serial *serial,
                                                  SerialContainer container,
                                                  SerialLayout layout,
                                                  gboolean is_last_fixed);
