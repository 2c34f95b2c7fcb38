/* rpc.c - what a peer asks of us.
 *
 * A Start names a function by namespace and name. The namespace "self" is the runtime's own, a
 * closed table; any other is a module of this program, if it was enabled for this actor, or what the
 * program serves by name itself. Nothing else can be reached. What cannot be done is answered with an Error and costs the peer nothing
 * else; what is against the protocol ends its connection.
 *
 * Each call, stream or context runs in a task of its own, in a cancel scope of its own, in the link's
 * nursery. It has exactly one outcome: Return, or for a stream Stop; Error, with what it failed with;
 * or Error, ContextCancelled, if somebody cancelled it. A cancel's traffic is urgent: it overtakes
 * data. The link's writer is woken after the task is made, so that the acknowledgement and the result
 * of a quick function go out in one write. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "rpc.h"

#include <stddef.h>
#include <string.h>

#include "actor-trace.h"
#include "bounds.h"
#include "context.h"
#include "debug-lock.h"
#include "escape.h"
#include "exports.h"
#include "link-write.h"
#include "log.h"
#include "packed.h"
#include "patience.h"
#include "remote-error.h"
#include "value.h"

struct _RpcTask {
  Link *link;
  const char *function;  /* what it runs */
  const char *full_name; /* with its module; for debuggers */
  char *cid;
  CidEntry cid_entry;
  const TractorExport *entry;
  RuntimeFunc func; /* (nullable): instead of what @entry calls */
  gboolean is_own;  /* that, or what @entry calls, is the runtime's */
  char *dispatched; /* (nullable): what the program's dispatch is asked for, instead */
  GVariant *kwargs;
  GBytes *packed_kwargs;     /* (nullable): instead, of a packed call */
  GBytes *packed_result;     /* (nullable): of that */
  TractorContext *context;   /* (nullable): of a stream or a context */
  TractorCancelScope *scope; /* while it runs */
  gboolean is_cancelled;     /* on somebody's wish */
  ActorId canceller;
  gboolean is_cancelled_by_caller;
  char *ack_cid; /* (nullable): of the request that cancelled it */
};

static void
rpc_task_free (gpointer data)
{
  RpcTask *task = data;
  Link *link = task->link;

  tractor__cid_table_remove (&link->rpc_tasks, &task->cid_entry);
  if (link->rpc_tasks.n_entries == 0 && link->no_rpc_tasks != NULL)
    tractor_event_set (link->no_rpc_tasks);
  tractor__context_free (task->context);
  tractor__link_unref (link);
  g_free (task->cid);
  g_clear_pointer (&task->kwargs, g_variant_unref);
  g_clear_pointer (&task->packed_kwargs, g_bytes_unref);
  g_clear_pointer (&task->packed_result, g_bytes_unref);
  actor_id_clear (&task->canceller);
  g_free (task->ack_cid);
  g_free (task->dispatched);
  g_free (task);
}

/* --- answers ----------------------------------------------------------------------------------- */

/* @error: (transfer full) */
static void
answer_error (Link *link, const char *cid, GError *error)
{
  tractor__remote_error_write (link, cid, error, NULL);
  tractor__link_flush (link);
  g_error_free (error);
}

static void
answer_cancel_ack (Link *link, const char *cid)
{
  tractor__msg_write_start_ack (link_get_urgent (link, 0), cid, "asyncfunc", NULL);
  tractor__msg_write_cancel_ack (link_get_urgent (link, 0), cid);
  tractor__link_flush (link);
}

/* --- a running call ---------------------------------------------------------------------------- */

/* What a call returns is checked here; what a context does, where it arrives, as upstream has it. */
static gboolean
check_result (RpcTask *task, GVariant *result, GError **error)
{
  const char *spec = task->entry->payload_spec;

  return task->entry->kind != TRACTOR_EXPORT_CALL || spec == NULL ||
         tractor__codec_check (result, G_VARIANT_TYPE (spec), error);
}

/* What the function reads in its CANCELLED. */
static const char *
get_cancel_reason (const RpcTask *task)
{
  if (task->is_cancelled_by_caller)
    return "the caller withdrew the call";
  if (task->link->runtime->is_ending)
    return "the actor is ending";
  if (actor_id_equal (&task->canceller, &task->link->runtime->id))
    return "the function cancelled its context";
  return "the connection to the caller is closed";
}

static void
write_failure (RpcTask *task, const GError *error)
{
  Link *link = task->link;

  if (!g_error_matches (error, TRACTOR_ERROR, TRACTOR_ERROR_CANCELLED)) {
    if (task->entry->kind == TRACTOR_EXPORT_STREAM && task->context->stream.sent_stop)
      log_warning (LOG_CALL, "function '%s' has failed after it had closed its stream: %s",
                   task->function, error->message);
    tractor__remote_error_write (link, task->cid, error, task->function);
  } else if (task->context != NULL && task->context->failure != NULL) {
    /* It was cancelled because the other end failed, which is passed back. */
    tractor__remote_error_write (link, task->cid, task->context->failure, NULL);
  } else if (task->entry->kind == TRACTOR_EXPORT_STREAM && task->is_cancelled_by_caller) {
    tractor__msg_write_stop (link_get_urgent (link, 0), task->cid); /* as upstream: it knows why */
  } else {
    /* Before what it has streamed, but not before it has started. */
    WireBuffer *buffer =
        link_get_urgent (link, task->context != NULL ? task->context->started_at : 0);

    tractor__remote_error_write_cancelled (
        link, buffer, task->cid, task->is_cancelled ? &task->canceller : &link->runtime->id);
  }
}

/* In turns, and not to its end for somebody who has given it up meanwhile. */
static gboolean
write_large_result (RpcTask *task, GVariant *result, GError **error)
{
  g_autoptr (TractorCancelScope) scope = tractor_cancel_scope_open (TRACTOR_NO_DEADLINE);
  gboolean ok;

  task->scope = scope;
  if (task->is_cancelled)
    tractor_cancel_scope_cancel (scope, get_cancel_reason (task));
  ok = tractor__link_write_large (task->link, MSG_RETURN, task->cid, result, error);
  task->scope = NULL;
  return ok;
}

static gboolean
write_packed_result (RpcTask *task, GError **error)
{
  static const guint8 nil[] = { 0xc0 };
  WireValue value = { nil, sizeof nil };

  if (task->packed_result != NULL &&
      !tractor__packed_check (task->packed_result, "A packed result", &value, error))
    return FALSE;
  return tractor__msg_write_packed (task->link->out, MSG_RETURN, task->cid, value, error);
}

/* Nearly every result is small, and then there is nothing to cancel: a scope is some of what a call costs. */
static gboolean
write_result (RpcTask *task, GVariant *result, GError **error)
{
  if (task->packed_kwargs != NULL)
    return write_packed_result (task, error);
  if (tractor__link_write_if_small (task->link, MSG_RETURN, task->cid, result, error))
    return TRUE;
  return *error == NULL && write_large_result (task, result, error);
}

/* Returns: whether @result has been sent. */
static gboolean
write_success (RpcTask *task, GVariant *result)
{
  Link *link = task->link;
  g_autoptr (GError) problem = NULL;

  if (task->entry->kind == TRACTOR_EXPORT_STREAM) {
    if (!task->context->stream.sent_stop)
      tractor__msg_write_stop (link->out, task->cid);
    return FALSE;
  }
  if (task->context != NULL && !task->context->is_started)
    g_set_error (&problem, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE,
                 "Function '%s' returned without tractor_context_started()", task->function);
  else if (!check_result (task, result, &problem) || !write_result (task, result, &problem))
    g_prefix_error (&problem, "The result of '%s': ", task->function);
  if (problem == NULL)
    return TRUE;
  if (g_error_matches (problem, TRACTOR_ERROR, TRACTOR_ERROR_CANCELLED)) {
    write_failure (task, problem);
    return FALSE;
  }
  /* The caller hears of it instead. */
  tractor__remote_error_write (link, task->cid, problem, task->function);
  return FALSE;
}

void
tractor__rpc_task_cancel (RpcTask *task, const ActorId *canceller)
{
  if (!task->is_cancelled) {
    task->is_cancelled = TRUE;
    actor_id_copy (canceller, &task->canceller);
    log_debug (LOG_CALL, "'%s', call %s, is cancelled by actor '%s': %s", task->function, task->cid,
               canceller->name, get_cancel_reason (task));
  }
  if (task->scope != NULL)
    tractor_cancel_scope_cancel (task->scope, get_cancel_reason (task));
}

static gboolean
call_function (RpcTask *task, GVariant **ret_result, GError **error)
{
  const TractorExport *entry = task->entry;
  TractorRuntime *runtime = task->link->runtime;

  if (task->func != NULL)
    return task->func (runtime, task->link, task->kwargs, ret_result, error);
  if (task->dispatched != NULL) {
    tractor_task_set_function ((void (*) (void)) runtime->dispatch);
    return runtime->dispatch (task->dispatched, task->kwargs, runtime->dispatch_data, ret_result,
                              error);
  }
  switch (entry->kind) {
  case TRACTOR_EXPORT_STREAM:
    tractor_task_set_function ((void (*) (void)) entry->stream);
    return entry->stream (&task->context->stream, task->kwargs, error);
  case TRACTOR_EXPORT_CONTEXT:
    tractor_task_set_function ((void (*) (void)) entry->context);
    return entry->context (task->context, task->kwargs, ret_result, error);
  case TRACTOR_EXPORT_CALL:
  default:
    if (entry->call_packed != NULL) {
      tractor_task_set_function ((void (*) (void)) entry->call_packed);
      return entry->call_packed (task->packed_kwargs, &task->packed_result, error);
    }
    tractor_task_set_function ((void (*) (void)) entry->call);
    return entry->call (task->kwargs, ret_result, error);
  }
}

/* Runs the function in the scope that it can be cancelled by. Returns: (transfer full) (nullable):
 * what it failed with. */
static GError *
run_in_scope (RpcTask *task, GVariant **ret_result)
{
  g_autoptr (TractorCancelScope) scope = tractor_cancel_scope_open (TRACTOR_NO_DEADLINE);
  const guint64 mark = tractor_task_mark_holds ();
  GError *failure = NULL;
  gboolean was_cancelled;
  gboolean ok;

  task->scope = scope;
  if (task->context != NULL)
    task->context->scope = scope;
  if (task->is_cancelled)
    tractor_cancel_scope_cancel (scope, get_cancel_reason (task));
  /* One that nobody waits for any more need not begin; but the runtime's own see to more than an answer. */
  ok = (task->func != NULL || tractor_checkpoint_if_cancelled (&failure)) &&
       call_function (task, ret_result, &failure);
  tractor_task_abandon_holds (mark);
  /* For the outcome; but no result for one who has withdrawn, and does not read. */
  ok = tractor__link_wait_for_room (task->link, ok ? &failure : NULL) && ok;
  task->scope = NULL;
  if (task->context != NULL)
    task->context->scope = NULL;
  if (*ret_result != NULL)
    *ret_result = g_variant_take_ref (*ret_result);
  if (!ok && failure == NULL)
    g_set_error (&failure, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE,
                 "Function '%s' returned FALSE without an error", task->function);
  /* With the failures of nurseries that the function left unjoined; but a cancel of its own stays,
   * for it is the outcome. */
  was_cancelled = g_error_matches (failure, TRACTOR_ERROR, TRACTOR_ERROR_CANCELLED);
  tractor_cancel_scope_absorb (scope, &failure);
  if (was_cancelled && failure == NULL)
    g_set_error_literal (&failure, TRACTOR_ERROR, TRACTOR_ERROR_CANCELLED, "Cancelled");
  /* As upstream: to have had nobody to send to any more is no failure. */
  if (task->context != NULL)
    tractor__stream_strip_end (&task->context->stream, &failure);
  /* So that a group of one has its domain and code, or its origin, for the caller. */
  return failure != NULL ? tractor__collapse_group (failure) : NULL;
}

/* The outcome is the caller's: this task itself never fails. */
static gboolean
run_rpc_task (gpointer data, G_GNUC_UNUSED GError **error)
{
  RpcTask *task = data;
  g_autoptr (RefusedValue) result = NULL;
  g_autoptr (GError) failure = NULL;

  if (trace_is_on ())
    tractor__trace_came (TRACTOR_TRACE_TAKEN, MSG_START, task->cid, strlen (task->cid), 0,
                         task->link->peer.uuid);
  log_debug (LOG_CALL, "actor '%s' calls '%s', as call %s", task->link->peer.name, task->function,
             task->cid);
  failure = run_in_scope (task, &result);
  log_debug (LOG_CALL, "'%s', call %s of actor '%s', has %s%s", task->function, task->cid,
             task->link->peer.name,
             failure == NULL ? "returned" : "failed: ", failure == NULL ? "" : failure->message);
  if (failure != NULL) {
    if (!task->is_own)
      tractor__debug_stop_for_error (failure);
    write_failure (task, failure);
  } else if (write_success (task, result)) {
    g_clear_pointer (&result, g_variant_unref);
  }
  if (task->ack_cid != NULL)
    tractor__msg_write_cancel_ack (link_get_urgent (task->link, 0), task->ack_cid);
  tractor__link_flush (task->link);
  return TRUE;
}

static gboolean
deliver (RpcTask *task, const Msg *msg, GError **error)
{
  if (task->context == NULL)
    return TRUE;
  if (msg->type != MSG_ERROR)
    return tractor__stream_deliver (&task->context->stream, msg, error);

  tractor__context_set_failure (task->context, tractor__remote_error_read (msg, &task->link->peer));
  if (task->scope != NULL)
    tractor_cancel_scope_cancel (task->scope, "the other end of the context failed");
  return TRUE;
}

static gboolean
is_full (const RpcTask *task)
{
  return task->context != NULL && tractor__stream_is_full (&task->context->stream);
}

void
tractor__link_acknowledge_stop (Link *link)
{
  if (link->stop_cid == NULL)
    return;
  tractor__msg_write_cancel_ack (link_get_urgent (link, 0), link->stop_cid);
  tractor__link_flush (link);
}

static void
cancel_rpc_task (gpointer owner, gpointer canceller)
{
  tractor__rpc_task_cancel (owner, canceller);
}

void
tractor__link_cancel_rpc_tasks (Link *link, const ActorId *canceller)
{
  tractor__cid_table_foreach (&link->rpc_tasks, cancel_rpc_task, (gpointer) canceller);
}

gboolean
tractor__link_wait_for_rpc_tasks (Link *link, GError **error)
{
  gboolean ok = TRUE;

  if (link->rpc_tasks.n_entries == 0)
    return TRUE;
  link->no_rpc_tasks = tractor_event_new ();
  tractor_event_set_static_name (link->no_rpc_tasks, "end of served calls");
  ok = tractor_event_wait (link->no_rpc_tasks, error);
  g_clear_pointer (&link->no_rpc_tasks, tractor_event_free);
  return ok;
}

/* --- the runtime's own functions ----------------------------------------------------------------- */

/* Whether the peer may end this actor: its parent may, and any other that can connect to it, but not
 * those below it; and a root is ended only if it is a daemon. */
static gboolean
check_may_cancel (Link *link, GError **error)
{
  TractorRuntime *runtime = link->runtime;

  if (link->is_to_parent)
    return TRUE;
  if (runtime->stop != NULL && !tractor__runtime_has_child (runtime, &link->peer))
    return TRUE;
  g_set_error (error, TRACTOR_ERROR, TRACTOR_ERROR_AUTH, "Actor '%s' is not cancelled %s",
               runtime->id.name, runtime->stop != NULL ? "by its children" : "from outside");
  return FALSE;
}

/* The actor is to end. Its parent says how long it will wait: what is below us gets less time than
 * that. */
static void
handle_cancel (Link *link, const char *cid, const Msg *msg)
{
  TractorRuntime *runtime = link->runtime;
  g_autoptr (GVariant) kwargs = NULL;
  GError *refusal = NULL;
  gint64 patience_usec;

  if (!check_may_cancel (link, &refusal)) {
    answer_error (link, cid, refusal);
    return;
  }
  tractor__msg_write_start_ack (link_get_urgent (link, 0), cid, "asyncfunc", NULL);
  tractor__link_flush (link);
  if (link->stop_cid != NULL)
    return; /* it is ending */
  if (tractor__msg_unpack_kwargs (msg, &kwargs, NULL) &&
      g_variant_lookup (kwargs, "patience_usec", "x", &patience_usec))
    runtime->end_by = tractor__patience_now () + CLAMP (patience_usec, 0, PATIENCE_TOTAL_USEC);
  log_info (LOG_SUPERVISE, "actor '%s' is told to end by actor '%s'", runtime->id.name,
            link->peer.name);
  link->stop_cid = g_strdup (cid);
  if (runtime->stopped_by.uuid == NULL)
    actor_id_copy (&link->peer, &runtime->stopped_by);
  tractor_event_set (runtime->stop);
}

/* One call is to end: of this connection, so nobody can reach another's. */
static void
handle_cancel_task (Link *link, const char *cid, const Msg *msg)
{
  g_autoptr (GVariant) kwargs = NULL;
  const char *task_cid = NULL;
  RpcTask *task;

  if (tractor__msg_unpack_kwargs (msg, &kwargs, NULL))
    g_variant_lookup (kwargs, "cid", "&s", &task_cid);
  task = task_cid != NULL ? tractor__cid_table_find (&link->rpc_tasks, task_cid, strlen (task_cid))
                          : NULL;
  if (task == NULL || task->ack_cid != NULL) { /* it has ended, or is ending */
    answer_cancel_ack (link, cid);
    return;
  }
  tractor__msg_write_start_ack (link_get_urgent (link, 0), cid, "asyncfunc", NULL);
  tractor__link_flush (link);
  task->ack_cid = g_strdup (cid);
  task->is_cancelled_by_caller = TRUE;
  tractor__rpc_task_cancel (task, &link->peer);
}

/* They run nothing: the reader answers them, also while the actor ends. */
static const Served runtime_functions[] = {
  { .entry = &(const TractorExport){ "cancel", TRACTOR_EXPORT_CALL }, .answer = handle_cancel },
  { .entry = &(const TractorExport){ "_cancel_task", TRACTOR_EXPORT_CALL },
    .answer = handle_cancel_task },
};

void
tractor__rpc_serve (TractorRuntime *runtime)
{
  for (guint i = 0; i < G_N_ELEMENTS (runtime_functions); i++)
    tractor__exports_add (runtime->exports, NAMESPACE_SELF, &runtime_functions[i]);
  runtime->debug_actor.links.served_function = offsetof (RpcTask, full_name);
  runtime->debug_actor.served_scope = offsetof (RpcTask, scope);
  runtime->debug_actor.asked_receivers = offsetof (TractorContext, stream.receivers);
  runtime->debug_actor.asked_senders = offsetof (TractorContext, stream.senders);
}

/* --- dispatch ---------------------------------------------------------------------------------- */

/* What a Start says, read once; only its keyword arguments stay as they are until they are wanted. */
typedef struct {
  const Msg *msg;
  char *cid;
  ExportName name;
  const Served *served; /* (nullable): what it names */
  gboolean has_module;  /* if it is nothing: whether there is the module */
  char *dispatched;     /* (nullable): what the program does instead, by its name */
} Start;

static void
start_clear (Start *start)
{
  g_free (start->cid);
  g_free (start->dispatched);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Start, start_clear)

static gboolean
check_caller (Link *link, const Start *start, GError **error)
{
  const char *cid = start->cid;
  gsize length = strlen (cid);

  if (!tractor__msg_id_equals (start->msg, FIELD_UID, &link->peer)) {
    g_set_error_literal (error, TRACTOR_ERROR, TRACTOR_ERROR_PROTOCOL,
                         "a call in the name of another actor");
    return FALSE;
  }
  if (length == 0 || length > LIMIT_CID_BYTES) {
    g_set_error (error, TRACTOR_ERROR, TRACTOR_ERROR_PROTOCOL,
                 "a call id that is empty or longer than %d bytes", LIMIT_CID_BYTES);
    return FALSE;
  }
  if (tractor__cid_table_find (&link->rpc_tasks, cid, length) != NULL ||
      tractor__cid_table_find (&link->requests, cid, length) != NULL) {
    g_set_error_literal (error, TRACTOR_ERROR, TRACTOR_ERROR_PROTOCOL,
                         "a call id that is already in use");
    return FALSE;
  }
  if (link->out->len + link->urgent->len > LIMIT_UNREAD_BYTES) {
    g_set_error (error, TRACTOR_ERROR, TRACTOR_ERROR_PROTOCOL,
                 "calls and calls, while %u bytes of answers wait to be read",
                 link->out->len + link->urgent->len);
    return FALSE;
  }
  return TRUE;
}

static gboolean
is_of_runtime (const ExportName *name)
{
  return name->ns_length == strlen (NAMESPACE_SELF) &&
         memcmp (name->ns, NAMESPACE_SELF, name->ns_length) == 0;
}

static const Served dispatched = { .entry =
                                       &(const TractorExport){ "dispatch", TRACTOR_EXPORT_CALL } };

/* What is no export the program may be asked for by its name. Returns: FALSE with NOT_EXPOSED. */
static gboolean
dispatch (Link *link, Start *start, GError **error)
{
  g_autofree char *function = tractor__export_name_to_string (&start->name);
  g_autofree char *shown = NULL;

  if (link->runtime->dispatch != NULL && !is_of_runtime (&start->name) &&
      tractor__is_name (function)) {
    start->served = &dispatched;
    start->dispatched = g_steal_pointer (&function);
    return TRUE;
  }
  shown = tractor__escape_name (function);
  g_set_error (error, TRACTOR_ERROR, TRACTOR_ERROR_NOT_EXPOSED, "It does not serve '%s'", shown);
  return FALSE;
}

/* Returns: FALSE with an error for the caller; else start->served is what is to be run. */
static gboolean
choose (Link *link, Start *start, GError **error)
{
  if (start->served == NULL && !dispatch (link, start, error))
    return FALSE;
  if (link->rpc_tasks.n_entries >= link->runtime->limits.calls_per_peer) {
    g_set_error (error, TRACTOR_ERROR, TRACTOR_ERROR_OVERRUN,
                 "It is already running %u call%s of this caller (TractorLimits.calls_per_peer)",
                 link->rpc_tasks.n_entries, link->rpc_tasks.n_entries == 1 ? "" : "s");
    return FALSE;
  }
  return TRUE;
}

/* Python tells apart whether it is the module that is not there or the function.
 * @refusal: (transfer full) */
static void
refuse (Link *link, const char *cid, gboolean is_only_function, GError *refusal)
{
  log_debug (LOG_CALL, "call %s of actor '%s' is refused: %s", cid, link->peer.name,
             refusal->message);
  if (!is_only_function || !g_error_matches (refusal, TRACTOR_ERROR, TRACTOR_ERROR_NOT_EXPOSED)) {
    answer_error (link, cid, refusal);
    return;
  }
  tractor__remote_error_write_as (link, cid, "AttributeError", refusal);
  tractor__link_flush (link);
  g_error_free (refusal);
}

static const char *const functypes[] = {
  [TRACTOR_EXPORT_CALL] = "asyncfunc",
  [TRACTOR_EXPORT_STREAM] = "asyncgen",
  [TRACTOR_EXPORT_CONTEXT] = "context",
};

static TractorContext *
new_context (RpcTask *task)
{
  TractorContext *context = tractor__context_new_endpoint (
      task, task->link, task->cid, task->function, task->entry->payload_spec);

  context->stream.allow_overruns = task->entry->allow_overruns;
  if (task->entry->kind == TRACTOR_EXPORT_STREAM) {
    context->is_started = TRUE;
    context->stream.is_one_way = TRUE;
    context->stream.is_open = TRUE;
  }
  return context;
}

/* What it is called with, in one of two forms. */
typedef struct {
  GVariant *value; /* (nullable) */
  GBytes *packed;  /* (nullable) */
} Kwargs;

static gboolean
is_packed (const Served *served)
{
  return served->entry->call_packed != NULL;
}

static gboolean
read_kwargs (const Start *start, Kwargs *ret_kwargs, GError **error)
{
  *ret_kwargs = (Kwargs){ 0 };
  if (!is_packed (start->served))
    return tractor__msg_unpack_kwargs (start->msg, &ret_kwargs->value, error);
  if (!tractor__msg_check_whole (start->msg, error))
    return FALSE;
  ret_kwargs->packed = tractor__packed_new (start->msg->fields[FIELD_KWARGS]);
  return TRUE;
}

static gboolean
takes_packed (Link *link, const Msg *start)
{
  const ExportName name = tractor__export_name_read (start);
  gboolean has_module;
  const Served *served = tractor__exports_find (link->runtime->exports, &name, &has_module);

  return served != NULL && is_packed (served);
}

/* @kwargs: (transfer full) */
static void
run (Link *link, Start *start, Kwargs kwargs)
{
  RpcTask *task = g_new0 (RpcTask, 1);
  GError *refusal = NULL;

  task->link = tractor__link_ref (link);
  task->cid = g_strdup (start->cid);
  task->entry = start->served->entry;
  task->func = start->served->func;
  task->is_own = start->served->is_own || task->func != NULL;
  task->dispatched = g_steal_pointer (&start->dispatched);
  task->function = task->dispatched != NULL ? task->dispatched : task->entry->name;
  task->full_name = task->dispatched != NULL ? task->dispatched : start->served->full_name;
  task->kwargs = kwargs.value;
  task->packed_kwargs = kwargs.packed;
  if (task->entry->kind != TRACTOR_EXPORT_CALL)
    task->context = new_context (task);
  tractor__cid_table_add (&link->rpc_tasks, &task->cid_entry, task->cid, task);
  if (!tractor_nursery_spawn (link->nursery, task->entry->name, run_rpc_task, task, rpc_task_free,
                              &refusal))
    answer_error (link, start->cid, refusal); /* the task is gone */
}

static gboolean
handle_start (Link *link, const Msg *msg, GError **error)
{
  g_auto (Start) start = { .msg = msg,
                           .cid = tractor__msg_dup_string (msg, FIELD_CID),
                           .name = tractor__export_name_read (msg) };
  GError *refusal = NULL;
  Kwargs kwargs;

  if (!check_caller (link, &start, error))
    return FALSE;
  start.served = tractor__exports_find (link->runtime->exports, &start.name, &start.has_module);
  if (start.served != NULL && start.served->answer != NULL) {
    start.served->answer (link, start.cid, msg);
    return TRUE;
  }
  if (link->runtime->is_ending) {
    tractor__remote_error_write_cancelled (link, link->out, start.cid, &link->runtime->id);
    tractor__link_flush (link);
    return TRUE;
  }
  if (!choose (link, &start, &refusal) || !read_kwargs (&start, &kwargs, &refusal)) {
    refuse (link, start.cid, start.served == NULL && start.has_module, refusal);
    return TRUE;
  }
  tractor__msg_write_start_ack (link->out, start.cid, functypes[start.served->entry->kind],
                                start.served->entry->payload_spec);
  run (link, &start, kwargs);
  tractor__link_flush (link);
  return TRUE;
}

static void
end (Link *link)
{
  tractor__link_cancel_rpc_tasks (link, &link->peer);
}

const LinkServer tractor__rpc_server = { handle_start, deliver, is_full, takes_packed, end };
