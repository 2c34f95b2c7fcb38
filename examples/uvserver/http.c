/* http.c - connections that speak HTTP/1.1.
 *
 * One request of a connection is served at a time, so that answers come in order; what is sent meanwhile
 * waits, some of it here and the rest with the client. Reading goes on all the same, for only reading
 * tells that a client is gone. One that says nothing for half a minute is sent away. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <http_parser.h>
#include <string.h>

#include "uvserver.h"

#define MAX_WAITING_BYTES (64 * 1024)
#define MAX_BODY_BYTES    (64 * 1024)
#define PATIENCE_MSEC     30000

typedef struct {
  uv_tcp_t tcp;
  uv_timer_t timer;
  guint n_open; /* handles */
  Pool *pool;
  http_parser parser;
  GString *url;
  guint64 body_bytes;
  GByteArray *input; /* not parsed yet */
  gboolean is_busy;  /* a request has not been answered */
  gboolean is_reading;
  gboolean is_last; /* the connection ends with the next answer */
  Request *request; /* (nullable) */
} Client;

static void client_go_on (Client *client);

/* --- life ---------------------------------------------------------------------------------------- */

static void
on_closed (uv_handle_t *handle)
{
  Client *client = handle->data;

  if (--client->n_open > 0)
    return;
  g_string_free (client->url, TRUE);
  g_byte_array_unref (client->input);
  g_free (client);
}

static void
client_close (Client *client)
{
  if (uv_is_closing ((uv_handle_t *) &client->tcp))
    return;
  if (client->request != NULL)
    pool_give_up (g_steal_pointer (&client->request));
  uv_close ((uv_handle_t *) &client->tcp, on_closed);
  uv_close ((uv_handle_t *) &client->timer, on_closed);
}

static void
on_silence (uv_timer_t *timer)
{
  Client *client = timer->data;

  if (!client->is_busy) /* then it is we who are silent, and that has a deadline of its own */
    client_close (client);
}

/* --- answers ------------------------------------------------------------------------------------- */

typedef struct {
  uv_write_t write;
  char *text;
  gboolean is_last;
} Answer;

static void
on_written (uv_write_t *write, int status)
{
  Answer *answer = (Answer *) write;
  Client *client = write->data;

  if (status != 0 || answer->is_last)
    client_close (client);
  g_free (answer->text);
  g_free (answer);
}

static void
client_answer (gpointer data, int status, char *text)
{
  Client *client = data;
  Answer *answer = g_new0 (Answer, 1);
  g_autofree char *body = text;
  uv_buf_t buffer;

  client->request = NULL;
  client->is_busy = FALSE;
  answer->is_last = client->is_last || !http_should_keep_alive (&client->parser);
  answer->text = g_strdup_printf (
      "HTTP/1.1 %d %s\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: %zu\r\n"
      "Connection: %s\r\n%s%s\r\n%s",
      status, http_status_str ((enum http_status) status), strlen (body),
      answer->is_last ? "close" : "keep-alive", status == 503 ? "Retry-After: 1\r\n" : "",
      status == 405 ? "Allow: GET\r\n" : "", body);
  answer->write.data = client;
  buffer = uv_buf_init (answer->text, (unsigned) strlen (answer->text));
  if (uv_write (&answer->write, (uv_stream_t *) &client->tcp, &buffer, 1, on_written) != 0)
    on_written (&answer->write, UV_ECANCELED);
  else if (!answer->is_last)
    client_go_on (client);
}

/* --- requests ------------------------------------------------------------------------------------ */

/* (transfer full) (nullable): what it says of @name. */
static char *
find_in_query (const char *query, const char *name)
{
  g_autoptr (GHashTable) values = g_uri_parse_params (query, -1, "&", G_URI_PARAMS_WWW_FORM, NULL);

  return values != NULL ? g_strdup (g_hash_table_lookup (values, name)) : NULL;
}

static void
client_serve (Client *client)
{
  g_autofree char *url = g_strdup (client->url->str);
  const char *query = strchr (url, '?');
  g_autofree char *path = query != NULL ? g_strndup (url, (gsize) (query - url)) : g_strdup (url);
  g_autofree char *number = find_in_query (query != NULL ? query + 1 : "", "n");

  g_string_truncate (client->url, 0);
  client->body_bytes = 0;
  if (client->parser.method != HTTP_GET)
    client_answer (client, 405, g_strdup ("GET is all there is\n"));
  else if (strcmp (path, "/status") == 0)
    client_answer (client, 200, pool_describe (client->pool));
  else if (strcmp (path, "/factor") != 0)
    client_answer (client, 404, g_strdup ("there are /factor?n=NUMBER and /status\n"));
  else if (number == NULL)
    client_answer (client, 400, g_strdup ("of which number? /factor?n=NUMBER\n"));
  else if ((client->request = pool_ask (client->pool, number, client_answer, client)) == NULL)
    client_answer (client, 503, g_strdup ("too much is being done already\n"));
}

static int
on_url (http_parser *parser, const char *at, size_t length)
{
  g_string_append_len (((Client *) parser->data)->url, at, (gssize) length);
  return 0;
}

static int
on_body (http_parser *parser, G_GNUC_UNUSED const char *at, size_t length)
{
  Client *client = parser->data;

  client->body_bytes += length;
  return client->body_bytes > MAX_BODY_BYTES ? -1 : 0; /* no more of it is read */
}

static int
on_message_complete (http_parser *parser)
{
  http_parser_pause (parser, 1);
  return 0;
}

static const http_parser_settings settings = { .on_url = on_url,
                                               .on_body = on_body,
                                               .on_message_complete = on_message_complete };

/* --- reading ------------------------------------------------------------------------------------- */

static void
on_alloc (G_GNUC_UNUSED uv_handle_t *handle, G_GNUC_UNUSED size_t size, uv_buf_t *buffer)
{
  static char bytes[16 * 1024]; /* one loop, one thread; read before the next is asked for */

  *buffer = uv_buf_init (bytes, sizeof bytes);
}

static void
on_read (uv_stream_t *stream, ssize_t n, const uv_buf_t *buffer)
{
  Client *client = stream->data;

  if (n < 0) {
    client_close (client);
    return;
  }
  g_byte_array_append (client->input, (const guint8 *) buffer->base, (guint) n);
  if (!client->is_busy)
    client_go_on (client);
}

/* Reads on, unless enough is here already. */
static void
client_read (Client *client)
{
  gboolean wants_more = !client->is_busy || client->input->len < MAX_WAITING_BYTES;

  if (wants_more && !client->is_reading)
    uv_read_start ((uv_stream_t *) &client->tcp, on_alloc, on_read);
  else if (!wants_more && client->is_reading)
    uv_read_stop ((uv_stream_t *) &client->tcp);
  client->is_reading = wants_more;
}

/* Serves the next request, if all of it is here. */
static void
client_go_on (Client *client)
{
  gsize n;

  if (uv_is_closing ((uv_handle_t *) &client->tcp) || client->is_last)
    return;
  client_read (client);
  if (client->input->len == 0) /* which the parser takes for the end */
    return;
  uv_timer_again (&client->timer);
  n = http_parser_execute (&client->parser, &settings, (char *) client->input->data,
                           client->input->len);
  g_byte_array_remove_range (client->input, 0, MIN ((guint) n, client->input->len)); /* or beyond */
  switch (HTTP_PARSER_ERRNO (&client->parser)) {
  case HPE_OK:
    return;
  case HPE_PAUSED:
    http_parser_pause (&client->parser, 0);
    client->is_busy = TRUE;
    client_read (client);
    client_serve (client);
    return;
  default:
    client->is_last = TRUE;
    if (client->body_bytes > MAX_BODY_BYTES)
      client_answer (client, 413, g_strdup ("too much\n"));
    else
      client_answer (client, 400, g_strdup ("that is no HTTP, or too much of it\n"));
  }
}

static void
on_connection (uv_stream_t *listener, int status)
{
  Client *client;

  if (status != 0)
    return;
  client = g_new0 (Client, 1);
  *client = (Client){ .pool = listener->data, .n_open = 2 };
  client->url = g_string_new (NULL);
  client->input = g_byte_array_new ();
  http_parser_init (&client->parser, HTTP_REQUEST);
  client->tcp.data = client->timer.data = client->parser.data = client;
  uv_tcp_init (listener->loop, &client->tcp);
  uv_timer_init (listener->loop, &client->timer);
  uv_timer_start (&client->timer, on_silence, PATIENCE_MSEC, PATIENCE_MSEC);
  if (uv_accept (listener, (uv_stream_t *) &client->tcp) == 0)
    client_read (client);
  else
    client_close (client);
}

int
http_listen (uv_stream_t *listener, Pool *pool)
{
  listener->data = pool;
  return uv_listen (listener, 512, on_connection);
}

void
http_close (uv_handle_t *connection)
{
  client_close (connection->data);
}
