/* test-runtime-dir.c - the private directory of sockets, and all that could be wrong with it. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "address.h"
#include "harness.h"
#include "runtime-dir.h"
#include "tractor-discovery.h"

#define FOREIGN_UID 54321

/* (transfer full): where it will be. */
static char *
get_wanted_path (void)
{
  return g_build_filename (g_getenv ("XDG_RUNTIME_DIR"), "tractor", NULL);
}

static void
assert_refused (const char *path, const char *part_of_message)
{
  GError *error = NULL;
  RuntimeDir dir;

  g_assert_false (tractor__runtime_dir_open (&dir, &error));
  g_assert_nonnull (strstr (error->message, path));
  g_assert_nonnull (strstr (error->message, "XDG_RUNTIME_DIR"));
  if (strstr (error->message, part_of_message) == NULL)
    g_error ("%s", error->message);
  harness_assert_error (error, TRACTOR_ERROR, TRACTOR_ERROR_AUTH);
}

static gboolean
is_root (void)
{
  if (geteuid () == 0)
    return TRUE;
  g_test_skip ("only root can have files of other users");
  return FALSE;
}

static void
test_it_is_made_for_us_alone (void)
{
  g_autofree char *wanted = get_wanted_path ();
  g_autofree char *said = tractor_dup_socket_directory ();
  g_auto (RuntimeDir) dir = { 0 };
  g_autoptr (GError) error = NULL;
  struct stat by_path;
  struct stat by_fd;

  g_assert_cmpstr (said, ==, wanted);
  g_assert_false (g_file_test (said, G_FILE_TEST_EXISTS)); /* who asks makes none */
  tractor__runtime_dir_open (&dir, &error);
  g_assert_no_error (error);
  g_assert_cmpstr (dir.path, ==, wanted);
  g_assert_cmpint (stat (dir.path, &by_path), ==, 0);
  g_assert_cmpint (fstat (dir.fd, &by_fd), ==, 0);
  g_assert_true (S_ISDIR (by_path.st_mode));
  g_assert_cmpuint (by_path.st_mode & 07777, ==, 0700);
  g_assert_cmpuint (by_path.st_ino, ==, by_fd.st_ino);
  g_assert_cmpint (fcntl (dir.fd, F_GETFD) & FD_CLOEXEC, !=, 0);
  g_assert_cmpint (g_rmdir (dir.path), ==, 0);
}

static void
test_it_may_be_there_already (void)
{
  for (int i = 0; i < 2; i++) {
    g_auto (RuntimeDir) dir = { 0 };

    g_assert_true (tractor__runtime_dir_open (&dir, NULL));
    if (i == 1)
      g_assert_cmpint (g_rmdir (dir.path), ==, 0);
  }
}

static void
test_a_missing_parent_is_made_too (void)
{
  g_autofree char *parent = g_build_filename (g_getenv ("XDG_RUNTIME_DIR"), "1000", NULL);
  g_autofree char *with_slash = g_strconcat (parent, "/", NULL);
  g_autofree char *before = g_strdup (g_getenv ("XDG_RUNTIME_DIR"));
  g_auto (RuntimeDir) dir = { 0 };
  struct stat status;

  g_setenv ("XDG_RUNTIME_DIR", with_slash, TRUE);
  g_assert_true (tractor__runtime_dir_open (&dir, NULL));
  g_assert_cmpint (stat (parent, &status), ==, 0);
  g_assert_cmpuint (status.st_mode & 07777, ==, 0700);
  g_assert_cmpint (g_rmdir (dir.path), ==, 0);
  g_assert_cmpint (g_rmdir (parent), ==, 0);
  g_setenv ("XDG_RUNTIME_DIR", before, TRUE);
}

static void
test_R05_what_cannot_be_made_is_named (void)
{
  g_autofree char *before = g_strdup (g_getenv ("XDG_RUNTIME_DIR"));
  GError *error = NULL;
  RuntimeDir dir;

  g_setenv ("XDG_RUNTIME_DIR", "/nowhere/at/all", TRUE);
  g_assert_false (tractor__runtime_dir_open (&dir, &error));
  g_assert_nonnull (strstr (error->message, "/nowhere/at/all"));
  harness_assert_error (error, G_FILE_ERROR, G_FILE_ERROR_NOENT);
  g_setenv ("XDG_RUNTIME_DIR", before, TRUE);
}

static void
test_its_descriptor_keeps_off_stdio (void)
{
  g_auto (RuntimeDir) dir = { 0 };
  int saved = dup (STDIN_FILENO);

  close (STDIN_FILENO);
  g_assert_true (tractor__runtime_dir_open (&dir, NULL));
  g_assert_cmpint (dir.fd, >, STDERR_FILENO);
  g_assert_cmpint (fcntl (STDIN_FILENO, F_GETFD), ==, -1);
  dup2 (saved, STDIN_FILENO);
  close (saved);
  g_assert_cmpint (g_rmdir (dir.path), ==, 0);
}

/* --- what is not taken -------------------------------------------------------------------------- */

static void
test_S2_a_link_in_its_place (void)
{
  g_autofree char *wanted = get_wanted_path ();
  g_autofree char *elsewhere = g_strconcat (wanted, "-elsewhere", NULL);

  g_assert_cmpint (g_mkdir (elsewhere, 0700), ==, 0);
  g_assert_cmpint (symlink (elsewhere, wanted), ==, 0);
  assert_refused (wanted, "is a symbolic link");
  g_assert_cmpint (g_unlink (wanted), ==, 0);
  g_assert_cmpint (symlink ("dangling", wanted), ==, 0);
  assert_refused (wanted, "is a symbolic link");
  g_assert_cmpint (g_unlink (wanted), ==, 0);
  g_assert_cmpint (g_rmdir (elsewhere), ==, 0);
}

static void
test_S2_a_link_in_its_parents_place (void)
{
  g_autofree char *before = g_strdup (g_getenv ("XDG_RUNTIME_DIR"));
  g_autofree char *link = g_build_filename (before, "link", NULL);
  g_autofree char *with_slash = g_strconcat (link, "/", NULL);

  g_assert_cmpint (symlink (before, link), ==, 0);
  g_setenv ("XDG_RUNTIME_DIR", link, TRUE);
  assert_refused (link, "is a symbolic link");
  g_setenv ("XDG_RUNTIME_DIR", with_slash, TRUE);
  assert_refused (link, "is a symbolic link");
  g_assert_cmpint (g_unlink (link), ==, 0);
  g_setenv ("XDG_RUNTIME_DIR", before, TRUE);
}

static void
test_S2_a_file_in_its_place (void)
{
  g_autofree char *wanted = get_wanted_path ();

  g_assert_true (g_file_set_contents (wanted, "x", 1, NULL));
  assert_refused (wanted, "is no directory");
  g_assert_cmpint (g_unlink (wanted), ==, 0);
}

static void
assert_refused_and_untouched (const char *directory, mode_t mode)
{
  g_autofree char *mode_text =
      g_strdup_printf ("is open to other users (owner %u, mode %04o)", geteuid (), mode);
  struct stat status;

  g_assert_cmpint (g_chmod (directory, (int) mode), ==, 0);
  assert_refused (directory, mode_text);
  g_assert_cmpint (stat (directory, &status), ==, 0);
  g_assert_cmpuint (status.st_mode & 07777, ==, mode); /* not for us to repair */
}

static void
test_S2_open_to_others (void)
{
  g_autofree char *wanted = get_wanted_path ();

  g_assert_cmpint (g_mkdir (wanted, 0700), ==, 0);
  assert_refused_and_untouched (wanted, 0755);
  assert_refused_and_untouched (wanted, 0701);
  assert_refused_and_untouched (wanted, 0720);
  g_assert_cmpint (g_rmdir (wanted), ==, 0);
}

static void
test_S2_a_parent_open_to_others (void)
{
  const char *parent = g_getenv ("XDG_RUNTIME_DIR");

  assert_refused_and_untouched (parent, 01777);
  assert_refused_and_untouched (parent, 0755);
}

static void
test_S2_another_users (void)
{
  g_autofree char *wanted = get_wanted_path ();

  if (!is_root ())
    return;
  g_assert_cmpint (g_mkdir (wanted, 0700), ==, 0);
  g_assert_cmpint (chown (wanted, FOREIGN_UID, FOREIGN_UID), ==, 0);
  assert_refused (wanted, "belongs to another user (owner 54321, mode 0700)");
  g_assert_cmpint (g_rmdir (wanted), ==, 0);
}

static void
test_S2_another_users_parent (void)
{
  const char *parent = g_getenv ("XDG_RUNTIME_DIR");

  if (!is_root ())
    return;
  g_assert_cmpint (chown (parent, FOREIGN_UID, FOREIGN_UID), ==, 0);
  assert_refused (parent, "belongs to another user");
}

/* A directory that we may not even open. */
static void
test_S2_another_user_sees_whose_it_is (void)
{
  const char *parent = g_getenv ("XDG_RUNTIME_DIR");

  if (!is_root ())
    return;
  g_assert_cmpint (seteuid (FOREIGN_UID), ==, 0);
  assert_refused (parent, "belongs to another user (owner 0, mode 0700)");
  g_assert_cmpint (seteuid (0), ==, 0);
}

/* --- without XDG_RUNTIME_DIR -------------------------------------------------------------------- */

/* Of nobody else, nor of another test that runs at the same time. */
static uid_t
get_lone_uid (void)
{
  return 100000 + (uid_t) getpid ();
}

static void
assert_falls_back (const char *variable)
{
  g_autofree char *wanted = g_strdup_printf ("/tmp/tractor-%u", get_lone_uid ());
  g_autofree char *before = g_strdup (g_getenv ("XDG_RUNTIME_DIR"));
  g_autofree char *said = NULL;
  g_auto (RuntimeDir) dir = { 0 };
  g_autoptr (GError) error = NULL;

  if (variable != NULL)
    g_setenv ("XDG_RUNTIME_DIR", variable, TRUE);
  else
    g_unsetenv ("XDG_RUNTIME_DIR");
  g_assert_cmpint (seteuid (get_lone_uid ()), ==, 0);
  said = tractor_dup_socket_directory ();
  g_assert_false (g_file_test (said, G_FILE_TEST_EXISTS));
  tractor__runtime_dir_open (&dir, &error);
  g_assert_cmpint (seteuid (0), ==, 0);
  g_assert_no_error (error);
  g_assert_cmpstr (dir.path, ==, said);
  g_assert_cmpstr (dir.path, ==, wanted);
  g_assert_cmpint (g_rmdir (dir.path), ==, 0);
  g_setenv ("XDG_RUNTIME_DIR", before, TRUE);
}

static void
test_without_it_in_tmp (void)
{
  if (!is_root ())
    return;
  assert_falls_back (NULL);
  assert_falls_back ("");
  assert_falls_back ("run/user/0"); /* relative ones are to be ignored */
}

static void
test_S2_a_link_in_tmp (void)
{
  g_autofree char *path = g_strdup_printf ("/tmp/tractor-%u", get_lone_uid ());
  g_autofree char *before = g_strdup (g_getenv ("XDG_RUNTIME_DIR"));

  if (!is_root ())
    return;
  g_unsetenv ("XDG_RUNTIME_DIR");
  g_assert_cmpint (symlink (before, path), ==, 0);
  g_assert_cmpint (seteuid (get_lone_uid ()), ==, 0);
  assert_refused (path, "is a symbolic link (owner 0");
  g_assert_cmpint (seteuid (0), ==, 0);
  g_assert_cmpint (g_unlink (path), ==, 0);
  g_setenv ("XDG_RUNTIME_DIR", before, TRUE);
}

/* --- names of sockets --------------------------------------------------------------------------- */

static void
test_S3_names_follow_from_uuids_and_fit (void)
{
  g_auto (RuntimeDir) dir = { 0 };
  g_autoptr (GHashTable) seen = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);

  g_assert_true (tractor__runtime_dir_open (&dir, NULL));
  for (int i = 0; i < 1000; i++) {
    g_autofree char *uuid = g_uuid_string_random ();
    char *path = tractor__runtime_dir_make_socket_path (&dir, uuid);
    g_autofree char *again = tractor__runtime_dir_make_socket_path (&dir, uuid);
    g_autofree char *text = g_strconcat ("unix:", path, NULL);
    g_autofree char *name = g_path_get_basename (path);
    g_auto (Address) address = { 0 };

    g_assert_cmpstr (path, ==, again);
    g_assert_true (g_str_has_prefix (path, dir.path));
    g_assert_cmpuint (strspn (name, "0123456789abcdef"), ==, 16);
    g_assert_cmpstr (name + 16, ==, ".sock");
    g_assert_true (tractor__address_parse (text, &address, NULL));
    g_assert_true (g_hash_table_add (seen, path));
  }
  g_assert_cmpint (g_rmdir (dir.path), ==, 0);
}

/* Returns: the socket, bound to a name in the directory. */
static int
bind_in (const RuntimeDir *dir, const char *name)
{
  struct sockaddr_un address = { .sun_family = AF_UNIX };
  int fd = socket (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

  g_snprintf (address.sun_path, sizeof address.sun_path, "%s/%s", dir->path, name);
  g_assert_cmpint (bind (fd, (struct sockaddr *) &address, sizeof address), ==, 0);
  return fd;
}

static void
assert_there (const RuntimeDir *dir, const char *name, gboolean is_there)
{
  g_assert_cmpint (faccessat (dir->fd, name, F_OK, 0), ==, is_there ? 0 : -1);
}

static void
test_the_sweep_takes_dead_sockets_of_ours (void)
{
  static const char *const dead = "0123456789abcdef.sock";
  static const char *const starting = "1123456789abcdef.sock";
  static const char *const listening = "2123456789abcdef.sock";
  static const char *const file = "3123456789abcdef.sock";
  static const char *const others[] = { "registry@1616.sock", "0123456789abcde.sock",
                                        "0123456789abcdef.sock.bak" };
  g_auto (RuntimeDir) dir = { 0 };
  int fds[2];
  int fd;

  g_assert_true (tractor__runtime_dir_open (&dir, NULL));
  close (bind_in (&dir, dead));
  fds[0] = bind_in (&dir, starting);
  fds[1] = bind_in (&dir, listening);
  g_assert_cmpint (listen (fds[1], 1), ==, 0);
  close (openat (dir.fd, file, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
  for (guint i = 0; i < G_N_ELEMENTS (others); i++)
    close (bind_in (&dir, others[i]));

  tractor__runtime_dir_sweep ();

  assert_there (&dir, dead, FALSE);
  assert_there (&dir, starting, TRUE);
  assert_there (&dir, listening, TRUE);
  assert_there (&dir, file, TRUE);
  for (guint i = 0; i < G_N_ELEMENTS (others); i++)
    assert_there (&dir, others[i], TRUE);
  /* And the one that listens has not noticed. */
  g_assert_cmpint (fcntl (fds[1], F_SETFL, O_NONBLOCK), ==, 0);
  fd = accept4 (fds[1], NULL, NULL, SOCK_CLOEXEC);
  g_assert_cmpint (fd, ==, -1);
  g_assert_cmpint (errno, ==, EAGAIN);

  close (fds[0]);
  close (fds[1]);
  tractor__runtime_dir_sweep (); /* now they are dead, too */
  assert_there (&dir, starting, FALSE);
  assert_there (&dir, listening, FALSE);
  unlinkat (dir.fd, file, 0);
  for (guint i = 0; i < G_N_ELEMENTS (others); i++)
    unlinkat (dir.fd, others[i], 0);
  g_assert_cmpint (g_rmdir (dir.path), ==, 0);
}

/* One is not yet to be seen between its name and itself: it holds a shared lock then. */
static void
test_nothing_is_swept_beside_one_that_starts (void)
{
  static const char *const dead = "0123456789abcdef.sock";
  g_auto (RuntimeDir) dir = { 0 };
  int lock_fd;

  g_assert_true (tractor__runtime_dir_open (&dir, NULL));
  close (bind_in (&dir, dead));
  lock_fd = open (dir.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  g_assert_cmpint (flock (lock_fd, LOCK_SH), ==, 0);
  tractor__runtime_dir_sweep ();
  assert_there (&dir, dead, TRUE);
  close (lock_fd);
  tractor__runtime_dir_sweep ();
  assert_there (&dir, dead, FALSE);
  g_assert_cmpint (g_rmdir (dir.path), ==, 0);
}

int
main (int argc, char **argv)
{
  harness_init (&argc, &argv);
  harness_add ("/src/runtime-dir/it-is-made-for-us-alone", test_it_is_made_for_us_alone);
  harness_add ("/src/runtime-dir/it-may-be-there-already", test_it_may_be_there_already);
  harness_add ("/src/runtime-dir/a-missing-parent-is-made-too", test_a_missing_parent_is_made_too);
  harness_add ("/src/runtime-dir/R-05-what-cannot-be-made-is-named",
               test_R05_what_cannot_be_made_is_named);
  harness_add ("/src/runtime-dir/its-descriptor-keeps-off-stdio",
               test_its_descriptor_keeps_off_stdio);
  harness_add ("/src/runtime-dir/S2-a-link-in-its-place", test_S2_a_link_in_its_place);
  harness_add ("/src/runtime-dir/S2-a-link-in-its-parents-place",
               test_S2_a_link_in_its_parents_place);
  harness_add ("/src/runtime-dir/S2-a-file-in-its-place", test_S2_a_file_in_its_place);
  harness_add ("/src/runtime-dir/row-98-S2-open-to-others", test_S2_open_to_others);
  harness_add ("/src/runtime-dir/S2-a-parent-open-to-others", test_S2_a_parent_open_to_others);
  harness_add ("/src/runtime-dir/S2-another-users", test_S2_another_users);
  harness_add ("/src/runtime-dir/S2-another-users-parent", test_S2_another_users_parent);
  harness_add ("/src/runtime-dir/S2-another-user-sees-whose-it-is",
               test_S2_another_user_sees_whose_it_is);
  harness_add ("/src/runtime-dir/without-it-in-tmp", test_without_it_in_tmp);
  harness_add ("/src/runtime-dir/S2-a-link-in-tmp", test_S2_a_link_in_tmp);
  harness_add ("/src/runtime-dir/row-98-S3-names-follow-from-uuids-and-fit",
               test_S3_names_follow_from_uuids_and_fit);
  harness_add ("/src/runtime-dir/the-sweep-takes-dead-sockets-of-ours",
               test_the_sweep_takes_dead_sockets_of_ours);
  harness_add ("/src/runtime-dir/nothing-is-swept-beside-one-that-starts",
               test_nothing_is_swept_beside_one_that_starts);
  return harness_run ();
}
