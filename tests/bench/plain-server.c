/* plain-server.c - what examples/uvserver does, by hand: a libuv server that forks workers, and talks to
 * them over pipes. For the comparison only: it does what the load asks for, and nothing else; no deadlines, no
 * client that hangs up, no worker that dies. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

#define MAX_WAITING 4096

typedef struct {
  uv_tcp_t tcp;
  char input[1024];
  size_t length;
} Client;

typedef struct {
  uv_pipe_t pipe;
  char input[4096];
  size_t length;
  Client *waiting[MAX_WAITING]; /* in the order of what was asked */
  unsigned first, end;
} Worker;

static Worker *workers;
static unsigned n_workers = 2;

static unsigned long
find_factor (unsigned long number)
{
  for (unsigned long n = 2; n <= number / n; n++)
    if (number % n == 0)
      return n;
  return number;
}

static void
run_worker (int fd)
{
  FILE *in = fdopen (fd, "r");
  char line[64];

  while (fgets (line, sizeof line, in) != NULL) {
    int length = snprintf (line, sizeof line, "%lu\n", find_factor (strtoul (line, NULL, 10)));

    if (write (fd, line, (size_t) length) != length)
      break;
  }
  _exit (0);
}

static void
on_written (uv_write_t *write, int status)
{
  (void) status;
  free (write);
}

static void
send_text (uv_stream_t *stream, const char *text)
{
  size_t length = strlen (text);
  uv_write_t *write = malloc (sizeof *write + length);
  uv_buf_t buffer = uv_buf_init (memcpy (write + 1, text, length), (unsigned) length);

  uv_write (write, stream, &buffer, 1, on_written);
}

static void
on_closed (uv_handle_t *handle)
{
  free (handle->data);
}

static void
answer (Client *client, const char *line)
{
  char text[256];

  snprintf (text, sizeof text,
            "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: %zu\r\n"
            "Connection: keep-alive\r\n\r\n%s",
            strlen (line), line);
  send_text ((uv_stream_t *) &client->tcp, text);
}

static void
on_client_alloc (uv_handle_t *handle, size_t size, uv_buf_t *buffer)
{
  Client *client = handle->data;

  (void) size;
  *buffer = uv_buf_init (client->input + client->length,
                         (unsigned) (sizeof client->input - 1 - client->length));
}

static void
on_client_read (uv_stream_t *stream, ssize_t n, const uv_buf_t *buffer)
{
  static unsigned next;
  Client *client = stream->data;
  const char *number;
  Worker *worker;
  char line[64];

  (void) buffer;
  if (n < 0) {
    uv_close ((uv_handle_t *) stream, on_closed);
    return;
  }
  client->length += (size_t) n;
  client->input[client->length] = '\0';
  if (strstr (client->input, "\r\n\r\n") == NULL)
    return;
  number = strstr (client->input, "n=");
  worker = &workers[next++ % n_workers];
  worker->waiting[worker->end++ % MAX_WAITING] = client;
  snprintf (line, sizeof line, "%lu\n", number != NULL ? strtoul (number + 2, NULL, 10) : 0);
  client->length = 0;
  send_text ((uv_stream_t *) &worker->pipe, line);
}

static void
on_worker_alloc (uv_handle_t *handle, size_t size, uv_buf_t *buffer)
{
  Worker *worker = handle->data;

  (void) size;
  *buffer = uv_buf_init (worker->input + worker->length,
                         (unsigned) (sizeof worker->input - worker->length));
}

static void
on_worker_read (uv_stream_t *stream, ssize_t n, const uv_buf_t *buffer)
{
  Worker *worker = stream->data;
  char *start = worker->input;
  char *end;

  (void) buffer;
  if (n < 0)
    exit (1);
  worker->length += (size_t) n;
  while ((end = memchr (start, '\n', worker->length - (size_t) (start - worker->input))) != NULL) {
    char line[64];

    snprintf (line, sizeof line, "%.*s\n", (int) (end - start), start);
    answer (worker->waiting[worker->first++ % MAX_WAITING], line);
    start = end + 1;
  }
  worker->length -= (size_t) (start - worker->input);
  memmove (worker->input, start, worker->length);
}

static void
on_connection (uv_stream_t *listener, int status)
{
  Client *client = calloc (1, sizeof *client);

  (void) status;
  uv_tcp_init (listener->loop, &client->tcp);
  client->tcp.data = client;
  uv_accept (listener, (uv_stream_t *) &client->tcp);
  uv_read_start ((uv_stream_t *) &client->tcp, on_client_alloc, on_client_read);
}

int
main (void)
{
  uv_loop_t *loop = uv_default_loop ();
  uv_tcp_t listener;
  struct sockaddr_in name;
  int length = sizeof name;

  workers = calloc (n_workers, sizeof *workers);
  for (unsigned i = 0; i < n_workers; i++) {
    int fds[2];

    if (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) != 0)
      return 1;
    if (fork () == 0) {
      close (fds[0]);
      run_worker (fds[1]);
    }
    close (fds[1]);
    uv_pipe_init (loop, &workers[i].pipe, 0);
    workers[i].pipe.data = &workers[i];
    uv_pipe_open (&workers[i].pipe, fds[0]);
    uv_read_start ((uv_stream_t *) &workers[i].pipe, on_worker_alloc, on_worker_read);
  }
  uv_tcp_init (loop, &listener);
  uv_ip4_addr ("127.0.0.1", 0, &name);
  uv_tcp_bind (&listener, (struct sockaddr *) &name, 0);
  uv_listen ((uv_stream_t *) &listener, 512, on_connection);
  uv_tcp_getsockname (&listener, (struct sockaddr *) &name, &length);
  printf ("http://127.0.0.1:%d/\n", ntohs (name.sin_port));
  fflush (stdout);
  return uv_run (loop, UV_RUN_DEFAULT);
}
