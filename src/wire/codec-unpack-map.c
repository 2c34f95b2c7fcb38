/* codec-unpack-map.c - of which type the maps in a payload are by themselves.
 *
 * Of that which all its keys allow, so they are looked at before: those of all maps at one go, since
 * each would be gone over again for each map around it otherwise. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "codec-unpack.h"

#define ARE_STRINGS  1
#define ARE_INTEGERS 2

static guint8
get_key_class (const WireItem *key)
{
  if (key->type == WIRE_STRING)
    return has_nul (key) ? 0 : ARE_STRINGS;
  return key->type == WIRE_INTEGER ? ARE_INTEGERS : 0;
}

typedef struct {
  guint64 n_left; /* values */
  guint map;      /* which one, if it is one */
  gboolean is_map;
} Level;

static Level
begin_level (Unpacker *unpacker, const WireItem *container)
{
  static const guint8 all = ARE_STRINGS | ARE_INTEGERS;
  Level level = { container->length, unpacker->maps->len, container->type == WIRE_MAP };

  if (level.is_map) {
    level.n_left *= 2;
    g_byte_array_append (unpacker->maps, &all, 1);
  }
  return level;
}

G_GNUC_NO_INLINE static void /* it takes stack that is seldom needed */
look_at_maps (Unpacker *unpacker)
{
  WireReader reader = unpacker->whole;
  Level levels[LIMIT_DEPTH + 1] = { { .n_left = 1 } };
  guint depth = 0;
  WireItem item;

  unpacker->maps = g_byte_array_new ();
  for (;;) {
    Level *level = &levels[depth];

    if (level->n_left == 0) {
      if (depth-- == 0)
        return;
      continue;
    }
    if (!tractor__wire_read (&reader, &item))
      return; /* not after a check */
    if (level->is_map && level->n_left % 2 == 0)
      unpacker->maps->data[level->map] &= get_key_class (&item);
    level->n_left--;
    if ((item.type == WIRE_ARRAY || item.type == WIRE_MAP) && depth < LIMIT_DEPTH)
      levels[++depth] = begin_level (unpacker, &item);
  }
}

const char *
tractor__unpacker_get_map_type (Unpacker *unpacker)
{
  guint8 classes;

  if (unpacker->maps == NULL)
    look_at_maps (unpacker);
  classes = unpacker->maps->data[unpacker->n_maps - 1];
  return (classes & ARE_STRINGS) != 0 ? "a{sv}" : (classes & ARE_INTEGERS) != 0 ? "a{xv}" : "a(vv)";
}
