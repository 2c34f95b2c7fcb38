/* peer-zeromq.c call N - N requests and answers of the size of a call with a number, between two processes over a Unix
 * socket; prints the nanoseconds of one. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <zmq.h>

#define REQUEST_BYTES 151
#define ANSWER_BYTES  112

static double
now_nsec (void)
{
  struct timespec now;

  clock_gettime (CLOCK_MONOTONIC, &now);
  return (double) now.tv_sec * 1e9 + (double) now.tv_nsec;
}

static void
serve (const char *address, int n)
{
  void *context = zmq_ctx_new ();
  void *socket = zmq_socket (context, ZMQ_REP);
  char bytes[REQUEST_BYTES];
  int bound = zmq_bind (socket, address);

  for (int i = 0; bound == 0 && i < n; i++)
    if (zmq_recv (socket, bytes, sizeof bytes, 0) < 0 ||
        zmq_send (socket, bytes, ANSWER_BYTES, 0) < 0)
      break;
  zmq_close (socket);
  zmq_ctx_term (context);
}

static double
ask (const char *address, int n)
{
  void *context = zmq_ctx_new ();
  void *socket = zmq_socket (context, ZMQ_REQ);
  char bytes[REQUEST_BYTES] = "";
  double started = 0;

  if (zmq_connect (socket, address) != 0)
    abort ();
  for (int i = 0; i < n; i++) {
    if (i == 1) /* the first one waits for the connection */
      started = now_nsec ();
    if (zmq_send (socket, bytes, REQUEST_BYTES, 0) < 0 ||
        zmq_recv (socket, bytes, sizeof bytes, 0) < 0)
      abort ();
  }
  started = now_nsec () - started;
  zmq_close (socket);
  zmq_ctx_term (context);
  return started / (n - 1);
}

int
main (int argc, char **argv)
{
  int n = argc == 3 ? atoi (argv[2]) : 10000;
  char address[64];
  double nsec;
  pid_t pid;

  snprintf (address, sizeof address, "ipc:///tmp/tractor-bench-zeromq-%d", (int) getpid ());
  pid = fork ();
  if (pid == 0) {
    serve (address, n);
    _exit (0);
  }
  nsec = ask (address, n);
  waitpid (pid, NULL, 0);
  printf ("%f\n", nsec);
  return 0;
}
