/* test-error.c - what an error carries besides its words. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <string.h>

#include "harness.h"
#include "tractor-error.h"

static GError *
new_group (GError *first, GError *second)
{
  GPtrArray *failures = g_ptr_array_new ();

  g_ptr_array_add (failures, first);
  if (second != NULL)
    g_ptr_array_add (failures, second);
  return tractor_error_new_group (failures);
}

static GError *
new_noent (void)
{
  return g_error_new_literal (G_FILE_ERROR, G_FILE_ERROR_NOENT, "not there");
}

static GError *
new_remote (void)
{
  const char *relays[] = { "leaf@1", "middle@2", NULL };

  return tractor_error_new_remote (TRACTOR_ERROR_REMOTE,
                                   &(TractorRemoteError){
                                       .domain = "g-file-error-quark",
                                       .code = G_FILE_ERROR_NOSPC,
                                       .type_name = "OSError",
                                       .origin = "leaf@1",
                                       .relays = relays,
                                       .backtrace = "in f()\nin g()",
                                   },
                                   "boss@3", "actor 'leaf': full");
}

static void
test_matches_through_boxes (void)
{
  g_autoptr (GError) error = new_group (new_noent (), new_group (new_remote (), NULL));

  g_assert_error (error, TRACTOR_ERROR, TRACTOR_ERROR_GROUP);
  g_assert_true (tractor_error_matches (error, G_FILE_ERROR, G_FILE_ERROR_NOENT));
  g_assert_true (tractor_error_matches (error, G_FILE_ERROR, G_FILE_ERROR_NOSPC));
  g_assert_true (tractor_error_matches (error, TRACTOR_ERROR, TRACTOR_ERROR_REMOTE));
  g_assert_false (tractor_error_matches (error, G_FILE_ERROR, G_FILE_ERROR_PERM));
  g_assert_false (tractor_error_matches (NULL, G_FILE_ERROR, G_FILE_ERROR_PERM));
}

static void
test_message_counts_what_failed (void)
{
  g_autoptr (GError) one = new_group (new_group (new_noent (), NULL), NULL);
  g_autoptr (GError) many =
      new_group (new_group (new_noent (), new_remote ()), new_group (new_noent (), NULL));
  g_autoptr (GError) noent = new_noent ();
  g_autofree char *of_one = g_strdup_printf ("1 failure: %s", noent->message);
  g_autofree char *of_many = g_strdup_printf ("3 failures, the first: %s", noent->message);

  g_assert_cmpstr (one->message, ==, of_one);
  g_assert_cmpstr (many->message, ==, of_many);
}

static void
test_copies_share_what_is_known (void)
{
  g_autoptr (GError) error = new_remote ();
  g_autoptr (GError) copy = g_error_copy (error);
  const TractorRemoteError *remote = tractor_error_get_remote (copy);

  g_clear_error (&error);
  g_assert_cmpstr (remote->origin, ==, "leaf@1");
  g_assert_cmpstr (remote->relays[1], ==, "middle@2");
  g_assert_cmpstr (tractor_error_get_canceller (copy), ==, "boss@3");
}

static void
test_others_have_nothing (void)
{
  g_autoptr (GError) error = new_noent ();

  g_assert_null (tractor_error_get_children (error));
  g_assert_null (tractor_error_get_remote (error));
  g_assert_null (tractor_error_get_canceller (error));
}

static void
test_description (void)
{
  g_autoptr (GError) error = new_group (new_noent (), new_remote ());
  g_autoptr (GError) single = new_group (new_noent (), NULL);
  g_autofree char *text = tractor_error_describe (error);
  g_autofree char *single_text = tractor_error_describe (single);

  g_assert_cmpstr (text, ==,
                   "2 failures:\n"
                   "- not there\n"
                   "- actor 'leaf': full\n"
                   "    failed first in leaf@1, as OSError\n"
                   "    came by way of leaf@1 -> middle@2\n"
                   "    cancelled by boss@3\n"
                   "      in f()\n"
                   "      in g()");
  g_assert_cmpstr (single_text, ==, "not there");
}

/* In a task, whose stack is small; and nurseries can be in one another as often as one likes. */
static gboolean
test_groups_in_groups (G_GNUC_UNUSED gpointer data, G_GNUC_UNUSED GError **error)
{
  const guint n = 20000;
  GError *failure =
      g_error_new_literal (G_FILE_ERROR, G_FILE_ERROR_FAULT, "the first of all failures");
  g_autofree char *text = NULL;

  for (guint i = 0; i < n; i++) {
    GPtrArray *failures = g_ptr_array_new ();

    g_ptr_array_add (failures, failure);
    if (i % 1000 == 0)
      g_ptr_array_add (failures, g_error_new (G_FILE_ERROR, G_FILE_ERROR_EXIST, "one more"));
    failure = tractor_error_new_group (failures);
  }
  text = tractor_error_describe (failure);
  g_assert_nonnull (strstr (text, "the first of all failures"));
  g_assert_nonnull (strstr (text, "one more"));
  g_assert_cmpuint (strlen (failure->message), <, 4096);
  g_assert_true (tractor_error_matches (failure, G_FILE_ERROR, G_FILE_ERROR_FAULT));
  g_assert_true (tractor_error_matches (failure, G_FILE_ERROR, G_FILE_ERROR_EXIST));
  g_assert_false (tractor_error_matches (failure, G_FILE_ERROR, G_FILE_ERROR_PERM));
  g_error_free (failure);
  return TRUE;
}

/* Where it failed is in no message, but in the description, also of a copy and of a member. */
static void
test_backtrace (void)
{
  g_autoptr (GError) plain = tractor_error_new_traced (TRACTOR_ERROR_BROKEN, NULL, "broken");
  g_autoptr (GError) traced =
      tractor_error_new_traced (TRACTOR_ERROR_BROKEN, "here\nthere", "broken");
  GPtrArray *members = g_ptr_array_new ();
  g_autoptr (GError) group = NULL;
  g_autofree char *text = NULL;
  g_autofree char *text_of_group = NULL;

  g_assert_null (tractor_error_get_backtrace (plain));
  g_assert_cmpstr (tractor_error_get_backtrace (traced), ==, "here\nthere");
  g_assert_cmpstr (traced->message, ==, "broken");
  g_assert_null (tractor_error_get_remote (traced));
  text = tractor_error_describe (traced);
  g_assert_cmpstr (text, ==, "broken\n    here\n    there");
  g_ptr_array_add (members, g_error_copy (traced));
  g_ptr_array_add (members, g_error_copy (plain));
  group = tractor_error_new_group (members);
  text_of_group = tractor_error_describe (group);
  g_assert_cmpstr (text_of_group, ==, "2 failures:\n- broken\n      here\n      there\n- broken");
}

/* What is not known of it is nothing, and not a NULL for everybody to look out for. */
static void
test_bare_remote (void)
{
  g_autoptr (GError) error = tractor_error_new_remote (
      TRACTOR_ERROR_REMOTE, &(TractorRemoteError){ 0 }, NULL, "something failed");
  const TractorRemoteError *remote = tractor_error_get_remote (error);
  g_autofree char *description = tractor_error_describe (error);

  g_assert_cmpstr (remote->type_name, ==, "");
  g_assert_cmpstr (remote->origin, ==, "");
  g_assert_null (remote->relays[0]);
  g_assert_nonnull (strstr (description, "something failed"));
}

int
main (int argc, char **argv)
{
  harness_init (&argc, &argv);
  harness_add ("/guest/error/bare-remote", test_bare_remote);
  harness_add ("/guest/error/A25-matches-through-boxes", test_matches_through_boxes);
  harness_add ("/guest/error/message-counts-what-failed", test_message_counts_what_failed);
  harness_add ("/guest/error/copies-share-what-is-known", test_copies_share_what_is_known);
  harness_add ("/guest/error/others-have-nothing", test_others_have_nothing);
  harness_add ("/guest/error/description", test_description);
  harness_add_task ("/guest/error/groups-in-groups", test_groups_in_groups);
  harness_add ("/guest/error/backtrace", test_backtrace);
  return harness_run ();
}
