/* msg-skim.c - what is small of a message that is too large.
 *
 * A peer that is not of this library does not know our limits. What it sends above them comes whole,
 * so the connection is as good as before; but whoever waits for that message has to hear of it, and
 * for that it must be known what it is and which call it belongs to. So it is not thrown away unseen:
 * as its bytes come, in parts of any length, its keys and small values are copied, and the large ones
 * are walked over without being stored. The memory that takes does not depend on the message.
 *
 * What is kept is a message again, and is read as any other. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "msg-skim.h"

#include "bounds.h"
#include "passed-fds.h"
#include "tractor-error.h"

/* A map's, whose number of pairs is filled in at the end. */
#define MAP_HEAD       "\xde\0\0"
#define MAP_HEAD_BYTES 3

typedef enum {
  NEXT_IS_MAP,
  NEXT_IS_KEY,
  NEXT_IS_VALUE,
  IN_VALUE,
  AT_END,
} State;

struct _Skim {
  gsize n_left; /* bytes that have not been taken */
  State state;
  guint n_pairs; /* to come, with that of the key before the value */
  WireBuffer *kept;
  guint n_kept;
  guint pair_start; /* where in @kept, of the one that is being read */
  Field field;      /* of its key */

  guint64 n_values;   /* of a large one, to come */
  guint64 n_missing;  /* bytes, of the last of them that came */
  gsize value_length; /* so far */

  WireBuffer *marks; /* of descriptors, in what is large */
  char *limit;
  LeftOut left_out;
};

Skim *
tractor__skim_new (gsize n_bytes, gsize limit)
{
  Skim *skim = g_new0 (Skim, 1);

  skim->n_left = n_bytes;
  skim->kept = tractor__wire_buffer_new ();
  skim->marks = tractor__wire_buffer_new ();
  wire_append_literal (skim->kept, MAP_HEAD);
  skim->limit = g_strdup_printf ("more than %" G_GSIZE_FORMAT " bytes", limit);
  return skim;
}

void
tractor__skim_free (Skim *skim)
{
  if (skim == NULL)
    return;

  tractor__wire_buffer_free (skim->kept);
  tractor__wire_buffer_free (skim->marks);
  g_free (skim->limit);
  g_free (skim);
}

gboolean
tractor__skim_is_done (const Skim *skim)
{
  return skim->n_left == 0;
}

/* All take what they can from @reader, and return FALSE if that is not enough, or is wrong. */

static gboolean
take_map (Skim *skim, WireReader *reader)
{
  WireReader after = *reader; /* what is no map is not passed over: the map could come after it */
  WireItem map;

  if (!tractor__wire_read (&after, &map) || map.type != WIRE_MAP || map.length > LIMIT_MESSAGE_KEYS)
    return FALSE;
  *reader = after;
  skim->n_pairs = map.length;
  skim->state = map.length > 0 ? NEXT_IS_KEY : AT_END;
  return TRUE;
}

/* Returns: FALSE if the next value is not there whole, or not small. */
static gboolean
keep_value (Skim *skim, WireReader *reader)
{
  WireReader near = { reader->at, reader->at + MIN (reader->end - reader->at, LIMIT_KEPT_BYTES) };

  if (tractor__wire_check_value (&near, 1) != NULL)
    return FALSE;
  wire_append (skim->kept, reader->at, (gsize) (near.at - reader->at));
  reader->at = near.at;
  return TRUE;
}

static gboolean
take_key (Skim *skim, WireReader *reader)
{
  WireReader start = *reader;
  WireItem key;

  skim->pair_start = skim->kept->len;
  if (!keep_value (skim, reader))
    return FALSE;
  tractor__wire_read (&start, &key);
  skim->field = tractor__msg_find_field (&key);
  skim->state = NEXT_IS_VALUE;
  return TRUE;
}

static void
end_pair (Skim *skim)
{
  skim->state = --skim->n_pairs > 0 ? NEXT_IS_KEY : AT_END;
}

static gboolean
take_value (Skim *skim, WireReader *reader, gboolean is_all)
{
  if (keep_value (skim, reader)) {
    skim->n_kept++;
    end_pair (skim);
    return TRUE;
  }
  if (!is_all && reader->end - reader->at < LIMIT_KEPT_BYTES)
    return FALSE;
  skim->n_values = 1;
  skim->value_length = 0;
  skim->state = IN_VALUE;
  return TRUE;
}

static void
leave_out (Skim *skim)
{
  wire_truncate (skim->kept, skim->pair_start);
  if (skim->field != N_FIELDS) {
    skim->left_out.fields |= FIELD_BIT (skim->field);
    skim->left_out.n_bytes += skim->value_length;
    skim->left_out.limit = skim->limit;
  }
  end_pair (skim);
}

static gboolean
is_fd_mark (const WireItem *item)
{
  return item->type == WIRE_EXTENSION && item->length == 1 + FD_MARK_BYTES &&
         (gint8) item->bytes[0] == FD_EXT_CODE;
}

static void
note_mark (Skim *skim, const WireItem *item)
{
  if (skim->marks->len >= LIMIT_FDS_OF_MESSAGE * (2 + FD_MARK_BYTES))
    return;
  wire_append_literal (skim->marks, "\xd8"); /* fixext 16 */
  wire_append (skim->marks, item->bytes, item->length);
}

/* Takes as much of a large value as is there. */
static gboolean
walk (Skim *skim, WireReader *reader, gboolean is_all)
{
  const guint8 *start = reader->at;
  gsize n = MIN (skim->n_missing, (gsize) (reader->end - reader->at));
  WireItem item;

  reader->at += n;
  skim->n_missing -= n;
  while (skim->n_values > 0 && skim->n_missing == 0) {
    /* Only what is long comes in pieces: the mark of a descriptor is seen whole. */
    if (is_all || reader->end - reader->at >= LIMIT_KEPT_BYTES
            ? !tractor__wire_read_part (reader, &item, &skim->n_missing)
            : !tractor__wire_read (reader, &item))
      break;
    skim->n_values--;
    if (item.type == WIRE_ARRAY)
      skim->n_values += item.length;
    else if (item.type == WIRE_MAP)
      skim->n_values += (guint64) item.length * 2;
    else if (skim->n_missing == 0 && is_fd_mark (&item))
      note_mark (skim, &item);
  }
  skim->value_length += (gsize) (reader->at - start);
  if (skim->n_values > 0 || skim->n_missing > 0)
    return FALSE;
  leave_out (skim);
  return TRUE;
}

static gboolean
step (Skim *skim, WireReader *reader, gboolean is_all)
{
  switch (skim->state) {
  case NEXT_IS_MAP:
    return take_map (skim, reader);
  case NEXT_IS_KEY:
    return take_key (skim, reader);
  case NEXT_IS_VALUE:
    return take_value (skim, reader, is_all);
  case IN_VALUE:
    return walk (skim, reader, is_all);
  case AT_END:
  default:
    return FALSE;
  }
}

/* What is left of a part is for the next; but it must be little, and not the end of the message. */
static gboolean
check_left (const Skim *skim, gsize n_in_part, GError **error)
{
  gboolean is_stuck = n_in_part >= LIMIT_KEPT_BYTES || n_in_part == skim->n_left;

  if (skim->n_left == 0 ? skim->state == AT_END : skim->state != AT_END && !is_stuck)
    return TRUE;
  g_set_error (error, TRACTOR_ERROR, TRACTOR_ERROR_PROTOCOL,
               "no message, or cut short, %" G_GSIZE_FORMAT " bytes before its end", skim->n_left);
  return FALSE;
}

gboolean
tractor__skim_feed (Skim *skim, WireValue part, gsize *ret_n_taken, GError **error)
{
  WireReader reader = wire_reader (part);
  gboolean is_all = part.length == skim->n_left;

  while (step (skim, &reader, is_all))
    ;
  *ret_n_taken = (gsize) (reader.at - part.bytes);
  skim->n_left -= *ret_n_taken;
  return check_left (skim, (gsize) (reader.end - reader.at), error);
}

gboolean
tractor__skim_read (Skim *skim, Msg *ret_msg, GError **error)
{
  gsize length = skim->kept->len;

  wire_append (skim->kept, skim->marks->data,
               skim->marks->len); /* before anything points into it */
  skim->kept->data[MAP_HEAD_BYTES - 1] = (guint8) skim->n_kept;
  G_STATIC_ASSERT (LIMIT_MESSAGE_KEYS <= G_MAXUINT8);
  return tractor__msg_read_kept ((WireValue){ skim->kept->data, length }, &skim->left_out, ret_msg,
                                 error);
}

WireValue
tractor__skim_get_marked (const Skim *skim)
{
  return (WireValue){ skim->kept->data, skim->kept->len };
}
