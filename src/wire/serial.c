/* serial.c - the bytes of a GVariant, written from front to back.
 *
 * A GVariant can be a tree of GVariants or a block of bytes. A tree costs some hundred bytes and three
 * calls of malloc() for each element, however small; so what comes from a peer, who chooses how many
 * there are, is written as bytes at once. The format is GVariant's own: a value begins at a multiple of
 * its alignment; behind what is in a container stand the ends of what in it has no fixed size, in as few
 * bytes each as the size of the whole needs. A container begins aligned as the strictest of what is in
 * it, so all can be aligned from the beginning of the whole, and nothing has to be moved.
 *
 * Nothing is checked here: the value is trusted, so who writes it sees to it that a string is UTF-8 and
 * has its NUL, and that what is closed was opened. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "serial.h"

void
tractor__serial_init (Serial *serial)
{
  serial->data = (guint8 *) serial->first;
  serial->length = 0;
  serial->size = sizeof serial->first;
  serial->ends = NULL;
  serial->n_ends = 0;
  serial->ends_size = 0;
}

void
tractor__serial_clear (Serial *serial)
{
  if (serial->data != (guint8 *) serial->first)
    g_free (serial->data);
  g_free (serial->ends);
  tractor__serial_init (serial);
}

void
tractor__serial_grow (Serial *serial, gsize n)
{
  gboolean is_first = serial->data == (guint8 *) serial->first;

  serial->size = MAX (serial->size + serial->size / 2, serial->length + n);
  serial->data = g_realloc (is_first ? NULL : serial->data, serial->size);
  if (is_first)
    memcpy (serial->data, serial->first, serial->length);
}

void
tractor__serial_grow_ends (Serial *serial, guint n)
{
  if (serial->ends_size - serial->n_ends >= n)
    return;
  serial->ends_size = MAX (serial->ends_size * 2, serial->n_ends + MAX (n, 16));
  serial->ends = g_renew (guint32, serial->ends, serial->ends_size);
}

void
tractor__serial_reserve (Serial *serial, SerialLayout layout, guint n)
{
  /* Of what differs in size, as much as a number in a variant takes. */
  gsize length = (gsize) n * (layout.size > 0 ? layout.size : 2 * (gsize) layout.alignment + 4);

  /* With room for what ends the containers around it, for whose sake all would be copied otherwise. */
  if (serial->size - serial->length < length)
    tractor__serial_grow (serial, length + SERIAL_FIRST_BYTES);
  if (layout.size == 0)
    tractor__serial_grow_ends (serial, n);
}

GVariant *
tractor__serial_take (Serial *serial, const GVariantType *type)
{
  g_autoptr (GBytes) bytes = NULL;

  g_assert (serial->n_ends == 0);
  if (serial->data == (guint8 *) serial->first) {
    bytes = g_bytes_new (serial->data, serial->length);
  } else {
    bytes = g_bytes_new_take (g_realloc (serial->data, serial->length), serial->length);
    serial->data = (guint8 *) serial->first;
  }
  tractor__serial_clear (serial);
  return g_variant_new_from_bytes (type, bytes, TRUE);
}

/* --- layouts ----------------------------------------------------------------------------------- */

static SerialLayout
get_tuple_layout (const GVariantType *type)
{
  SerialLayout layout = { 1, 0 };
  gboolean is_fixed = TRUE;

  for (const GVariantType *member = g_variant_type_first (type); member != NULL;
       member = g_variant_type_next (member)) {
    SerialLayout inner = tractor__serial_get_layout (member);

    layout.alignment = MAX (layout.alignment, inner.alignment);
    layout.size += (-layout.size & (inner.alignment - 1)) + inner.size;
    is_fixed = is_fixed && inner.size > 0;
  }
  layout.size += -layout.size & (layout.alignment - 1);
  layout.size = is_fixed ? MAX (layout.size, 1) : 0; /* the empty one has a byte */
  return layout;
}

SerialLayout
tractor__serial_get_layout (const GVariantType *type)
{
  switch (*g_variant_type_peek_string (type)) {
  case 'b':
  case 'y':
    return (SerialLayout){ 1, 1 };
  case 'n':
  case 'q':
    return (SerialLayout){ 2, 2 };
  case 'i':
  case 'u':
  case 'h':
    return (SerialLayout){ 4, 4 };
  case 'x':
  case 't':
  case 'd':
    return (SerialLayout){ 8, 8 };
  case 'v':
    return (SerialLayout){ 8, 0 };
  case 'a':
  case 'm':
    return (SerialLayout){ tractor__serial_get_layout (g_variant_type_element (type)).alignment,
                           0 };
  case '(':
  case '{':
    return get_tuple_layout (type);
  case 's':
  case 'o':
  case 'g':
  default:
    return (SerialLayout){ 1, 0 };
  }
}

/* --- ends -------------------------------------------------------------------------------------- */

/* How many bytes each of @n ends takes behind @length others: they count too. */
static guint
get_end_size (gsize length, guint n)
{
  return length + n <= G_MAXUINT8                        ? 1
         : length + (gsize) n * 2 <= G_MAXUINT16         ? 2
         : length + (gsize) n * 4 <= (gsize) G_MAXUINT32 ? 4
                                                         : 8;
}

/* Takes the ends of the container, and appends them. */
static void
append_ends (Serial *serial, SerialContainer container, gboolean is_backwards)
{
  guint n = serial->n_ends - container.n_ends;
  const guint32 *ends = serial->ends + container.n_ends;
  guint size = get_end_size (serial->length - container.start, n);
  guint8 *at = serial_extend (serial, (gsize) n * size);

  for (guint i = 0; i < n; i++) {
    guint64 end = GUINT64_TO_LE (ends[is_backwards ? n - 1 - i : i]);

    memcpy (at, &end, size);
    at += size;
  }
  serial->n_ends = container.n_ends;
}

void
tractor__serial_close_array (Serial *serial, SerialContainer container)
{
  if (serial->n_ends > container.n_ends)
    append_ends (serial, container, FALSE);
}

void
tractor__serial_close_tuple (Serial *serial,
                             SerialContainer container,
                             SerialLayout layout,
                             gboolean is_last_fixed)
{
  gsize n_missing = layout.size - (serial->length - container.start);

  if (layout.size > 0) {
    memset (serial_extend (serial, n_missing), 0, n_missing);
    return;
  }
  if (!is_last_fixed)
    serial->n_ends--; /* it ends where the ends begin */
  if (serial->n_ends > container.n_ends)
    append_ends (serial, container, TRUE);
}
