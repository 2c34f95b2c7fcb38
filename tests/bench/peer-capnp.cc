/* peer-capnp.cc call N - N calls of Cap'n Proto's with a number and back, between two processes over a Unix socket;
 * prints the nanoseconds of one. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <capnp/ez-rpc.h>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "peer-capnp.capnp.h"

namespace {

double
now_nsec ()
{
  struct timespec now;

  clock_gettime (CLOCK_MONOTONIC, &now);
  return static_cast<double> (now.tv_sec) * 1e9 + static_cast<double> (now.tv_nsec);
}

class EchoServer final : public Echo::Server
{
  kj::Promise<void>
  number (NumberContext context) override
  {
    context.getResults ().setN (context.getParams ().getN ());
    return kj::READY_NOW;
  }
};

/* Says on @ready_fd when it can be called. */
void
serve (const std::string &address, int ready_fd)
{
  capnp::EzRpcServer server (kj::heap<EchoServer> (), address.c_str ());
  auto &scope = server.getWaitScope ();

  server.getPort ().wait (scope);
  if (write (ready_fd, "", 1) != 1)
    abort ();
  kj::NEVER_DONE.wait (scope);
}

double
call (const std::string &address, int n)
{
  capnp::EzRpcClient client (address.c_str ());
  auto &scope = client.getWaitScope ();
  Echo::Client echo = client.getMain<Echo> ();
  double started = 0;

  for (int i = 0; i < n; i++) {
    if (i == 1) /* the first one waits for the connection */
      started = now_nsec ();
    auto request = echo.numberRequest ();
    request.setN (i);
    if (request.send ().wait (scope).getN () != i)
      abort ();
  }
  return (now_nsec () - started) / (n - 1);
}

} // namespace

int
main (int argc, char **argv)
{
  int n = argc == 3 ? atoi (argv[2]) : 10000;
  std::string path = "/tmp/tractor-bench-capnp-" + std::to_string (getpid ());
  int ends[2];
  char byte;

  if (pipe (ends) != 0)
    return 1;
  pid_t pid = fork ();
  if (pid == 0)
    serve ("unix:" + path, ends[1]);
  if (read (ends[0], &byte, 1) != 1)
    return 1;
  double nsec = call ("unix:" + path, n);
  kill (pid, SIGKILL);
  waitpid (pid, nullptr, 0);
  unlink (path.c_str ());
  printf ("%f\n", nsec);
  return 0;
}
