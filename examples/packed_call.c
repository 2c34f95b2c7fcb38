/* packed_call.c - a call whose arguments and result the program encodes itself: for bindings, and for functions that are
 * called very often. Here by msgpack-c; any encoder of msgpack will do. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <tractor-builtin.h>
#include <tractor.h>

#include <msgpack.h>
#include <stdlib.h>

/* Returns: (transfer full): what is in @buffer, which is empty after. */
static GBytes *
take_bytes (msgpack_sbuffer *buffer)
{
  gsize length = buffer->size;
  char *data = msgpack_sbuffer_release (buffer);

  return g_bytes_new_with_free_func (data, length, free, data);
}

/* --- in the actor --------------------------------------------------------------------------------- */

/* Whether @kwargs is {"n": a number}, as what calls can say anything. */
static gboolean
find_number (const msgpack_object *kwargs, gint64 *ret_n)
{
  const msgpack_object_kv *pair = kwargs->via.map.ptr;

  if (kwargs->via.map.size != 1 || pair->key.via.str.size != 1 || *pair->key.via.str.ptr != 'n' ||
      (pair->val.type != MSGPACK_OBJECT_POSITIVE_INTEGER &&
       pair->val.type != MSGPACK_OBJECT_NEGATIVE_INTEGER))
    return FALSE;
  *ret_n = pair->val.via.i64;
  return TRUE;
}

/* @kwargs is a whole map with text keys: that has been checked. */
static gboolean
square (GBytes *kwargs, GBytes **ret_result, GError **error)
{
  gsize length;
  const char *bytes = g_bytes_get_data (kwargs, &length);
  msgpack_unpacked unpacked;
  msgpack_sbuffer buffer;
  msgpack_packer packer;
  gint64 n = 0;
  gboolean ok;

  msgpack_unpacked_init (&unpacked);
  ok = msgpack_unpack_next (&unpacked, bytes, length, NULL) == MSGPACK_UNPACK_SUCCESS &&
       find_number (&unpacked.data, &n) && n >= G_MININT32 && n <= G_MAXINT32;
  msgpack_unpacked_destroy (&unpacked);
  if (!ok) {
    g_set_error (error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE, "square() needs an integer n");
    return FALSE;
  }
  msgpack_sbuffer_init (&buffer);
  msgpack_packer_init (&packer, &buffer, msgpack_sbuffer_write);
  msgpack_pack_int64 (&packer, n * n);
  *ret_result = take_bytes (&buffer);
  return TRUE;
}

static const TractorExport exports[] = {
  { "square", TRACTOR_EXPORT_CALL, .call_packed = square },
  { 0 },
};
static const TractorModule modules[] = { { "math", exports }, { 0 } };
static const TractorRunner runners[] = { { "builtin", tractor_run }, { 0 } };

/* --- here ------------------------------------------------------------------------------------------- */

static GBytes *
pack_number (gint64 n)
{
  msgpack_sbuffer buffer;
  msgpack_packer packer;

  msgpack_sbuffer_init (&buffer);
  msgpack_packer_init (&packer, &buffer, msgpack_sbuffer_write);
  msgpack_pack_map (&packer, 1);
  msgpack_pack_str_with_body (&packer, "n", 1);
  msgpack_pack_int64 (&packer, n);
  return take_bytes (&buffer);
}

static gboolean
ask_packed (TractorPortal *portal, gint64 n, GError **error)
{
  g_autoptr (GBytes) kwargs = pack_number (n);
  g_autoptr (GBytes) result = NULL;
  msgpack_unpacked unpacked;

  if (!tractor_portal_call_packed (portal, "math:square", kwargs, &result, error))
    return FALSE;
  msgpack_unpacked_init (&unpacked);
  if (msgpack_unpack_next (&unpacked, g_bytes_get_data (result, NULL), g_bytes_get_size (result),
                           NULL) == MSGPACK_UNPACK_SUCCESS)
    g_print ("packed: %" G_GINT64_FORMAT "\n", unpacked.data.via.i64);
  msgpack_unpacked_destroy (&unpacked);
  return TRUE;
}

/* The same function: it does not see how it is called. */
static gboolean
ask_with_values (TractorPortal *portal, gint64 n, GError **error)
{
  g_autoptr (GVariant) result = NULL;

  if (!tractor_portal_call (portal, "math:square", g_variant_new_parsed ("{'n': <%x>}", n), &result,
                            error))
    return FALSE;
  g_print ("as values: %" G_GINT64_FORMAT "\n", g_variant_get_int64 (result));
  return TRUE;
}

static gboolean
ask (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);
  g_autoptr (TractorPortal) portal = NULL;

  if (nursery == NULL)
    return FALSE;
  portal = tractor_actor_nursery_start (nursery, "squarer", NULL, error);
  if (portal == NULL || !ask_packed (portal, 12, error) || !ask_with_values (portal, -7, error))
    return FALSE;
  tractor_actor_nursery_cancel (nursery);
  return tractor_actor_nursery_join (nursery, error);
}

int
main (int argc, char **argv)
{
  g_autoptr (GError) error = NULL;
  int status;

  if (tractor_child_main (argc, argv, modules, runners, &status))
    return status;
  if (!tractor_run (ask, NULL, &error)) {
    g_printerr ("%s\n", error->message);
    return EXIT_FAILURE;
  }
  return EXIT_SUCCESS;
}
