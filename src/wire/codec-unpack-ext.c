/* codec-unpack-ext.c - extensions in a payload.
 *
 * What one becomes is the business of the function that the program has registered for it, and of
 * value-fd.c: it is a GVariant, and is copied into the place where it belongs. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "codec-unpack.h"

#include "value.h"

/* @value: (transfer floating) */
static void
write_variant (Unpacker *unpacker, GVariant *value)
{
  gsize size;

  g_clear_pointer (&unpacker->extension, g_variant_unref);
  g_variant_ref_sink (value);
  unpacker->extension = g_variant_get_normal_form (value); /* what is written is trusted */
  g_variant_unref (value);
  size = g_variant_get_size (unpacker->extension);
  if (size > 0)
    g_variant_store (unpacker->extension, serial_extend (unpacker->serial, size));
}

static GVariant *
unpack_fd (Unpacker *unpacker, const WireItem *item)
{
  GVariant *value = tractor__value_fds_add (&unpacker->value_fds, unpacker->fds, item->bytes + 1);

  if (value == NULL) {
    unpacker->code = TRACTOR_ERROR_LIMIT;
    unpacker->fault =
        g_strdup ("this process had no room for a descriptor that came (RLIMIT_NOFILE)");
  }
  return value;
}

static GVariant *
unpack_registered (Unpacker *unpacker, const WireItem *item)
{
  g_autoptr (GError) error = NULL;
  GVariant *value =
      tractor__ext_unpack (get_extension_code (item), item->bytes + 1, item->length - 1, &error);

  if (value == NULL)
    unpacker->fault = g_strdup (error->message);
  return value;
}

const char *
tractor__unpacker_write_extension (Unpacker *unpacker,
                                   const WireItem *item,
                                   const GVariantType *type)
{
  GVariant *value;

  if (get_kind (type) == '*' && !is_fd (item) &&
      !tractor__ext_is_registered (get_extension_code (item))) {
    unpacker_write_raw_extension (unpacker, item);
    return "(nay)";
  }
  value = is_fd (item) ? unpack_fd (unpacker, item) : unpack_registered (unpacker, item);
  if (value == NULL)
    return NULL;
  if (!g_variant_is_of_type (value, type)) {
    g_variant_unref (value);
    tractor__unpacker_refuse (unpacker, item, type);
    return NULL;
  }
  write_variant (unpacker, value);
  return g_variant_get_type_string (unpacker->extension);
}
