/* python_peer.c - a C program that Python programs call.
 *
 *   python_peer [REGISTRY]      serves as "cstats" until Ctrl-C; tcp://127.0.0.1:1616 is Python's default
 *
 * client.py finds it by that name. It can also be a child of a Python program: parent.py. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <tractor-builtin.h>
#include <tractor.h>

#include <stdlib.h>

/* A call: await portal.run_from_ns('cstats', 'mean', numbers=[1, 2, 6]). */
static gboolean
mean (GVariant *kwargs, GVariant **ret_result, GError **error)
{
  g_autoptr (GVariant) numbers = g_variant_lookup_value (kwargs, "numbers", G_VARIANT_TYPE ("av"));
  gsize n = numbers != NULL ? g_variant_n_children (numbers) : 0;
  double sum = 0;

  for (gsize i = 0; i < n; i++) {
    g_autoptr (GVariant) boxed = g_variant_get_child_value (numbers, i);
    g_autoptr (GVariant) number = g_variant_get_variant (boxed);

    /* Python's int and float. */
    if (g_variant_is_of_type (number, G_VARIANT_TYPE_INT64))
      sum += (double) g_variant_get_int64 (number);
    else if (g_variant_is_of_type (number, G_VARIANT_TYPE_DOUBLE))
      sum += g_variant_get_double (number);
    else
      n = 0;
  }
  if (n == 0) { /* a ValueError there */
    g_set_error_literal (error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE, "mean() needs numbers");
    return FALSE;
  }
  *ret_result = g_variant_new_double (sum / (double) n);
  return TRUE;
}

/* A stream: async with portal.open_stream_from(squares, n=10). */
static gboolean
squares (TractorStream *stream, GVariant *kwargs, GError **error)
{
  gint64 n = 0;

  g_variant_lookup (kwargs, "n", "x", &n);
  for (gint64 i = 1; i <= n; i++)
    if (!tractor_stream_send (stream, g_variant_new_int64 (i * i), error))
      return FALSE;
  return TRUE;
}

/* A context: async with portal.open_context(running_total) as (ctx, first). */
static gboolean
running_total (TractorContext *context, GVariant *kwargs, GVariant **ret_result, GError **error)
{
  gint64 total = 0;
  g_autoptr (TractorStream) stream = NULL;
  GVariant *item;

  g_variant_lookup (kwargs, "start", "x", &total);
  if (!tractor_context_started (context, g_variant_new_int64 (total), error))
    return FALSE;
  stream = tractor_context_open_stream (context, error);
  while (stream != NULL && tractor_stream_receive (stream, &item, error)) {
    total += item != NULL && g_variant_is_of_type (item, G_VARIANT_TYPE_INT64)
                 ? g_variant_get_int64 (item)
                 : 0;
    g_clear_pointer (&item, g_variant_unref);
    if (!tractor_stream_send (stream, g_variant_new_int64 (total), error))
      return FALSE;
  }
  *ret_result = g_variant_new_int64 (total);
  return *error == NULL;
}

static const TractorExport exports[] = {
  { "mean", TRACTOR_EXPORT_CALL, .call = mean },
  { "squares", TRACTOR_EXPORT_STREAM, .stream = squares },
  { "running_total", TRACTOR_EXPORT_CONTEXT, .context = running_total },
  { 0 },
};
static const TractorModule modules[] = { { "cstats", exports }, { 0 } };
static const TractorRunner runners[] = { { "builtin", tractor_run }, { 0 } };

static int signal_number;

static gboolean
serve (gpointer registry, GError **error)
{
  const char *registries[] = { registry, NULL };
  TractorRuntimeOptions options = {
    .name = "cstats",
    .registry_addresses = registries,
    .modules = modules,
  };

  return tractor_run_daemon (&options, &signal_number, error);
}

int
main (int argc, char **argv)
{
  char *registry = argc > 1 ? argv[1] : (char *) "tcp://127.0.0.1:1616";
  g_autoptr (GError) error = NULL;
  int status;

  if (tractor_child_main (argc, argv, modules, runners, &status))
    return status; /* we were a child of parent.py */
  if (tractor_run (serve, registry, &error))
    return signal_number == 0 ? EXIT_SUCCESS : 128 + signal_number;
  g_printerr ("%s\n", error->message);
  return EXIT_FAILURE;
}
