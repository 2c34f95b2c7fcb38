/* test-identity.c - who bears which name and uuid, and what is known of a process. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "identity.h"

#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness.h"
#include "tractor-error.h"

typedef struct {
  GHashTable *origins;
  GHashTable *identities;
  Origin *one; /* two processes, and what comes over TCP */
  Origin *other;
  Origin *tcp;
} World;

static World
open_world (void)
{
  World world = { tractor__origins_new (), tractor__identities_new (), NULL, NULL, NULL };

  world.one = tractor__origin_of_process (world.origins, 1000, -1);
  world.other = tractor__origin_of_process (world.origins, 1001, -1);
  world.tcp = tractor__origin_of_process (world.origins, 0, -1);
  g_assert_true (origin_is_process (world.one));
  g_assert_false (origin_is_process (world.tcp));
  return world;
}

static void
close_world (World *world)
{
  tractor__origin_unref (world->one);
  tractor__origin_unref (world->other);
  tractor__origin_unref (world->tcp);
  g_assert_cmpuint (g_hash_table_size (world->origins), ==, 0);
  g_assert_cmpuint (g_hash_table_size (world->identities), ==, 0);
  g_hash_table_unref (world->origins);
  g_hash_table_unref (world->identities);
}

static Identity *
claim (const World *world, const char *name, Origin *origin, const char *key)
{
  const ActorId id = { (char *) name, (char *) "u" };
  g_autoptr (GError) error = NULL;
  Identity *identity = tractor__identity_claim (world->identities, &id, origin, key, &error);

  if (identity == NULL)
    g_assert_error (error, TRACTOR_ERROR, TRACTOR_ERROR_AUTH);
  return identity;
}

/* Whether that may be claimed while it is held. */
static gboolean
may (const World *world, const char *name, Origin *origin, const char *key)
{
  g_autoptr (Identity) identity = claim (world, name, origin, key);

  return identity != NULL;
}

static void
test_held_by_a_process (void)
{
  World world = open_world ();
  Identity *held = claim (&world, "a", world.one, "key");

  g_assert_true (may (&world, "a", world.one, NULL));
  g_assert_false (may (&world, "b", world.one, NULL));
  g_assert_false (may (&world, "a", world.other, "key")); /* the kernel knows better */
  g_assert_true (may (&world, "a", world.tcp, "key"));
  g_assert_false (may (&world, "a", world.tcp, "kez"));
  g_assert_false (may (&world, "a", world.tcp, "ke"));
  g_assert_false (may (&world, "a", world.tcp, NULL));
  tractor__identity_unref (held);
  g_assert_true (may (&world, "b", world.other, NULL)); /* it is free again */
  close_world (&world);
}

static void
test_held_without_a_key (void)
{
  World world = open_world ();
  Identity *held = claim (&world, "a", world.one, NULL);

  g_assert_true (identity_is_proven (held));
  g_assert_false (may (&world, "a", world.tcp, "key"));
  g_assert_false (may (&world, "a", world.tcp, NULL));
  tractor__identity_unref (held);
  held = claim (&world, "a", world.tcp, NULL);
  g_assert_false (identity_is_proven (held));
  g_assert_true (may (&world, "a", world.tcp, NULL));
  g_assert_false (may (&world, "a", world.one, NULL));
  tractor__identity_unref (held);
  close_world (&world);
}

/* First over TCP, then from a process: from then on it is that process's. */
static void
test_known_better_later (void)
{
  World world = open_world ();
  Identity *held = claim (&world, "a", world.tcp, "key");

  g_assert_true (identity_is_proven (held));
  g_assert_true (may (&world, "a", world.one, "key"));
  g_assert_false (may (&world, "a", world.other, "key"));
  g_assert_true (may (&world, "a", world.one, NULL));
  g_assert_true (may (&world, "a", world.tcp, "key"));
  tractor__identity_unref (held);
  close_world (&world);
}

static void
test_keys_differ (void)
{
  g_autofree char *one = tractor__identity_make_key ();
  g_autofree char *other = tractor__identity_make_key ();

  g_assert_cmpuint (strlen (one), ==, 32);
  g_assert_cmpstr (one, !=, other);
}

/* A process is known by each of its sockets, and it is seen that it has ended. */
static void
test_origins (void)
{
  g_autoptr (GHashTable) origins = tractor__origins_new ();
  g_autoptr (Origin) self = tractor__origin_of_self (origins);
  g_autoptr (Origin) by_socket = NULL;
  g_autoptr (Origin) child = NULL;
  int ends[2];
  pid_t pid;

  g_assert_cmpint (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), ==, 0);
  by_socket = tractor__origin_of_socket (origins, ends[0]);
  g_assert_true (by_socket == self);
  g_assert_false (tractor__origin_is_dead (self));
  pid = fork ();
  if (pid == 0) {
    pause ();
    _exit (0);
  }
  child = tractor__origin_of_process (origins, pid, -1);
  g_assert_true (child != self);
  g_assert_false (tractor__origin_is_dead (child));
  kill (pid, SIGKILL);
  g_assert_cmpint (waitid (P_PID, (id_t) pid, &(siginfo_t){ 0 }, WEXITED | WNOWAIT), ==, 0);
  g_assert_true (tractor__origin_is_dead (child)); /* a zombie too */
  g_assert_cmpint (waitpid (pid, NULL, 0), ==, pid);
  g_assert_true (tractor__origin_is_dead (child));
  close (ends[0]);
  close (ends[1]);
}

/* Whoever has got its number is another. */
static void
test_number_used_again (void)
{
  g_autoptr (GHashTable) origins = tractor__origins_new ();
  g_autoptr (Origin) self = tractor__origin_of_self (origins);
  guint64 serial = self->serial;

  if (serial == 0) {
    g_test_skip ("this kernel has no pidfds");
    return;
  }
  self->serial = serial + 1; /* as if it had been one before us */
  g_assert_true (tractor__origin_is_dead (self));
  {
    g_autoptr (Origin) now = tractor__origin_of_self (origins);

    g_assert_true (now != self);
  }
}

int
main (int argc, char **argv)
{
  harness_init (&argc, &argv);
  harness_add ("/identity/D-06-held-by-a-process", test_held_by_a_process);
  harness_add ("/identity/D-06-held-without-a-key", test_held_without_a_key);
  harness_add ("/identity/known-better-later", test_known_better_later);
  harness_add ("/identity/keys-differ", test_keys_differ);
  harness_add ("/identity/origins", test_origins);
  harness_add ("/identity/number-used-again", test_number_used_again);
  return harness_run ();
}
