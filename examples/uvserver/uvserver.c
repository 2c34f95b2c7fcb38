/* uvserver.c - an HTTP server on libuv whose heavy work is done by actors.
 *
 * The loop is the program's, and so is everything on it: sockets, timers, signals (http.c). The guest is
 * attached to it, and its main task is the pool of actors (pool.c). SIGINT or SIGTERM closes the listener
 * and cancels the guest; when that is done no actor is left, connections are closed, and the loop runs
 * empty. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <signal.h>
#include <stdlib.h>

#include "uvserver.h"

typedef struct {
  uv_loop_t loop;
  uv_tcp_t listener;
  uv_signal_t signals[2];
  TractorGuest *guest;
  Pool pool;
  int status;
} Server;

static void
on_ready (gpointer data)
{
  Server *server = data;
  struct sockaddr_in name;
  int length = sizeof name;

  uv_tcp_getsockname (&server->listener, (struct sockaddr *) &name, &length);
  g_print ("http://127.0.0.1:%d/\n", g_ntohs (name.sin_port));
}

static void
on_signal (uv_signal_t *signal, G_GNUC_UNUSED int number)
{
  Server *server = signal->data;

  if (!uv_is_closing ((uv_handle_t *) &server->listener))
    uv_close ((uv_handle_t *) &server->listener, NULL);
  tractor_guest_cancel (server->guest, "the server was told to stop");
}

static void
close_handle (uv_handle_t *handle, gpointer data)
{
  Server *server = data;

  if (uv_is_closing (handle))
    return;
  if (handle->type == UV_TCP && handle != (uv_handle_t *) &server->listener)
    http_close (handle);
  else if (handle->type != UV_TIMER) /* which closes with its connection */
    uv_close (handle, NULL);
}

/* What is left are connections, and they have nobody any more who could answer. */
static void
on_done (const GError *error, gpointer data)
{
  Server *server = data;

  if (error != NULL && !g_error_matches (error, TRACTOR_ERROR, TRACTOR_ERROR_CANCELLED)) {
    g_printerr ("%s\n", error->message);
    server->status = EXIT_FAILURE;
  }
  uv_walk (&server->loop, close_handle, server);
}

static gboolean
start (Server *server, int port, GError **error)
{
  static const int numbers[] = { SIGINT, SIGTERM };
  struct sockaddr_in name;
  int result;

  uv_tcp_init (&server->loop, &server->listener);
  uv_ip4_addr ("127.0.0.1", port, &name);
  result = uv_tcp_bind (&server->listener, (struct sockaddr *) &name, 0);
  if (result == 0)
    result = http_listen ((uv_stream_t *) &server->listener, &server->pool);
  if (result != 0) {
    g_set_error (error, G_FILE_ERROR, G_FILE_ERROR_FAILED, "port %d cannot be had: %s", port,
                 uv_strerror (result));
    return FALSE;
  }
  for (guint i = 0; i < G_N_ELEMENTS (numbers); i++) {
    uv_signal_init (&server->loop, &server->signals[i]);
    server->signals[i].data = server;
    uv_signal_start (&server->signals[i], on_signal, numbers[i]);
  }
  server->guest =
      tractor_uv_attach (&server->loop, pool_run, &server->pool, on_done, server, error);
  return server->guest != NULL;
}

int
main (int argc, char **argv)
{
  static const TractorModule modules[] = { { "work", work_exports }, { 0 } };
  static const TractorRunner runners[] = { { "uv", tractor_uv_run }, { 0 } };
  Server server = { .pool = { .n_workers = (int) g_get_num_processors (),
                              .max_in_flight = 256,
                              .deadline_msec = 10000,
                              .on_ready = on_ready,
                              .data = &server } };
  Pool *pool = &server.pool;
  int port = 8080;
  const GOptionEntry entries[] = {
    { "port", 'p', 0, G_OPTION_ARG_INT, &port, "8080; 0 is any that is free", "N" },
    { "workers", 'w', 0, G_OPTION_ARG_INT, &pool->n_workers, "actors; one a processor", "N" },
    { "max", 'm', 0, G_OPTION_ARG_INT, &pool->max_in_flight, "requests at a time; 256", "N" },
    { "deadline-ms", 'd', 0, G_OPTION_ARG_INT, &pool->deadline_msec, "of a request; 10000", "N" },
    G_OPTION_ENTRY_NULL,
  };
  g_autoptr (GOptionContext) context = g_option_context_new ("- HTTP, and actors for the work");
  g_autoptr (GError) error = NULL;

  if (tractor_child_main (argc, argv, modules, runners, &server.status))
    return server.status;
  g_option_context_add_main_entries (context, entries, NULL);
  if (!g_option_context_parse (context, &argc, &argv, &error) || port < 0 || port > 65535 ||
      pool->n_workers < 1 || pool->n_workers > 256 || pool->max_in_flight < 1 ||
      pool->deadline_msec < 1) {
    g_printerr ("%s\n", error != NULL ? error->message : "a number is out of range");
    return 2;
  }
  uv_loop_init (&server.loop);
  if (!start (&server, port, &error)) {
    g_printerr ("%s\n", error->message);
    server.status = 2;
    uv_walk (&server.loop, close_handle, &server);
  }
  uv_run (&server.loop, UV_RUN_DEFAULT);
  uv_loop_close (&server.loop);
  return server.status;
}
