/* decoder.c - the actor that reads pictures, so that a bad one harms nobody else. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "wall.h"

static guint8 *room;

static gboolean
enter (GVariant *kwargs, G_GNUC_UNUSED GVariant **ret_result, GError **error)
{
  g_autoptr (GVariant) value = g_variant_lookup_value (kwargs, "room", NULL);
  int fd = tractor_value_take_fd (value, error);

  if (fd < 0)
    return FALSE;
  room = mmap (NULL, ROOM_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  close (fd);
  if (room != MAP_FAILED)
    return TRUE;
  g_set_error_literal (error, G_FILE_ERROR, G_FILE_ERROR_NOMEM, "the room cannot be mapped");
  return FALSE;
}

/* A reader as many are: a width, a height, and where the pixels begin, which it believes. */
static GdkPixbuf *
read_wall (const char *path, GError **error)
{
  g_autofree char *contents = NULL;
  guint32 head[3] = { 1, 1 };
  gsize length;

  if (!g_file_get_contents (path, &contents, &length, error))
    return NULL;
  memcpy (head, contents, MIN (length, sizeof head));
  return gdk_pixbuf_copy (gdk_pixbuf_new_from_data ((guint8 *) contents + head[2],
                                                    GDK_COLORSPACE_RGB, FALSE, 8, (int) head[0],
                                                    (int) head[1], (int) head[0] * 3, NULL, NULL));
}

static gboolean
decode (GVariant *kwargs, GVariant **ret_result, GError **error)
{
  g_autoptr (GdkPixbuf) pixbuf = NULL;
  g_autoptr (GdkPixbuf) out = NULL;
  const char *path = "";
  gint64 place = 0;
  int width, height;

  g_variant_lookup (kwargs, "path", "&s", &path);
  g_variant_lookup (kwargs, "place", "x", &place);
  pixbuf = g_str_has_suffix (path, ".wall")
               ? read_wall (path, error)
               : gdk_pixbuf_new_from_file_at_scale (path, PLACE_PIXELS, PLACE_PIXELS, TRUE, error);
  if (pixbuf == NULL)
    return FALSE;
  width = MIN (gdk_pixbuf_get_width (pixbuf), PLACE_PIXELS);
  height = MIN (gdk_pixbuf_get_height (pixbuf), PLACE_PIXELS);
  out = gdk_pixbuf_new_from_data (room + place * PLACE_BYTES, GDK_COLORSPACE_RGB, TRUE, 8, width,
                                  height, width * 4, NULL, NULL);
  gdk_pixbuf_scale (pixbuf, out, 0, 0, width, height, 0, 0, 1, 1, GDK_INTERP_NEAREST);
  *ret_result = g_variant_new ("(ii)", width, height);
  return TRUE;
}

const TractorExport decoder_exports[] = {
  { "enter", TRACTOR_EXPORT_CALL, .call = enter },
  { "decode", TRACTOR_EXPORT_CALL, .call = decode, .payload_spec = "(ii)" },
  { 0 },
};

/* Most in a colour of their own. Some are cut off, some are no pictures, and some say that their pixels
 * are where nothing is: who believes that does not survive it. */
gboolean
make_test_pictures (const char *directory, guint n, GError **error)
{
  static const char nowhere[] = "\x40\0\0\0\x40\0\0\0\xff\xff\xff";
  gboolean ok = TRUE;

  for (guint i = 0; ok && i < n; i++) {
    g_autoptr (GdkPixbuf) pixbuf = gdk_pixbuf_new (GDK_COLORSPACE_RGB, FALSE, 8, 160, 120);
    guint kind = i % 97;
    g_autofree char *path =
        g_strdup_printf ("%s/%04u.%s", directory, i, kind == 4 ? "wall" : "png");
    float red, green, blue;

    gtk_hsv_to_rgb ((float) (i * 37 % 100) / 100, 0.7f, 1, &red, &green, &blue);
    gdk_pixbuf_fill (pixbuf, (guint32) (red * 255) << 24 | (guint32) (green * 255) << 16 |
                                 (guint32) (blue * 255) << 8);
    if (kind == 4 || kind == 9)
      ok = g_file_set_contents (path, nowhere, sizeof nowhere, error);
    else
      ok = gdk_pixbuf_save (pixbuf, path, "png", error, NULL) &&
           (kind != 14 || truncate (path, 100) == 0);
  }
  return ok;
}
