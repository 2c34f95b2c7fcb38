/* uv_server.c - a libuv server whose heavy work is done by an actor.
 *
 * It listens on a Unix socket (the first argument). Each line that a client sends is a number, and
 * is answered with its smallest divisor. libuv does what it does: accept, read, write. A callback
 * that has a line starts a task, the task calls the actor, and writes the answer with uv_write().
 * A client that is gone when the answer comes is no trouble. SIGTERM or SIGINT ends the server: the
 * guest is cancelled, the actor ends, the loop runs empty. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <tractor-uv.h>
#include <tractor.h>

#include <signal.h>
#include <stdlib.h>
#include <string.h>

/* --- in the actor -------------------------------------------------------------------------------- */

static gboolean
divide (GVariant *kwargs, GVariant **ret_result, GError **error)
{
  const char *text = "";
  guint64 number;
  guint64 divisor = 2;

  g_variant_lookup (kwargs, "number", "&s", &text);
  if (!g_ascii_string_to_unsigned (text, 10, 2, G_MAXINT64, &number, error))
    return FALSE;
  for (; divisor <= number / divisor && number % divisor != 0; divisor++)
    if ((divisor & 0xfffff) == 0 && !tractor_checkpoint (error))
      return FALSE;
  *ret_result = g_variant_new_uint64 (number % divisor == 0 ? divisor : number);
  return TRUE;
}

static const TractorExport exports[] = { { "divide", TRACTOR_EXPORT_CALL, .call = divide }, { 0 } };
static const TractorModule modules[] = { { "numbers", exports }, { 0 } };
static const TractorRunner runners[] = { { "uv", tractor_uv_run }, { 0 } };

/* --- the server ------------------------------------------------------------------------------------ */

typedef struct {
  uv_loop_t loop;
  uv_pipe_t listener;
  uv_signal_t signals[2];
  TractorGuest *guest;
  TractorNursery *requests; /* a task for each line; NULL when the actor is not there */
  TractorPortal *divider;
} Server;

typedef struct {
  uv_pipe_t pipe;
  Server *server;
  GString *input;
  guint refs; /* the connection, and each request that wants to answer */
} Client;

static void
client_unref (gpointer data)
{
  Client *client = data;

  if (--client->refs > 0)
    return;
  g_string_free (client->input, TRUE);
  g_free (client);
}

static void
on_client_closed (uv_handle_t *handle)
{
  client_unref (handle->data);
}

static void
client_close (Client *client)
{
  if (!uv_is_closing ((uv_handle_t *) &client->pipe))
    uv_close ((uv_handle_t *) &client->pipe, on_client_closed);
}

typedef struct {
  uv_write_t write;
  char *text;
} Answer;

static void
on_written (uv_write_t *write, G_GNUC_UNUSED int status)
{
  Answer *answer = (Answer *) write;

  g_free (answer->text);
  g_free (answer);
}

/* @text: (transfer full) */
static void
client_answer (Client *client, char *text)
{
  Answer *answer = g_new0 (Answer, 1);
  uv_buf_t buffer = uv_buf_init (text, (unsigned) strlen (text));

  answer->text = text;
  if (uv_is_closing ((uv_handle_t *) &client->pipe) ||
      uv_write (&answer->write, (uv_stream_t *) &client->pipe, &buffer, 1, on_written) != 0)
    on_written (&answer->write, 0);
}

/* --- a request ------------------------------------------------------------------------------------- */

typedef struct {
  Client *client;
  char *number;
} Request;

static void
request_free (gpointer data)
{
  Request *request = data;

  client_unref (request->client);
  g_free (request->number);
  g_free (request);
}

/* A task. What goes wrong with one request is that client's business. */
static gboolean
serve_request (gpointer data, G_GNUC_UNUSED GError **error)
{
  Request *request = data;
  g_autoptr (GVariant) divisor = NULL;
  g_autoptr (GError) failure = NULL;

  if (tractor_portal_call (request->client->server->divider, "numbers:divide",
                           g_variant_new_parsed ("{'number': <%s>}", request->number), &divisor,
                           &failure))
    client_answer (request->client, g_variant_print (divisor, FALSE));
  else
    client_answer (request->client, g_strdup (failure->message));
  client_answer (request->client, g_strdup ("\n"));
  return TRUE;
}

static void
on_line (Client *client, const char *line, gsize length)
{
  Server *server = client->server;
  Request *request;

  if (server->requests == NULL) {
    client_answer (client, g_strdup ("not ready\n"));
    return;
  }
  request = g_new (Request, 1);
  request->client = client;
  request->number = g_strndup (line, length);
  client->refs++;
  tractor_nursery_spawn (server->requests, "request", serve_request, request, request_free, NULL);
}

/* --- libuv's callbacks ------------------------------------------------------------------------------ */

static void
on_alloc (G_GNUC_UNUSED uv_handle_t *handle, size_t size, uv_buf_t *buffer)
{
  *buffer = uv_buf_init (g_malloc (size), (unsigned) size);
}

static void
on_read (uv_stream_t *stream, ssize_t n, const uv_buf_t *buffer)
{
  Client *client = stream->data;
  const char *end;

  if (n > 0)
    g_string_append_len (client->input, buffer->base, n);
  g_free (buffer->base);
  while ((end = memchr (client->input->str, '\n', client->input->len)) != NULL) {
    gsize length = (gsize) (end - client->input->str);

    on_line (client, client->input->str, length);
    g_string_erase (client->input, 0, (gssize) length + 1);
  }
  if (n < 0 || client->input->len > 4096)
    client_close (client);
}

static void
on_connection (uv_stream_t *listener, int status)
{
  Server *server = listener->data;
  Client *client;

  if (status != 0)
    return;
  client = g_new0 (Client, 1);
  client->server = server;
  client->input = g_string_new (NULL);
  client->refs = 1;
  uv_pipe_init (&server->loop, &client->pipe, 0);
  client->pipe.data = client;
  if (uv_accept (listener, (uv_stream_t *) &client->pipe) != 0 ||
      uv_read_start ((uv_stream_t *) &client->pipe, on_alloc, on_read) != 0)
    client_close (client);
}

static void
on_signal (uv_signal_t *signal, G_GNUC_UNUSED int number)
{
  Server *server = signal->data;

  tractor_guest_cancel (server->guest, "the server was told to stop");
}

/* --- the guest --------------------------------------------------------------------------------------- */

/* The main task: an actor, and a place for requests, for as long as the server runs. */
static gboolean
run_server (gpointer data, GError **error)
{
  Server *server = data;
  g_autoptr (TractorActorNursery) actors = tractor_actor_nursery_open (error);
  g_autoptr (TractorPortal) divider = NULL;
  g_autoptr (TractorNursery) requests = NULL;

  if (actors == NULL)
    return FALSE;
  divider = tractor_actor_nursery_start (actors, "divider", NULL, error);
  if (divider != NULL) {
    requests = tractor_nursery_open ();
    server->divider = divider;
    server->requests = requests;
    g_print ("ready\n");
    tractor_sleep_until (TRACTOR_NO_DEADLINE, error);
    server->requests = NULL;
    tractor_nursery_join (requests, error);
  }
  return tractor_actor_nursery_join (actors, error);
}

static void
close_client_or_handle (uv_handle_t *handle, gpointer data)
{
  Server *server = data;

  if (uv_is_closing (handle))
    return;
  if (handle->type == UV_NAMED_PIPE && handle != (uv_handle_t *) &server->listener)
    client_close (handle->data);
  else
    uv_close (handle, NULL);
}

/* The last thing of the guest: nothing of it is left on the loop, and so the rest may go. */
static void
on_done (const GError *error, gpointer data)
{
  Server *server = data;

  if (error != NULL)
    g_printerr ("%s\n", error->message);
  uv_walk (&server->loop, close_client_or_handle, server);
}

int
main (int argc, char **argv)
{
  const int signal_numbers[] = { SIGTERM, SIGINT };
  g_autoptr (GError) error = NULL;
  Server server = { 0 };
  int status;

  if (tractor_child_main (argc, argv, modules, runners, &status))
    return status;
  if (argc != 2) {
    g_printerr ("usage: %s SOCKET\n", argv[0]);
    return 2;
  }

  uv_loop_init (&server.loop);
  uv_pipe_init (&server.loop, &server.listener, 0);
  server.listener.data = &server;
  for (guint i = 0; i < G_N_ELEMENTS (signal_numbers); i++) {
    uv_signal_init (&server.loop, &server.signals[i]);
    server.signals[i].data = &server;
    uv_signal_start (&server.signals[i], on_signal, signal_numbers[i]);
  }
  status = uv_pipe_bind (&server.listener, argv[1]);
  if (status == 0)
    status = uv_listen ((uv_stream_t *) &server.listener, 64, on_connection);
  if (status != 0) {
    g_printerr ("%s: %s\n", argv[1], uv_strerror (status));
    return EXIT_FAILURE;
  }
  server.guest = tractor_uv_attach (&server.loop, run_server, &server, on_done, &server, &error);
  if (server.guest == NULL) {
    g_printerr ("%s\n", error->message);
    return EXIT_FAILURE;
  }
  uv_run (&server.loop, UV_RUN_DEFAULT);
  uv_loop_close (&server.loop);
  return EXIT_SUCCESS;
}
