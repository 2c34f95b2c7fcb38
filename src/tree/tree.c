/* tree.c - what a tree of actors looks like, now and whenever that changes.
 *
 * An actor knows its children, and counts what happens to them (runtime->tree_version). While its tree is
 * watched, each child is followed by a task of the runtime's services, which has a stream of the child's
 * own tree; so one question at the top becomes one for each actor. With the last watch these tasks are
 * cancelled, and not waited for: a child that is stuck holds nobody up.
 *
 * What goes over a stream is a report of the whole tree below, each time anew: a reader that is slow misses states,
 * but never has a wrong one. It is flat, with depths: nested, it would be too deep to be let in (bounds.h).
 *
 * A report says of each actor whether what is below it has been told (TractorTreeView). Who has been asked and does
 * not answer is awaited, and after a while silent, which is told too: so a tree is settled when nobody in it is
 * awaited, and it always comes to that, whoever is stuck.
 *
 * "self:tree_report" is ours; upstream knows no such function, so Python children are not asked. In its last part is
 * what later versions say besides, and who does not know a key of it passes it over. Before there were views there
 * was "self:tree", which tells the actors alone: it is served to whoever asks for it, and asked of who has nothing
 * else. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "tree.h"

#include <unistd.h>

#include "bounds.h"
#include "child-portal.h"
#include "escape.h"
#include "exports.h"
#include "runtime.h"
#include "tractor-stream.h"
#include "tractor-tree.h"

/* depth, name, uuid, pid, state, restarts */
#define ROW_TYPE  "(xssxxx)"
#define TREE_TYPE "a" ROW_TYPE
/* the actors; a TractorTreeView for each; what is not known yet */
#define REPORT_TYPE "(" TREE_TYPE "aya{sv})"

typedef struct {
  gint64 depth;
  const char *name;
  const char *uuid;
  gint64 pid;
  gint64 state;
  gint64 n_restarts;
  guint8 view;
} Row;

/* What to do with a report; FALSE ends the watch. */
typedef gboolean (*ReportSink) (GVariant *report, gpointer data, GError **error);

/* --- a report ------------------------------------------------------------------------------------ */

typedef struct {
  GVariantBuilder rows;
  GByteArray *views;
} ReportBuilder;

static void
begin_report (ReportBuilder *builder)
{
  g_variant_builder_init (&builder->rows, G_VARIANT_TYPE (TREE_TYPE));
  builder->views = g_byte_array_new ();
}

static void
add_row (ReportBuilder *builder, const Row *row)
{
  g_variant_builder_add (&builder->rows, ROW_TYPE, row->depth, row->name, row->uuid, row->pid,
                         row->state, row->n_restarts);
  g_byte_array_append (builder->views, &row->view, 1);
}

/* (transfer full) */
static GVariant *
end_report (ReportBuilder *builder)
{
  GVariant *parts[] = {
    g_variant_builder_end (&builder->rows),
    g_variant_new_fixed_array (G_VARIANT_TYPE_BYTE, builder->views->data, builder->views->len, 1),
    g_variant_new_array (G_VARIANT_TYPE ("{sv}"), NULL, 0),
  };

  g_byte_array_unref (builder->views);
  return g_variant_ref_sink (g_variant_new_tuple (parts, G_N_ELEMENTS (parts)));
}

/* Going through a report, as long as it lives. */
typedef struct {
  GVariant *rows;
  GVariant *views;
  gsize n_rows;
} Reading;

static void
begin_reading (Reading *reading, GVariant *report)
{
  reading->rows = g_variant_get_child_value (report, 0);
  reading->views = g_variant_get_child_value (report, 1);
  reading->n_rows = g_variant_n_children (reading->rows);
}

static Row
read_row (const Reading *reading, gsize i)
{
  Row row;
  gsize n_views;
  const guint8 *views = g_variant_get_fixed_array (reading->views, &n_views, 1);

  g_variant_get_child (reading->rows, i, "(x&s&sxxx)", &row.depth, &row.name, &row.uuid, &row.pid,
                       &row.state, &row.n_restarts);
  row.view = i < n_views ? views[i] : TRACTOR_TREE_VIEW_NONE;
  return row;
}

static void
end_reading (Reading *reading)
{
  g_variant_unref (reading->rows);
  g_variant_unref (reading->views);
}

/* --- what others say ----------------------------------------------------------------------------- */

/* (transfer full): @rows, (transfer full), of one who says nothing of views: it has told all that it tells. */
static GVariant *
make_report_of_rows (GVariant *rows)
{
  ReportBuilder builder = { .views = g_byte_array_new () };
  const guint8 view = TRACTOR_TREE_VIEW_WHOLE;
  GVariantIter iter;
  GVariant *row;

  g_variant_builder_init (&builder.rows, G_VARIANT_TYPE (TREE_TYPE));
  g_variant_iter_init (&iter, rows);
  while ((row = g_variant_iter_next_value (&iter)) != NULL) {
    g_variant_builder_add_value (&builder.rows, row);
    g_byte_array_append (builder.views, &view, 1);
    g_variant_unref (row);
  }
  g_variant_unref (rows);
  return end_report (&builder);
}

static gboolean
has_only_names (GVariant *report)
{
  Reading reading;
  gboolean ok = TRUE;

  begin_reading (&reading, report);
  for (gsize i = 0; ok && i < reading.n_rows; i++) {
    Row row = read_row (&reading, i);

    ok = tractor__is_name (row.name) && tractor__is_name (row.uuid);
  }
  end_reading (&reading);
  return ok;
}

/* (transfer full): @item, (transfer full) (nullable), as a report that can be shown; NULL if it is none. */
static GVariant *
take_report (GVariant *item)
{
  ReportBuilder builder;
  Reading reading;

  if (item != NULL && g_variant_is_of_type (item, G_VARIANT_TYPE (TREE_TYPE)))
    item = make_report_of_rows (item);
  if (item == NULL || !g_variant_is_of_type (item, G_VARIANT_TYPE (REPORT_TYPE))) {
    g_clear_pointer (&item, g_variant_unref);
    return NULL;
  }
  if (has_only_names (item))
    return item;
  begin_report (&builder);
  begin_reading (&reading, item);
  for (gsize i = 0; i < reading.n_rows; i++) {
    Row row = read_row (&reading, i);
    g_autofree char *shown_name = tractor__escape_name (row.name);
    g_autofree char *shown_uuid = tractor__escape_name (row.uuid);

    row.name = shown_name;
    row.uuid = shown_uuid;
    add_row (&builder, &row);
  }
  end_reading (&reading);
  g_variant_unref (item);
  return end_report (&builder);
}

/* (transfer full): of the reports of the actor of @portal. */
static TractorStream *
open_reports (TractorPortal *portal, GError **error)
{
  GError *problem = NULL;
  TractorStream *stream =
      tractor_portal_open_stream (portal, "self:tree_report", NULL, NULL, &problem);

  if (stream != NULL)
    return stream;
  if (!tractor_error_matches (problem, TRACTOR_ERROR, TRACTOR_ERROR_NOT_EXPOSED)) {
    g_propagate_error (error, problem);
    return NULL;
  }
  g_error_free (problem);
  return tractor_portal_open_stream (portal, "self:tree", NULL, NULL, error);
}

/* --- what is below a child ----------------------------------------------------------------------- */

/* @item: (transfer full) (nullable): only what was agreed on is believed. */
static void
set_below (Child *child, GVariant *item)
{
  g_clear_pointer (&child->below, g_variant_unref);
  child->below = take_report (item);
  child->is_known = TRUE;
  tractor__runtime_tree_changed (child->runtime);
}

/* How it ends is told by others: the child is gone. */
static gboolean
follow (gpointer data, G_GNUC_UNUSED GError **error)
{
  Child *child = data;
  g_autoptr (GError) failure = NULL;
  g_autoptr (TractorCancelScope) scope = tractor_cancel_scope_open (TRACTOR_NO_DEADLINE);
  g_autoptr (TractorPortal) portal = tractor__child_portal_new (child);
  g_autoptr (TractorStream) stream = NULL;
  GVariant *item;

  if (child->runtime->n_watches == 0 || child->following != NULL)
    return TRUE; /* it had been cancelled before it ran */
  child->following = scope;
  stream = open_reports (portal, &failure);
  while (stream != NULL && tractor_stream_receive (stream, &item, &failure))
    set_below (child, item);
  g_clear_pointer (&stream, tractor_stream_close);
  child->following = NULL;
  set_below (child, NULL);
  return TRUE;
}

/* Once in each life of a child. */
static void
follow_children (TractorRuntime *runtime)
{
  for (guint i = 0; i < runtime->children->len; i++) {
    Child *child = runtime->children->pdata[i];

    if (!child->has_booted || child->is_down || child->is_followed || child->following != NULL ||
        child->plan->options.is_python || runtime->services == NULL)
      continue;
    child->is_known = FALSE; /* of an earlier watch */
    child->asked_at = tractor_now ();
    child->is_followed =
        tractor_nursery_spawn (runtime->services, "tree", follow, tractor__child_ref (child),
                               (GDestroyNotify) tractor__child_unref, NULL);
  }
}

static void
stop_following (TractorRuntime *runtime)
{
  for (guint i = 0; i < runtime->children->len; i++) {
    Child *child = runtime->children->pdata[i];

    child->is_followed = FALSE;
    g_clear_pointer (&child->below, g_variant_unref);
    if (child->following != NULL)
      tractor_cancel_scope_cancel (child->following, "nobody watches the tree");
  }
}

/* When it has been asked for so long that it is silent. */
static gint64
get_silent_at (const Child *child)
{
  return child->asked_at + PATIENCE_TREE_USEC;
}

static TractorTreeView
get_view (const Child *child)
{
  if (child->plan->options.is_python)
    return TRACTOR_TREE_VIEW_PYTHON;
  if (!child->is_followed) /* it will be, when an earlier watch is through with it */
    return child->following != NULL ? TRACTOR_TREE_VIEW_AWAITED : TRACTOR_TREE_VIEW_NONE;
  if (child->is_known)
    return child->below != NULL ? TRACTOR_TREE_VIEW_WHOLE : TRACTOR_TREE_VIEW_NONE;
  return tractor_now () < get_silent_at (child) ? TRACTOR_TREE_VIEW_AWAITED
                                                : TRACTOR_TREE_VIEW_SILENT;
}

/* --- the whole ----------------------------------------------------------------------------------- */

static TractorActorState
get_state (const Child *child)
{
  if (child->cancel_requested)
    return TRACTOR_ACTOR_ENDING;
  if (child->is_down || (child->n_restarts > 0 && !child->has_booted))
    return TRACTOR_ACTOR_RESTARTING;
  return child->has_booted ? TRACTOR_ACTOR_RUNNING : TRACTOR_ACTOR_BOOTING;
}

/* What is below the actor that @report begins with, which is known better from here. */
static void
add_below (ReportBuilder *builder, GVariant *report)
{
  Reading reading;

  begin_reading (&reading, report);
  for (gsize i = 0; i < reading.n_rows && builder->views->len < LIMIT_TREE_ENTRIES; i++) {
    Row row = read_row (&reading, i);

    if (row.depth > 0 && row.depth < LIMIT_TREE_DEPTH) {
      row.depth++;
      add_row (builder, &row);
    }
  }
  end_reading (&reading);
}

/* (transfer full) */
static GVariant *
build_report (TractorRuntime *runtime)
{
  ReportBuilder builder;

  begin_report (&builder);
  add_row (&builder,
           &(Row){ .name = runtime->id.name,
                   .uuid = runtime->id.uuid,
                   .pid = getpid (),
                   .state = runtime->is_ending ? TRACTOR_ACTOR_ENDING : TRACTOR_ACTOR_RUNNING,
                   .view = TRACTOR_TREE_VIEW_WHOLE });
  for (guint i = 0; i < runtime->children->len && builder.views->len < LIMIT_TREE_ENTRIES; i++) {
    Child *child = runtime->children->pdata[i];

    add_row (&builder, &(Row){ .depth = 1,
                               .name = child->id.name,
                               .uuid = child->id.uuid,
                               .pid = child->process.pid,
                               .state = get_state (child),
                               .n_restarts = child->n_restarts,
                               .view = (guint8) get_view (child) });
    if (child->below != NULL)
      add_below (&builder, child->below);
  }
  return end_report (&builder);
}

/* When the next of those that are awaited will be silent. */
static gint64
get_next_silence (const TractorRuntime *runtime)
{
  gint64 next = TRACTOR_NO_DEADLINE;

  for (guint i = 0; i < runtime->children->len; i++) {
    const Child *child = runtime->children->pdata[i];

    if (child->is_followed && get_view (child) == TRACTOR_TREE_VIEW_AWAITED)
      next = MIN (next, get_silent_at (child));
  }
  return next;
}

/* Returns: FALSE with CANCELLED. */
static gboolean
wait_for_change (TractorRuntime *runtime, guint64 version, GError **error)
{
  g_autoptr (TractorCancelScope) scope = NULL;

  if (!tractor_sleep_until (tractor_now () + TREE_INTERVAL_USEC, error))
    return FALSE;
  scope = tractor_cancel_scope_open (get_next_silence (runtime));
  while (runtime->tree_version == version)
    if (!tractor_parking_lot_park (runtime->tree_changed, error))
      return tractor_cancel_scope_absorb (scope, error);
  return TRUE;
}

static gboolean
is_whole (const TractorRuntime *runtime)
{
  for (guint i = 0; i < runtime->children->len; i++)
    if (get_view (runtime->children->pdata[i]) == TRACTOR_TREE_VIEW_AWAITED)
      return FALSE;
  return TRUE;
}

/* Until all that were asked have answered, so that what is told first is all that there is; but none that is
 * stuck holds that up for long, and those who are asked by others less long than these. Returns: FALSE with
 * CANCELLED. */
static gboolean
wait_until_whole (TractorRuntime *runtime, GError **error)
{
  g_autoptr (TractorCancelScope) scope =
      tractor_cancel_scope_open (tractor_now () + PATIENCE_TREE_USEC / (runtime->depth + 1));

  for (; !is_whole (runtime); follow_children (runtime))
    if (!tractor_parking_lot_park (runtime->tree_changed, error))
      break;
  return tractor_cancel_scope_absorb (scope, error);
}

static void
watch (TractorRuntime *runtime, ReportSink sink, gpointer data, GError **error)
{
  g_autoptr (GVariant) last = NULL;
  guint64 version;

  follow_children (runtime);
  if (!wait_until_whole (runtime, error))
    return;
  do {
    g_autoptr (GVariant) report = NULL;

    version = runtime->tree_version;
    follow_children (runtime);
    report = build_report (runtime);
    if (last != NULL && g_variant_equal (report, last))
      continue;
    if (!sink (report, data, error))
      return;
    g_clear_pointer (&last, g_variant_unref);
    last = g_steal_pointer (&report);
  } while (wait_for_change (runtime, version, error));
}

static gboolean
watch_own_tree (ReportSink sink, gpointer data, GError **error)
{
  GError *failure = NULL;
  RuntimeUse use;
  TractorRuntime *runtime = tractor__runtime_enter (&use, &failure);

  if (runtime != NULL) {
    runtime->n_watches++;
    watch (runtime, sink, data, &failure);
    if (--runtime->n_watches == 0)
      stop_following (runtime);
  }
  if (failure == NULL) {
    tractor__runtime_leave (&use, NULL, NULL);
    return TRUE;
  }
  tractor__runtime_leave (&use, failure, error);
  return FALSE;
}

/* --- for peers ------------------------------------------------------------------------------------ */

static gboolean
send_report (GVariant *report, gpointer stream, GError **error)
{
  return tractor_stream_send (stream, report, error);
}

static gboolean
serve_reports (TractorStream *stream, G_GNUC_UNUSED GVariant *kwargs, GError **error)
{
  return watch_own_tree (send_report, stream, error);
}

static gboolean
send_rows (GVariant *report, gpointer stream, GError **error)
{
  g_autoptr (GVariant) rows = g_variant_get_child_value (report, 0);

  return tractor_stream_send (stream, rows, error);
}

static gboolean
serve_rows (TractorStream *stream, G_GNUC_UNUSED GVariant *kwargs, GError **error)
{
  return watch_own_tree (send_rows, stream, error);
}

void
tractor__tree_serve (TractorRuntime *runtime)
{
  static const TractorExport entries[] = {
    { "tree_report", TRACTOR_EXPORT_STREAM, .stream = serve_reports, .payload_spec = REPORT_TYPE },
    { "tree", TRACTOR_EXPORT_STREAM, .stream = serve_rows, .payload_spec = TREE_TYPE },
  };

  for (guint i = 0; i < G_N_ELEMENTS (entries); i++)
    tractor__exports_add (runtime->exports, NAMESPACE_SELF, &(Served){ .entry = &entries[i] });
}

/* --- for this program ----------------------------------------------------------------------------- */

typedef struct {
  TractorTreeFunc func;
  gpointer data;
} Watcher;

static gboolean
tell (GVariant *report, gpointer data, GError **error)
{
  Watcher *watcher = data;
  g_autofree TractorTreeEntry *entries = NULL;
  Reading reading;
  gboolean goes_on;

  begin_reading (&reading, report);
  entries = g_new (TractorTreeEntry, reading.n_rows);
  for (gsize i = 0; i < reading.n_rows; i++) {
    Row row = read_row (&reading, i);

    entries[i] = (TractorTreeEntry){
      .depth = (guint) CLAMP (row.depth, 0, LIMIT_TREE_DEPTH),
      .name = row.name,
      .uuid = row.uuid,
      .pid = (gint) CLAMP (row.pid, 0, G_MAXINT),
      .state = (TractorActorState) CLAMP (row.state, 0, TRACTOR_ACTOR_ENDING),
      .n_restarts = (guint) CLAMP (row.n_restarts, 0, G_MAXINT),
      .view = row.view <= TRACTOR_TREE_VIEW_PYTHON ? row.view : TRACTOR_TREE_VIEW_NONE,
    };
  }
  goes_on = watcher->func (entries, reading.n_rows, watcher->data, error);
  end_reading (&reading);
  return goes_on;
}

static gboolean
is_empty (GVariant *report)
{
  g_autoptr (GVariant) rows = g_variant_get_child_value (report, 0);

  return g_variant_n_children (rows) == 0;
}

/* Returns: TRUE at its end, or when nobody watches any more. */
static gboolean
watch_other_tree (TractorPortal *portal, Watcher *watcher, GError **error)
{
  g_autoptr (TractorStream) stream = open_reports (portal, error);
  GError *failure = NULL;
  GVariant *item;

  if (stream == NULL)
    return FALSE;
  while (tractor_stream_receive (stream, &item, &failure)) {
    g_autoptr (GVariant) report = take_report (item);

    if (report == NULL || is_empty (report))
      g_set_error_literal (&failure, TRACTOR_ERROR, TRACTOR_ERROR_MSG_TYPE, "This is no tree");
    else if (tell (report, watcher, &failure))
      continue;
    break;
  }
  if (failure == NULL)
    return TRUE;
  g_propagate_error (error, failure);
  return FALSE;
}

gboolean
tractor_watch_tree (TractorPortal *portal, TractorTreeFunc func, gpointer data, GError **error)
{
  Watcher watcher = { func, data };

  if (!tractor_error_check_given ((gconstpointer) func, "function", error))
    return FALSE;

  return portal != NULL ? watch_other_tree (portal, &watcher, error)
                        : watch_own_tree (tell, &watcher, error);
}
