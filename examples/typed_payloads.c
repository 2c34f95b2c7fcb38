/* typed_payloads.c - what may go between two actors, said once and held to.
 *
 * The function declares its payloads as "(sv)": a name, and when or where. So that is what arrives;
 * an item of another type is an error, at both ends. Points on a map are an extension type of this program:
 * its own sixteen bytes on the wire, a "(dd)" in the program. Times are msgpack's timestamps. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <tractor-builtin.h>
#include <tractor.h>

#include <stdlib.h>
#include <string.h>

/* An extension type, known to both ends. */
#define POINT 7 /* 0 to 127 are for programs */

/* The byte order is ours to settle: here, that of this machine. */
static GBytes *
pack_point (GVariant *content, G_GNUC_UNUSED gpointer data, G_GNUC_UNUSED GError **error)
{
  double point[2];

  g_variant_get (content, "(dd)", &point[0], &point[1]);
  return g_bytes_new (point, sizeof point);
}

/* The bytes are a stranger's. */
static GVariant *
unpack_point (const guint8 *bytes, gsize length, G_GNUC_UNUSED gpointer data, GError **error)
{
  double point[2];

  if (length == sizeof point) {
    memcpy (point, bytes, sizeof point);
    return g_variant_new ("(dd)", point[0], point[1]);
  }
  g_set_error (error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE, "a point has 16 bytes");
  return NULL;
}

/* In the actor. */
static gboolean
send_place (TractorStream *stream, const char *name, GVariant *value, GError **error)
{
  return value != NULL && tractor_stream_send (stream, g_variant_new ("(sv)", name, value), error);
}

static gboolean
list_places (TractorStream *stream, G_GNUC_UNUSED GVariant *kwargs, GError **error)
{
  GVariant *point = g_variant_new ("(dd)", 52.5, 4.75);

  return send_place (stream, "here", tractor_value_new_ext (POINT, point, error), error) &&
         send_place (stream, "now", tractor_value_new_timestamp (1700000000, 250), error) &&
         tractor_stream_send (stream, g_variant_new_string ("nowhere"), error); /* no "(sv)" */
}

static const TractorExport exports[] = {
  { "list", TRACTOR_EXPORT_STREAM, .stream = list_places, .payload_spec = "(sv)" }, { 0 }
};
static const TractorModule modules[] = { { "places", exports }, { 0 } };
static const TractorRunner runners[] = { { "builtin", tractor_run }, { 0 } };

/* Here. */
static gboolean
print_places (TractorPortal *portal, GError **error)
{
  g_autoptr (TractorStream) stream =
      tractor_portal_open_stream (portal, "places:list", NULL, NULL, error);
  GVariant *item;

  while (stream != NULL && tractor_stream_receive (stream, &item, error)) {
    g_autoptr (GVariant) place = item;
    g_autoptr (GVariant) value = NULL;
    const char *name;
    double point[2];
    gint64 seconds;
    guint32 nanoseconds;

    g_variant_get (place, "(&sv)", &name, &value);
    if (tractor_value_get_timestamp (value, &seconds, &nanoseconds, NULL))
      g_print ("%s: %" G_GINT64_FORMAT ".%09u\n", name, seconds, nanoseconds);
    else if (g_variant_is_of_type (value, G_VARIANT_TYPE ("(dd)"))) {
      g_variant_get (value, "(dd)", &point[0], &point[1]);
      g_print ("%s: %.2f, %.2f\n", name, point[0], point[1]);
    }
  }
  return *error == NULL;
}

static gboolean
run (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorActorNursery) actors = tractor_actor_nursery_open (error);
  g_autoptr (TractorPortal) portal = NULL;

  if (actors == NULL)
    return FALSE;
  portal = tractor_actor_nursery_start (actors, "mapper", NULL, error);
  if (portal != NULL && print_places (portal, error))
    tractor_actor_nursery_cancel (actors);
  return tractor_actor_nursery_join (actors, error);
}

int
main (int argc, char **argv)
{
  g_autoptr (GError) error = NULL;
  int status;

  /* First, so that the actors know it too. */
  if (!tractor_ext_type_register (POINT, "(dd)", pack_point, unpack_point, NULL, &error))
    return EXIT_FAILURE;
  if (tractor_child_main (argc, argv, modules, runners, &status))
    return status;
  if (!tractor_run (run, NULL, &error))
    g_print ("%s\n", error->message);
  return tractor_error_matches (error, TRACTOR_ERROR, TRACTOR_ERROR_MSG_TYPE) ? 0 : EXIT_FAILURE;
}
