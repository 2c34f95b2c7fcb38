/* test-child-boot.c - what a process hears from its parent before it is an actor: how long it waits for that. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "child-boot.h"

#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness.h"

#define PATIENCE_USEC G_USEC_PER_SEC

typedef struct {
  pid_t parent;
  int link_fd;  /* on which nobody says anything */
  int begin_fd; /* a byte has the child begin to wait */
  int ended_fd; /* one comes when it has given up */
} Family;

static void
be_child (int link_fd, int begin_fd, int ended_fd)
{
  Boot boot = { .link_fd = link_fd, .patience_usec = PATIENCE_USEC };
  char byte = 0;

  prctl (PR_SET_PDEATHSIG, SIGKILL);
  if (read (begin_fd, &byte, 1) != 1 || tractor__boot_read_introduction (&boot) ||
      write (ended_fd, &byte, 1) != 1)
    _exit (1);
  tractor__boot_clear (&boot);
  _exit (0);
}

static int
be_parent (int link_fd, int begin_fd, int ended_fd)
{
  pid_t child;
  int status;

  setpgid (0, 0);
  child = fork ();
  if (child == 0)
    be_child (link_fd, begin_fd, ended_fd);
  return waitpid (child, &status, 0) == child && status == 0 ? 0 : 1;
}

static Family
start (void)
{
  int link[2], begin[2], ended[2];
  Family family;

  g_assert_cmpint (socketpair (AF_UNIX, SOCK_STREAM, 0, link), ==, 0);
  g_assert_cmpint (pipe (begin), ==, 0);
  g_assert_cmpint (pipe (ended), ==, 0);
  family = (Family){ fork (), link[0], begin[1], ended[0] };
  if (family.parent == 0)
    _exit (be_parent (link[1], begin[0], ended[1]));
  setpgid (family.parent, family.parent); /* whoever of us is first */
  close (link[1]);
  close (begin[0]);
  close (ended[1]);
  return family;
}

static gboolean
has_given_up (const Family *family, int patience_msec)
{
  struct pollfd pollfd = { .fd = family->ended_fd, .events = POLLIN };

  return poll (&pollfd, 1, patience_msec) == 1;
}

static void
begin (const Family *family)
{
  g_assert_cmpint (write (family->begin_fd, "", 1), ==, 1);
}

static void
end (const Family *family)
{
  int status;

  g_assert_cmpint (waitpid (family->parent, &status, 0), ==, family->parent);
  g_assert_cmpint (status, ==, 0);
  close (family->link_fd);
  close (family->begin_fd);
  close (family->ended_fd);
}

static void
test_gives_up (void)
{
  Family family = start ();

  begin (&family);
  g_assert_true (has_given_up (&family, -1));
  end (&family);
}

/* As a debugger stops it, for as long as somebody looks at it. */
static void
test_waits_for_one_that_is_stopped (void)
{
  Family family = start ();
  int status;

  kill (family.parent, SIGSTOP);
  g_assert_cmpint (waitpid (family.parent, &status, WUNTRACED), ==, family.parent);
  begin (&family);
  g_assert_false (has_given_up (&family, 2 * PATIENCE_USEC / 1000));
  kill (family.parent, SIGCONT);
  g_assert_true (has_given_up (&family, -1)); /* what is left of its patience */
  end (&family);
}

/* As all of a job is, by Ctrl-Z. Whoever goes on first does not take the time for its parent's. */
static void
test_bears_to_be_stopped_together (void)
{
  Family family = start ();
  gint64 since;
  int status;

  begin (&family);
  g_assert_false (has_given_up (&family, PATIENCE_USEC / 1000 / 10)); /* it waits */
  kill (-family.parent, SIGSTOP);
  g_assert_cmpint (waitpid (family.parent, &status, WUNTRACED), ==, family.parent);
  g_assert_false (has_given_up (&family, 2 * PATIENCE_USEC / 1000));
  since = g_get_monotonic_time ();
  kill (-family.parent, SIGCONT);
  g_assert_true (has_given_up (&family, -1));
  g_assert_cmpint (g_get_monotonic_time () - since, >, PATIENCE_USEC / 10); /* what was left */
  end (&family);
}

int
main (int argc, char **argv)
{
  harness_init (&argc, &argv);
  harness_add ("/src/child-boot/gives-up", test_gives_up);
  harness_add ("/src/child-boot/waits-for-a-parent-that-is-stopped",
               test_waits_for_one_that_is_stopped);
  harness_add ("/src/child-boot/bears-to-be-stopped-together", test_bears_to_be_stopped_together);
  return harness_run ();
}
