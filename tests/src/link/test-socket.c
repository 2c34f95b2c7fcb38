/* test-socket.c - sockets that actors listen on and connect to: real ones. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness.h"
#include "socket.h"
#include "tractor-discovery.h"
#include "unix-name.h"

#define FOREIGN_UID 54321

/* --- helpers ------------------------------------------------------------------------------------ */

/* (transfer full): in the private directory of this test. */
static char *
make_path (void)
{
  return g_build_filename (g_getenv ("XDG_RUNTIME_DIR"), "x.sock", NULL);
}

static int
listen_unix (const char *path)
{
  g_autoptr (GError) error = NULL;
  int fd = -1;

  tractor__unix_listen (path, &fd, &error);
  g_assert_no_error (error);
  return fd;
}

static void
assert_listen_fails (const char *path, int code, const char *part_of_message)
{
  GError *error = NULL;
  int fd;

  g_assert_false (tractor__unix_listen (path, &fd, &error));
  if (strstr (error->message, part_of_message) == NULL)
    g_error ("%s", error->message);
  harness_assert_error (error, TRACTOR_ERROR, code);
}

static Address
parse (const char *text)
{
  g_autoptr (GError) error = NULL;
  Address address;

  tractor__address_parse (text, &address, &error);
  g_assert_no_error (error);
  return address;
}

static int
listen_tcp (const char *text, Address *ret_bound)
{
  g_auto (Address) address = parse (text);
  g_autoptr (GError) error = NULL;
  int fd = -1;

  tractor__tcp_listen (&address, &fd, ret_bound, &error);
  g_assert_no_error (error);
  return fd;
}

static void
wait_for (int fd, short events)
{
  struct pollfd pollfd = { .fd = fd, .events = events };

  g_assert_cmpint (poll (&pollfd, 1, 5000), ==, 1);
}

static int
accept_one (int listen_fd)
{
  int fd = -1;

  wait_for (listen_fd, POLLIN);
  g_assert_cmpint (tractor__socket_accept (listen_fd, &fd), ==, 0);
  return fd;
}

/* To its end. */
static int
connect_to (const Address *address)
{
  g_autoptr (GError) error = NULL;
  gboolean is_in_progress;
  int fd = -1;

  tractor__socket_begin_connect (address, &fd, &is_in_progress, &error);
  g_assert_no_error (error);
  if (is_in_progress) {
    wait_for (fd, POLLOUT);
    tractor__socket_finish_connect (fd, address, &error);
    g_assert_no_error (error);
  }
  return fd;
}

static void
assert_flags (int fd)
{
  g_assert_cmpint (fd, >, STDERR_FILENO);
  g_assert_cmpint (fcntl (fd, F_GETFD) & FD_CLOEXEC, !=, 0);
  g_assert_cmpint (fcntl (fd, F_GETFL) & O_NONBLOCK, !=, 0);
}

static int
get_option (int fd, int level, int option)
{
  int value = -1;
  socklen_t length = sizeof value;

  g_assert_cmpint (getsockopt (fd, level, option, &value, &length), ==, 0);
  return value;
}

static void
assert_talking (int one, int other)
{
  char byte = 0;

  g_assert_cmpint (send (one, "x", 1, MSG_NOSIGNAL), ==, 1);
  wait_for (other, POLLIN);
  g_assert_cmpint (recv (other, &byte, 1, 0), ==, 1);
  g_assert_cmpint (byte, ==, 'x');
}

static gboolean
is_root (void)
{
  if (geteuid () == 0)
    return TRUE;
  g_test_skip ("only root can be two users");
  return FALSE;
}

/* What a program leaves that was killed. */
static void
leave_stale (const char *path)
{
  close (listen_unix (path));
}

/* --- listening on a Unix socket ----------------------------------------------------------------- */

static void
test_S4_only_we_can_connect (void)
{
  g_autofree char *path = make_path ();
  mode_t before = umask (0);
  int fd = listen_unix (path);
  mode_t now = umask (before);
  struct stat status;

  g_assert_cmpuint (now, ==, 0); /* it is the whole process's */
  assert_flags (fd);
  g_assert_cmpint (lstat (path, &status), ==, 0);
  g_assert_true (S_ISSOCK (status.st_mode));
  g_assert_cmpuint (status.st_mode & 07777, ==, 0600);
  tractor__unix_close (path, fd);
  g_assert_cmpint (access (path, F_OK), ==, -1);
}

static void
test_unix_both_ends_talk (void)
{
  g_autofree char *path = make_path ();
  Address address = { .kind = ADDRESS_UNIX, .path = path };
  int listen_fd = listen_unix (path);
  int client = connect_to (&address);
  int server = accept_one (listen_fd);

  assert_flags (client);
  assert_flags (server);
  g_assert_true (tractor__socket_check_peer (client, NULL));
  g_assert_true (tractor__socket_check_peer (server, NULL));
  assert_talking (client, server);
  assert_talking (server, client);
  close (client);
  close (server);
  tractor__unix_close (path, listen_fd);
}

static void
assert_is_not_removed (const char *path, TractorError code)
{
  g_autoptr (GError) error = NULL;

  g_assert_false (tractor_socket_remove_dead (path, &error));
  g_assert_error (error, TRACTOR_ERROR, (int) code);
  g_assert_true (g_file_test (path, G_FILE_TEST_EXISTS));
}

/* Only what is a socket, and has nobody behind it. */
static void
test_dead_sockets_are_taken_away (void)
{
  g_autofree char *path = make_path ();
  g_autoptr (GError) error = NULL;
  int fd = listen_unix (path);

  g_assert_false (tractor_socket_is_dead (NULL));
  g_assert_false (tractor_socket_is_dead (path));
  assert_is_not_removed (path, TRACTOR_ERROR_MISUSE);
  tractor__unix_close (path, fd);
  leave_stale (path);
  g_assert_true (tractor_socket_is_dead (path));
  g_assert_true (tractor_socket_remove_dead (path, &error));
  g_assert_no_error (error);
  g_assert_false (g_file_test (path, G_FILE_TEST_EXISTS));
  g_assert_true (g_file_set_contents (path, "x", 1, NULL));
  g_assert_false (tractor_socket_is_dead (path));
  assert_is_not_removed (path, TRACTOR_ERROR_MISUSE);
  g_unlink (path);
  g_assert_false (tractor_socket_remove_dead (path, &error));
  g_assert_error (error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE);
}

/* It might be another by then. */
static void
test_dead_sockets_stay_while_others_start (void)
{
  g_autofree char *path = make_path ();
  g_autofree char *dir = g_path_get_dirname (path);
  int lock_fd = open (dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

  leave_stale (path);
  g_assert_cmpint (flock (lock_fd, LOCK_SH), ==, 0);
  assert_is_not_removed (path, TRACTOR_ERROR_BUSY);
  close (lock_fd);
  g_assert_true (tractor_socket_remove_dead (path, NULL));
}

static void
test_S5_a_stale_socket_is_replaced (void)
{
  g_autofree char *path = make_path ();
  int fd;

  leave_stale (path);
  g_assert_cmpint (access (path, F_OK), ==, 0);
  fd = listen_unix (path);
  close (connect_to (&(Address){ .kind = ADDRESS_UNIX, .path = path }));
  tractor__unix_close (path, fd);
}

static void
test_S5_a_live_socket_is_not_replaced (void)
{
  g_autofree char *path = make_path ();
  int fd = listen_unix (path);

  assert_listen_fails (path, TRACTOR_ERROR_REGISTRY, "is held by another program");
  close (accept_one (fd)); /* its question whether we are there */
  close (connect_to (&(Address){ .kind = ADDRESS_UNIX, .path = path }));
  tractor__unix_close (path, fd);
}

static void
bind_by_hand (const char *path, int type, int *ret_fd)
{
  struct sockaddr_un name = { .sun_family = AF_UNIX };

  g_strlcpy (name.sun_path, path, sizeof name.sun_path);
  *ret_fd = socket (AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  g_assert_cmpint (bind (*ret_fd, (struct sockaddr *) &name, sizeof name), ==, 0);
}

static void
test_S5_a_full_socket_is_not_replaced (void)
{
  g_autofree char *path = make_path ();
  Address address = { .kind = ADDRESS_UNIX, .path = path };
  int fd;
  int client;

  bind_by_hand (path, SOCK_STREAM, &fd);
  listen (fd, 0);
  client = connect_to (&address);
  assert_listen_fails (path, TRACTOR_ERROR_REGISTRY, "is held by another program");
  close (client);
  tractor__unix_close (path, fd);
}

static void
test_S5_sockets_of_another_type_are_not_replaced (void)
{
  g_autofree char *path = make_path ();
  int fd;

  bind_by_hand (path, SOCK_DGRAM, &fd);
  assert_listen_fails (path, TRACTOR_ERROR_REGISTRY, "is held by another program");
  tractor__unix_close (path, fd);
}

/* The kernel says ECONNREFUSED of a file, as of a socket that nobody listens on. */
static void
test_S5_files_are_not_replaced (void)
{
  g_autofree char *path = make_path ();
  g_autofree char *target = g_strconcat (path, ".target", NULL);
  g_autofree char *text = NULL;

  g_assert_true (g_file_set_contents (path, "precious", -1, NULL));
  assert_listen_fails (path, TRACTOR_ERROR_REGISTRY, "is no socket");
  g_assert_true (g_file_get_contents (path, &text, NULL, NULL));
  g_assert_cmpstr (text, ==, "precious");
  g_unlink (path);

  leave_stale (target);
  g_assert_cmpint (symlink (target, path), ==, 0);
  assert_listen_fails (path, TRACTOR_ERROR_REGISTRY, "is no socket");
  g_assert_cmpint (access (target, F_OK), ==, 0);
  g_unlink (path);
  g_unlink (target);
}

static void
test_S5_another_users_socket_is_not_replaced (void)
{
  g_autofree char *path = make_path ();

  if (!is_root ())
    return;
  leave_stale (path);
  g_assert_cmpint (lchown (path, FOREIGN_UID, FOREIGN_UID), ==, 0);
  assert_listen_fails (path, TRACTOR_ERROR_REGISTRY, "no socket of user 0 (owner 54321");
  g_unlink (path);
}

static int
lock_by_hand (int operation)
{
  int fd = open (g_getenv ("XDG_RUNTIME_DIR"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);

  g_assert_cmpint (flock (fd, operation | LOCK_NB), ==, 0);
  return fd;
}

/* Another program is between bind and listen: its socket looks as a stale one does. */
static void
test_S5_one_that_is_just_starting_is_not_replaced (void)
{
  g_autofree char *path = make_path ();
  int lock_fd = lock_by_hand (LOCK_SH);
  int fd;

  bind_by_hand (path, SOCK_STREAM, &fd);
  assert_listen_fails (path, TRACTOR_ERROR_BUSY, "try again");
  listen (fd, 1);
  close (lock_fd);
  assert_listen_fails (path, TRACTOR_ERROR_REGISTRY, "is held by another program");
  tractor__unix_close (path, fd);
}

static void
test_starting_at_once_nobody_is_in_the_way (void)
{
  g_autofree char *path = make_path ();
  int lock_fd = lock_by_hand (LOCK_SH);

  tractor__unix_close (path, listen_unix (path));
  close (lock_fd);
}

static void
test_a_held_lock_is_not_waited_for (void)
{
  g_autofree char *path = make_path ();
  int lock_fd = lock_by_hand (LOCK_EX);

  assert_listen_fails (path, TRACTOR_ERROR_BUSY, "try again");
  g_assert_cmpint (access (path, F_OK), ==, -1);
  close (lock_fd);
}

/* Returns: whether this process got it; then it is there until @end_fd is closed. */
static gboolean
race_for (const char *path, int start_fd, int result_fd, int end_fd)
{
  g_autoptr (GError) error = NULL;
  gboolean has_won;
  int fd;
  char byte;

  g_assert_cmpint (read (start_fd, &byte, 1), ==, 0); /* both at once, when it is closed */
  while (!(has_won = tractor__unix_listen (path, &fd, &error)) &&
         g_error_matches (error, TRACTOR_ERROR, TRACTOR_ERROR_BUSY)) {
    g_clear_error (&error);
    g_usleep (100);
  }
  if (!has_won)
    g_assert_error (error, TRACTOR_ERROR, TRACTOR_ERROR_REGISTRY);
  g_assert_cmpint (write (result_fd, has_won ? "1" : "0", 1), ==, 1);
  g_assert_cmpint (read (end_fd, &byte, 1), ==, 0);
  return has_won;
}

#define N_RACERS 4

static void
race_once (const char *path)
{
  pid_t pids[N_RACERS];
  int start[2];
  int result[2];
  int end[2];
  int n_winners = 0;

  g_assert_cmpint (pipe2 (start, O_CLOEXEC), ==, 0);
  g_assert_cmpint (pipe2 (result, O_CLOEXEC), ==, 0);
  g_assert_cmpint (pipe2 (end, O_CLOEXEC), ==, 0);
  for (int i = 0; i < N_RACERS; i++) {
    pids[i] = fork ();
    if (pids[i] == 0) {
      close (start[1]);
      close (end[1]);
      race_for (path, start[0], result[1], end[0]);
      _exit (0);
    }
  }
  close (start[0]);
  close (start[1]);
  for (int i = 0; i < N_RACERS; i++) {
    char won;

    g_assert_cmpint (read (result[0], &won, 1), ==, 1);
    n_winners += won == '1';
  }
  g_assert_cmpint (n_winners, ==, 1);
  close (connect_to (&(Address){ .kind = ADDRESS_UNIX, .path = (char *) path }));
  close (end[0]);
  close (end[1]);
  close (result[0]);
  close (result[1]);
  for (int i = 0; i < N_RACERS; i++) {
    int status;

    g_assert_cmpint (waitpid (pids[i], &status, 0), ==, pids[i]);
    g_assert_cmpint (status, ==, 0);
  }
}

static void
test_S5_of_those_who_race_for_one_path_one_wins (void)
{
  g_autofree char *path = make_path ();

  race_once (path);            /* at first there is nothing, */
  for (int i = 0; i < 50; i++) /* then what the last winner has left */
    race_once (path);
  g_unlink (path);
}

static void
test_S1_abstract_and_odd_paths_are_refused (void)
{
  g_autofree char *filler = g_strnfill (110, 'x');
  g_autofree char *too_long = g_strconcat ("/tmp/", filler, NULL);

  assert_listen_fails ("@x", TRACTOR_ERROR_MISUSE, "abstract");
  assert_listen_fails ("", TRACTOR_ERROR_MISUSE, "abstract");
  assert_listen_fails ("x.sock", TRACTOR_ERROR_MISUSE, "absolute");
  assert_listen_fails ("/tmp/../x.sock", TRACTOR_ERROR_MISUSE, "..");
  assert_listen_fails (too_long, TRACTOR_ERROR_MISUSE, "115 bytes long");
}

static void
test_a_missing_directory_is_named (void)
{
  GError *error = NULL;
  int fd;

  g_assert_false (tractor__unix_listen ("/nowhere/x.sock", &fd, &error));
  g_assert_nonnull (strstr (error->message, "/nowhere"));
  harness_assert_error (error, G_FILE_ERROR, G_FILE_ERROR_NOENT);
}

static void
test_descriptors_keep_off_stdio (void)
{
  g_autofree char *path = make_path ();
  int saved = dup (STDIN_FILENO);
  int fds[3];

  close (STDIN_FILENO);
  fds[0] = listen_unix (path);
  fds[1] = connect_to (&(Address){ .kind = ADDRESS_UNIX, .path = path });
  fds[2] = accept_one (fds[0]);
  for (int i = 0; i < 3; i++)
    assert_flags (fds[i]);
  g_assert_cmpint (fcntl (STDIN_FILENO, F_GETFD), ==, -1);
  dup2 (saved, STDIN_FILENO);
  close (saved);
  close (fds[1]);
  close (fds[2]);
  tractor__unix_close (path, fds[0]);
}

/* --- listening on TCP --------------------------------------------------------------------------- */

static void
assert_tuned (int fd)
{
  g_assert_cmpint (get_option (fd, IPPROTO_TCP, TCP_NODELAY), !=, 0);
  g_assert_cmpint (get_option (fd, SOL_SOCKET, SO_KEEPALIVE), !=, 0);
  g_assert_cmpint (get_option (fd, IPPROTO_TCP, TCP_USER_TIMEOUT), ==, 30000);
}

static void
assert_tcp_works (const char *text)
{
  g_auto (Address) bound = { 0 };
  int listen_fd = listen_tcp (text, &bound);
  int client;
  int server;

  g_assert_cmpuint (bound.port, !=, 0);
  client = connect_to (&bound);
  server = accept_one (listen_fd);
  for (int i = 0; i < 2; i++) {
    int fd = i == 0 ? client : server;

    assert_flags (fd);
    g_assert_true (tractor__socket_check_peer (fd, NULL));
    assert_tuned (fd);
  }
  assert_talking (client, server);
  close (client);
  close (server);
  close (listen_fd);
}

static void
test_S14_tcp_both_ends_talk (void)
{
  assert_tcp_works ("tcp://127.0.0.1:0");
}

static void
test_tcp_pair (void)
{
  g_autoptr (GError) error = NULL;
  int ends[2];

  g_assert_true (tractor__socket_pair (ADDRESS_TCP, ends, &error));
  assert_talking (ends[0], ends[1]);
  assert_talking (ends[1], ends[0]);
  for (int i = 0; i < 2; i++) {
    g_assert_cmpint (fcntl (ends[i], F_GETFD) & FD_CLOEXEC, !=, 0);
    assert_tuned (ends[i]);
    close (ends[i]);
  }
}

static void
test_S14_tcp_over_ipv6 (void)
{
  if (access ("/proc/net/if_inet6", F_OK) != 0) {
    g_test_skip ("no IPv6 here");
    return;
  }
  assert_tcp_works ("tcp://[::1]:0");
}

static void
test_the_port_is_asked_for_or_told (void)
{
  g_auto (Address) bound = { 0 };
  g_auto (Address) again = { 0 };
  g_autofree char *text = NULL;
  int fd = listen_tcp ("tcp://127.0.0.1:0", &bound);

  close (fd);
  text = tractor__address_to_string (&bound);
  fd = listen_tcp (text, &again);
  g_assert_true (tractor__address_equal (&bound, &again));
  close (fd);
}

static void
test_a_held_port_is_refused (void)
{
  g_auto (Address) bound = { 0 };
  int fd = listen_tcp ("tcp://127.0.0.1:0", &bound);
  GError *error = NULL;
  Address other;
  int other_fd;

  g_assert_false (tractor__tcp_listen (&bound, &other_fd, &other, &error));
  g_assert_nonnull (strstr (error->message, "is held by another program"));
  harness_assert_error (error, TRACTOR_ERROR, TRACTOR_ERROR_REGISTRY);
  close (fd);
}

/* A connection that we closed lingers for a minute. */
static void
test_a_port_can_be_had_again_at_once (void)
{
  g_auto (Address) bound = { 0 };
  g_auto (Address) again = { 0 };
  g_autofree char *text = NULL;
  int listen_fd = listen_tcp ("tcp://127.0.0.1:0", &bound);
  int client = connect_to (&bound);

  close (accept_one (listen_fd)); /* the side that closes first is the one that lingers */
  wait_for (client, POLLIN);
  close (client);
  close (listen_fd);
  text = tractor__address_to_string (&bound);
  close (listen_tcp (text, &again));
}

static void
test_S10_other_machines_cannot_be_let_in (void)
{
  const char *texts[] = { "tcp://0.0.0.0:0", "tcp://[::]:0", "tcp://10.0.0.1:0",
                          "tcp://[::ffff:127.0.0.1]:0" };

  for (guint i = 0; i < G_N_ELEMENTS (texts); i++) {
    g_auto (Address) address = parse (texts[i]);
    GError *error = NULL;
    Address bound;
    int fd;

    g_assert_false (tractor__tcp_listen (&address, &fd, &bound, &error));
    g_assert_nonnull (strstr (error->message, "needs an authenticated transport"));
    harness_assert_error (error, TRACTOR_ERROR, TRACTOR_ERROR_AUTH);
  }
}

static void
test_tcp_needs_a_tcp_address (void)
{
  GError *error = NULL;
  Address bound;
  int fd;

  g_assert_false (tractor__tcp_listen (&(Address){ 0 }, &fd, &bound, &error));
  harness_assert_error (error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE);
}

/* --- accepting ---------------------------------------------------------------------------------- */

static void
test_accept_does_not_wait (void)
{
  g_autofree char *path = make_path ();
  int listen_fd = listen_unix (path);
  int fd = -1;

  g_assert_cmpint (tractor__socket_accept (listen_fd, &fd), ==, -1);
  g_assert_cmpint (errno, ==, EAGAIN);
  g_assert_cmpint (fd, ==, -1);
  tractor__unix_close (path, listen_fd);
}

/* --- who is there ------------------------------------------------------------------------------- */

static void
assert_not_let_in (int fd)
{
  GError *error = NULL;

  g_assert_false (tractor__socket_check_peer (fd, &error));
  harness_assert_error (error, TRACTOR_ERROR, TRACTOR_ERROR_AUTH);
}

/* (transfer full): a path in a directory that everybody can enter. */
static char *
make_open_path (void)
{
  g_assert_cmpint (g_chmod (g_getenv ("XDG_RUNTIME_DIR"), 0777), ==, 0);
  return make_path ();
}

static void
test_S6_another_user_is_not_let_in (void)
{
  g_autofree char *path = make_open_path ();
  Address address = { .kind = ADDRESS_UNIX, .path = path };
  int listen_fd;
  int client;
  int server;

  if (!is_root ())
    return;
  listen_fd = listen_unix (path);
  g_assert_cmpint (g_chmod (path, 0666), ==, 0);
  g_assert_cmpint (seteuid (FOREIGN_UID), ==, 0);
  client = connect_to (&address);
  g_assert_cmpint (seteuid (0), ==, 0);
  server = accept_one (listen_fd);
  assert_not_let_in (server);
  close (client);
  close (server);
  tractor__unix_close (path, listen_fd);
}

static void
test_S6_a_server_of_another_user_is_not_believed (void)
{
  g_autofree char *path = make_open_path ();
  Address address = { .kind = ADDRESS_UNIX, .path = path };
  int listen_fd;
  int client;

  if (!is_root ())
    return;
  g_assert_cmpint (seteuid (FOREIGN_UID), ==, 0);
  listen_fd = listen_unix (path);
  g_assert_cmpint (seteuid (0), ==, 0);
  client = connect_to (&address);
  assert_not_let_in (client);
  close (client);
  tractor__unix_close (path, listen_fd);
}

static void
test_nobody_is_not_let_in (void)
{
  int fd = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

  assert_not_let_in (fd);
  close (fd);
}

/* --- connecting --------------------------------------------------------------------------------- */

static void
assert_connect_fails (const Address *address, int code)
{
  g_autofree char *text = tractor__address_to_string (address);
  GError *error = NULL;
  gboolean is_in_progress;
  int fd;

  if (tractor__socket_begin_connect (address, &fd, &is_in_progress, &error)) {
    g_assert_true (is_in_progress);
    wait_for (fd, POLLOUT);
    g_assert_false (tractor__socket_finish_connect (fd, address, &error));
    close (fd);
  }
  g_assert_nonnull (strstr (error->message, text));
  harness_assert_error (error, TRACTOR_ERROR, code);
}

static void
test_where_nobody_is (void)
{
  g_autofree char *path = make_path ();
  g_auto (Address) bound = { 0 };

  close (listen_tcp ("tcp://127.0.0.1:0", &bound));
  assert_connect_fails (&bound, TRACTOR_ERROR_TRANSPORT_CLOSED);
  assert_connect_fails (&(Address){ .kind = ADDRESS_UNIX, .path = path },
                        TRACTOR_ERROR_TRANSPORT_CLOSED);
  leave_stale (path);
  assert_connect_fails (&(Address){ .kind = ADDRESS_UNIX, .path = path },
                        TRACTOR_ERROR_TRANSPORT_CLOSED);
  g_unlink (path);
}

static void
test_I19_a_full_backlog_is_busy (void)
{
  g_autofree char *path = make_path ();
  Address address = { .kind = ADDRESS_UNIX, .path = path };
  int listen_fd;
  int client;

  bind_by_hand (path, SOCK_STREAM, &listen_fd);
  listen (listen_fd, 0);
  client = connect_to (&address);
  assert_connect_fails (&address, TRACTOR_ERROR_BUSY);
  close (client);
  close (accept_one (listen_fd));
  close (connect_to (&address)); /* now there is room */
  tractor__unix_close (path, listen_fd);
}

static void
test_connected_to_itself_is_not_connected (void)
{
  struct sockaddr_storage name = { .ss_family = AF_INET };
  struct sockaddr_in *ipv4 = (struct sockaddr_in *) &name;
  socklen_t length = sizeof *ipv4;
  int fd = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  g_auto (Address) address = { 0 };
  GError *error = NULL;

  ipv4->sin_addr.s_addr = htonl (INADDR_LOOPBACK);
  g_assert_cmpint (bind (fd, (struct sockaddr *) &name, length), ==, 0);
  g_assert_cmpint (getsockname (fd, (struct sockaddr *) &name, &length), ==, 0);
  g_assert_cmpint (connect (fd, (struct sockaddr *) &name, length), ==, 0);
  g_assert_true (tractor__address_from_sockaddr (&name, length, &address, NULL));
  g_assert_false (tractor__socket_finish_connect (fd, &address, &error));
  harness_assert_error (error, TRACTOR_ERROR, TRACTOR_ERROR_TRANSPORT_CLOSED);
  close (fd);
}

static void
test_no_address_cannot_be_connected_to (void)
{
  GError *error = NULL;
  gboolean is_in_progress;
  int fd;

  g_assert_false (tractor__socket_begin_connect (&(Address){ 0 }, &fd, &is_in_progress, &error));
  harness_assert_error (error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE);
}

/* The only number that is free is one of those that are not for sockets: it stays free. */
static void
test_no_room_but_stdin (void)
{
  g_auto (Address) address = parse ("tcp://127.0.0.1:1");
  int saved_stdin = dup (STDIN_FILENO);
  struct rlimit before, limit;
  GError *error = NULL;
  gboolean in_progress;
  int first_free;
  int ends[2];
  int fd = -1;

  g_assert_cmpint (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), ==, 0);
  first_free = dup (STDIN_FILENO);
  close (first_free);
  g_assert_cmpint (getrlimit (RLIMIT_NOFILE, &before), ==, 0);
  limit = before;
  limit.rlim_cur = (rlim_t) first_free;
  g_assert_cmpint (setrlimit (RLIMIT_NOFILE, &limit), ==, 0);
  close (STDIN_FILENO);
  g_assert_false (tractor__socket_begin_connect (&address, &fd, &in_progress, &error));
  g_assert_cmpint (fcntl (STDIN_FILENO, F_GETFD), ==, -1);
  g_assert_cmpint (tractor__socket_open_peer_pidfd (ends[0]), ==, -1);
  g_assert_cmpint (fcntl (STDIN_FILENO, F_GETFD), ==, -1);
  g_assert_cmpint (dup2 (saved_stdin, STDIN_FILENO), ==, STDIN_FILENO);
  close (saved_stdin);
  close (ends[0]);
  close (ends[1]);
  setrlimit (RLIMIT_NOFILE, &before);
  harness_assert_error (error, G_FILE_ERROR, G_FILE_ERROR_MFILE);
}

int
main (int argc, char **argv)
{
  harness_init (&argc, &argv);
  harness_add ("/src/socket/S4-only-we-can-connect", test_S4_only_we_can_connect);
  harness_add ("/src/socket/unix-both-ends-talk", test_unix_both_ends_talk);
  harness_add ("/src/socket/dead-sockets-are-taken-away", test_dead_sockets_are_taken_away);
  harness_add ("/src/socket/dead-sockets-stay-while-others-start",
               test_dead_sockets_stay_while_others_start);
  harness_add ("/src/socket/D-04-S5-a-stale-socket-is-replaced",
               test_S5_a_stale_socket_is_replaced);
  harness_add ("/src/socket/row-99-S5-a-live-socket-is-not-replaced",
               test_S5_a_live_socket_is_not_replaced);
  harness_add ("/src/socket/S5-a-full-socket-is-not-replaced",
               test_S5_a_full_socket_is_not_replaced);
  harness_add ("/src/socket/S5-sockets-of-another-type-are-not-replaced",
               test_S5_sockets_of_another_type_are_not_replaced);
  harness_add ("/src/socket/S5-files-are-not-replaced", test_S5_files_are_not_replaced);
  harness_add ("/src/socket/D-04-S5-another-users-socket-is-not-replaced",
               test_S5_another_users_socket_is_not_replaced);
  harness_add ("/src/socket/S5-one-that-is-just-starting-is-not-replaced",
               test_S5_one_that_is_just_starting_is_not_replaced);
  harness_add ("/src/socket/starting-at-once-nobody-is-in-the-way",
               test_starting_at_once_nobody_is_in_the_way);
  harness_add ("/src/socket/a-held-lock-is-not-waited-for", test_a_held_lock_is_not_waited_for);
  harness_add ("/src/socket/D-03-S5-of-those-who-race-for-one-path-one-wins",
               test_S5_of_those_who_race_for_one_path_one_wins);
  harness_add ("/src/socket/S1-abstract-and-odd-paths-are-refused",
               test_S1_abstract_and_odd_paths_are_refused);
  harness_add ("/src/socket/a-missing-directory-is-named", test_a_missing_directory_is_named);
  harness_add ("/src/socket/descriptors-keep-off-stdio", test_descriptors_keep_off_stdio);
  harness_add ("/src/socket/S14-tcp-both-ends-talk", test_S14_tcp_both_ends_talk);
  harness_add ("/src/socket/tcp-pair", test_tcp_pair);
  harness_add ("/src/socket/S14-tcp-over-ipv6", test_S14_tcp_over_ipv6);
  harness_add ("/src/socket/the-port-is-asked-for-or-told", test_the_port_is_asked_for_or_told);
  harness_add ("/src/socket/a-held-port-is-refused", test_a_held_port_is_refused);
  harness_add ("/src/socket/a-port-can-be-had-again-at-once", test_a_port_can_be_had_again_at_once);
  harness_add ("/src/socket/S10-other-machines-cannot-be-let-in",
               test_S10_other_machines_cannot_be_let_in);
  harness_add ("/src/socket/tcp-needs-a-tcp-address", test_tcp_needs_a_tcp_address);
  harness_add ("/src/socket/accept-does-not-wait", test_accept_does_not_wait);
  harness_add ("/src/socket/S6-another-user-is-not-let-in", test_S6_another_user_is_not_let_in);
  harness_add ("/src/socket/S6-a-server-of-another-user-is-not-believed",
               test_S6_a_server_of_another_user_is_not_believed);
  harness_add ("/src/socket/nobody-is-not-let-in", test_nobody_is_not_let_in);
  harness_add ("/src/socket/where-nobody-is", test_where_nobody_is);
  harness_add ("/src/socket/I-19-a-full-backlog-is-busy", test_I19_a_full_backlog_is_busy);
  harness_add ("/src/socket/connected-to-itself-is-not-connected",
               test_connected_to_itself_is_not_connected);
  harness_add ("/src/socket/no-address-cannot-be-connected-to",
               test_no_address_cannot_be_connected_to);
  harness_add ("/src/socket/no-room-but-stdin", test_no_room_but_stdin);
  return harness_run ();
}
