// test-cxx.cc - C++ programs: the public headers, and exceptions in tasks.
// SPDX-License-Identifier: LGPL-2.1-or-later

#include <exception>
#include <stdexcept>
#include <string>

extern "C" {
#include "harness.h"
}
#include "tractor-actor-trace.h"
#include "tractor-actor.h"
#include "tractor-broadcast.h"
#include "tractor-builtin.h"
#include "tractor-cache.h"
#include "tractor-channel.h"
#include "tractor-cluster.h"
#include "tractor-context.h"
#include "tractor-crash.h"
#include "tractor-debug-layout.h"
#include "tractor-debug.h"
#include "tractor-debugger.h"
#include "tractor-discovery.h"
#include "tractor-error.h"
#include "tractor-foreign.h"
#include "tractor-glib-objects.h"
#include "tractor-glib-tree.h"
#include "tractor-glib-waits.h"
#include "tractor-glib.h"
#include "tractor-host-link.h"
#include "tractor-host.h"
#include "tractor-log.h"
#include "tractor-process.h"
#include "tractor-shm.h"
#include "tractor-signal.h"
#include "tractor-stream.h"
#include "tractor-sync.h"
#include "tractor-task.h"
#include "tractor-thread.h"
#include "tractor-topics.h"
#include "tractor-trace.h"
#include "tractor-tree.h"
#include "tractor-uv-await.h"
#include "tractor-uv.h"
#include "tractor-value.h"
#include "tractor-virtual.h"
#include "tractor.h"

static const gint64 MSEC = 1000;

// Each has its own exception, waits where it handles it, and throws it on.
struct Thrower {
  std::string name;
  gint64 patience;
  std::string caught;
};

static void
throw_on (Thrower *self)
{
  try {
    throw std::runtime_error (self->name);
  } catch (...) {
    g_assert_true (tractor_sleep_until (tractor_now () + self->patience, nullptr));
    throw;
  }
}

static gboolean
run_thrower (gpointer data, GError **)
{
  auto *self = static_cast<Thrower *> (data);

  try {
    throw_on (self);
  } catch (const std::exception &exception) {
    self->caught = exception.what ();
  }
  return TRUE;
}

static gboolean
test_rethrown (gpointer, GError **error)
{
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  Thrower throwers[] = { { "A", 10 * MSEC, "" }, { "B", 20 * MSEC, "" }, { "C", 5 * MSEC, "" } };

  for (Thrower &thrower : throwers)
    g_assert_true (tractor_nursery_spawn (nursery, thrower.name.c_str (), run_thrower, &thrower,
                                          nullptr, error));
  g_assert_true (tractor_nursery_join (nursery, error));
  for (Thrower &thrower : throwers)
    g_assert_cmpstr (thrower.caught.c_str (), ==, thrower.name.c_str ());
  return TRUE;
}

static gboolean
assert_none (gpointer, GError **error)
{
  g_assert_true (std::current_exception () == nullptr);
  g_assert_cmpint (std::uncaught_exceptions (), ==, 0);
  return tractor_checkpoint (error);
}

// Waits in a destructor while an exception is on its way.
struct Waiter {
  ~Waiter ()
  {
    tractor_checkpoint (nullptr);
    g_assert_cmpint (std::uncaught_exceptions (), ==, 1);
  }
};

// A task that begins, or goes on, meanwhile sees none; and the one that handles it still does.
static gboolean
test_of_one_task (gpointer, GError **error)
{
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();

  try {
    Waiter waiter;

    g_assert_true (tractor_nursery_spawn (nursery, "other", assert_none, nullptr, nullptr, error));
    throw std::runtime_error ("ours");
  } catch (const std::exception &exception) {
    g_assert_true (tractor_nursery_spawn (nursery, "other", assert_none, nullptr, nullptr, error));
    g_assert_true (tractor_nursery_join (nursery, error));
    g_assert_true (std::current_exception () != nullptr);
    g_assert_cmpstr (exception.what (), ==, "ours");
  }
  g_assert_true (std::current_exception () == nullptr);
  return TRUE;
}

static void
assert_none_in_host (gpointer ret_called)
{
  g_assert_true (std::current_exception () == nullptr);
  *static_cast<gboolean *> (ret_called) = TRUE;
}

// Nor do callbacks of the host.
static gboolean
test_not_the_hosts (gpointer, GError **error)
{
  gboolean is_called = FALSE;

  try {
    throw std::runtime_error ("ours");
  } catch (const std::exception &) {
    g_assert_true (tractor_run_in_host (assert_none_in_host, &is_called, error));
    g_assert_true (std::current_exception () != nullptr);
  }
  g_assert_true (is_called);
  return TRUE;
}

static void
count (const TractorInstrumentEvent *event, gpointer ret_seen)
{
  *static_cast<TractorInstrumentPoint *> (ret_seen) |= event->point;
}

// Without a cast, as in C.
static gboolean
test_flags (gpointer, GError **error)
{
  const TractorInstrumentPoint wanted =
      TRACTOR_INSTRUMENT_TASK_SPAWNED | TRACTOR_INSTRUMENT_TASK_EXITED;
  TractorInstrumentPoint seen = static_cast<TractorInstrumentPoint> (0);
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();

  tractor_guest_add_instrument (tractor_guest_get_current (),
                                TRACTOR_INSTRUMENT_TASK_SPAWNED | TRACTOR_INSTRUMENT_TASK_EXITED,
                                count, &seen);
  g_assert_true (tractor_nursery_spawn (nursery, "other", assert_none, nullptr, nullptr, error));
  g_assert_true (tractor_nursery_join (nursery, error));
  g_assert_true (
      tractor_guest_remove_instrument (tractor_guest_get_current (), count, &seen, error));
  g_assert_cmpuint (seen, ==, wanted);
  g_assert_cmpuint (seen & TRACTOR_INSTRUMENT_TASK_EXITED, ==, TRACTOR_INSTRUMENT_TASK_EXITED);
  g_assert_cmpuint (TRACTOR_HOST_LINK_DEFAULT | TRACTOR_HOST_LINK_REPORT_END, ==,
                    TRACTOR_HOST_LINK_REPORT_END);
  g_assert_cmpuint (TRACTOR_THREAD_WAIT | TRACTOR_THREAD_ABANDON, ==, TRACTOR_THREAD_ABANDON);
  return TRUE;
}

int
main (int argc, char **argv)
{
  harness_init (&argc, &argv);
  harness_add_task ("/guest/cxx/rethrown-after-a-wait", test_rethrown);
  harness_add_task ("/guest/cxx/exceptions-are-a-tasks", test_of_one_task);
  harness_add_task ("/guest/cxx/exceptions-are-not-the-hosts", test_not_the_hosts);
  harness_add_task ("/guest/cxx/flags-are-put-together", test_flags);
  return harness_run ();
}
