/* actor.c - TractorGlibActor: a process, as an object.
 *
 * Behind each stands a task of the tree, with all that the actor needs on its stack: for a child, an actor
 * nursery with that one process in it, so that its death is the end of a join, is told with its reason, and
 * harms no other child; for one that was found, the connection. Around that is a nursery for the requests
 * that are made of the actor. The object borrows both for as long as the task has them.
 *
 * The task of a child holds the object, and ends when the process has. The task of one that was found does
 * not hold it, and ends when it is dropped. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "actor.h"

#include "context.h"
#include "launcher.h"
#include "tractor-sync.h"

/* On the stack of the task of one that was found. */
typedef struct {
  TractorGlibActor *self;    /* (nullable): until it is dropped */
  TractorCancelScope *scope; /* around the wait for its end */
} Found;

struct _TractorGlibActor {
  GObject parent_instance;
  Tree *tree;
  char *name;
  char *uuid;
  int pid;
  gboolean is_alive;
  GError *end;           /* (nullable): what a call of it says now, when it has ended */
  TractorPortal *portal; /* of the task */
  TractorNursery *calls; /* (nullable): of the task, while requests can be made */
  TractorEvent *told; /* of the task: that it has ended, to whoever listens here; for its calls */
  Found *found;       /* (nullable): of the task */
};

enum {
  PROP_NAME = 1,
  PROP_UUID,
  PROP_PID,
  PROP_ALIVE
};

enum {
  ENDED,
  RESTARTED,
  N_SIGNALS
};

static guint signals[N_SIGNALS];

G_DEFINE_TYPE (TractorGlibActor, tractor_glib_actor, G_TYPE_OBJECT)

static TractorGlibActor *
actor_new (Tree *tree, TractorPortal *portal, TractorNursery *calls, TractorEvent *told)
{
  TractorGlibActor *self = g_object_new (TRACTOR_GLIB_TYPE_ACTOR, NULL);

  self->tree = tractor__tree_ref (tree);
  self->name = g_strdup (tractor_portal_get_name (portal));
  self->uuid = g_strdup (tractor_portal_get_uuid (portal));
  self->pid = tractor_portal_get_pid (portal);
  self->is_alive = TRUE;
  self->portal = portal;
  self->calls = calls;
  self->told = told;
  return self;
}

Tree *
tractor__actor_get_tree (TractorGlibActor *self)
{
  return self->tree;
}

/* --- its beginning and its end --------------------------------------------------------------------------- */

ActorRequest *
tractor__actor_request_new (Tree *tree, const char *name)
{
  ActorRequest *request = g_new0 (ActorRequest, 1);

  request->tree = tractor__tree_ref (tree);
  request->name = g_strdup (name);
  return request;
}

void
tractor__actor_request_free (gpointer data)
{
  ActorRequest *request = data;

  tractor__tree_unref (request->tree);
  g_free (request->name);
  g_clear_object (&request->launcher);
  g_clear_object (&request->actor);
  g_free (request);
}

static void
announce_child (gpointer data)
{
  TractorGlibActor *self = data;

  if (self->tree->object != NULL)
    self->tree->ops->child_added (self->tree->object, self);
}

typedef struct {
  TractorGlibActor *self;
  const GError *failure; /* (nullable) */
} End;

static void
announce_end (gpointer data)
{
  End *end = data;
  TractorGlibActor *self = end->self;

  self->is_alive = FALSE;
  if (self->tree->object != NULL)
    self->tree->ops->child_removed (self->tree->object, self);
  g_object_notify (G_OBJECT (self), "alive");
  g_signal_emit (self, signals[ENDED], 0, end->failure);
}

/* Of one that was asked to end, and has. Returns: (transfer full) (nullable): what a call of it says, which
 * fails before anything is sent; NULL if that is only that the tree ends. */
static GError *
get_answer_of_ended (TractorGlibActor *self)
{
  GError *error = NULL;

  tractor_portal_call (self->portal, "self:cancel", NULL, NULL, &error);
  if (g_error_matches (error, TRACTOR_ERROR, TRACTOR_ERROR_CANCELLED))
    g_clear_error (&error);
  return error;
}

/* What it is from now on, and stays when its portal is gone. */
static void
take_identity (TractorGlibActor *self)
{
  int pid = tractor_portal_get_pid (self->portal);

  if (pid > 0)
    self->pid = pid;
  g_free (self->uuid);
  self->uuid = g_strdup (tractor_portal_get_uuid (self->portal));
}

/* A cancel is the tree's end, and no failure of the actor's. */
static void
tell_end (TractorGlibActor *self, GError *failure)
{
  End end = { self, tractor_error_matches (failure, TRACTOR_ERROR, TRACTOR_ERROR_CANCELLED)
                        ? NULL
                        : failure };

  self->end = end.failure != NULL ? g_error_copy (end.failure) : get_answer_of_ended (self);
  take_identity (self);
  self->calls = NULL;
  tractor__glib_call_on_host_stack (self->tree->context, announce_end, &end);
  tractor_event_set (self->told);
}

/* Requests fail by themselves when the actor is gone; contexts last as long as their objects. */
static void
join_calls (TractorNursery *calls)
{
  g_autoptr (GError) error = NULL;

  tractor_nursery_join (calls, &error);
}

/* --- a child --------------------------------------------------------------------------------------------- */

static void
announce_restart (gpointer data)
{
  TractorGlibActor *self = data;

  g_object_notify (G_OBJECT (self), "uuid");
  g_object_notify (G_OBJECT (self), "pid");
  g_signal_emit (self, signals[RESTARTED], 0);
}

/* Among the actor's calls, until it has ended. */
static gboolean
watch_restarts (gpointer data, G_GNUC_UNUSED GError **error)
{
  TractorGlibActor *self = data;
  guint n_restarts = 0;

  while (tractor_portal_wait_until_restarted (self->portal, &n_restarts, NULL))
    tractor__glib_call_on_host_stack (self->tree->context, announce_restart, self);
  return TRUE;
}

static gboolean
run_child (TractorTaskStatus *status, gpointer data, GError **error)
{
  ActorRequest *request = data; /* until the task has started */
  g_autoptr (TractorEvent) told = tractor_event_new ();
  g_autoptr (TractorNursery) calls = tractor_nursery_open ();
  g_autoptr (TractorPortal) portal = NULL;
  g_autoptr (TractorActorNursery) nursery =
      tractor__launcher_open_nursery (request->launcher, error);
  g_autoptr (TractorGlibActor) self = NULL;
  g_autoptr (GError) failure = NULL;

  if (nursery == NULL)
    return FALSE;
  portal = tractor__launcher_start (request->launcher, nursery, request->name, error);
  if (portal == NULL)
    return FALSE;
  self = actor_new (request->tree, portal, calls, told);
  request->actor = g_object_ref (self);
  tractor_task_started (status, NULL, NULL);

  tractor__glib_call_on_host_stack (self->tree->context, announce_child, self);
  tractor_nursery_spawn (calls, "restarts", watch_restarts, self, NULL, NULL);
  tractor_actor_nursery_join (nursery, &failure);
  tell_end (self, failure);
  join_calls (calls);
  return TRUE;
}

gpointer
tractor__actor_spawn (gpointer data, GError **error)
{
  ActorRequest *request = data;

  if (!tractor_nursery_start (request->tree->nursery, request->name, run_child, request, NULL, NULL,
                              error))
    return NULL;
  return g_steal_pointer (&request->actor);
}

/* --- one that was found ---------------------------------------------------------------------------------- */

/* Until it is gone, or dropped, or the tree ends. */
static void
wait_for_end (TractorGlibActor *self,
              TractorPortal *portal,
              ActorRequest *request,
              TractorTaskStatus *status)
{
  g_autoptr (TractorCancelScope) scope = tractor_cancel_scope_open (TRACTOR_NO_DEADLINE);
  Found found = { .self = self, .scope = scope };
  g_autoptr (GError) failure = NULL;

  self->found = &found;
  request->actor = self; /* which may be the last to hold it */
  tractor_task_started (status, NULL, NULL);
  if (tractor_portal_wait_until_gone (portal, &failure))
    g_set_error (&failure, TRACTOR_ERROR, TRACTOR_ERROR_TRANSPORT_CLOSED,
                 "The connection to actor '%s' has ended", tractor_portal_get_name (portal));
  if (found.self == NULL)
    return;
  g_object_ref (self);
  self->found = NULL;
  tell_end (self, failure);
  g_object_unref (self);
}

static gboolean
run_found (TractorTaskStatus *status, gpointer data, GError **error)
{
  ActorRequest *request = data;
  g_autoptr (TractorEvent) told = tractor_event_new ();
  g_autoptr (TractorNursery) calls = tractor_nursery_open ();
  GError *failure = NULL;
  g_autoptr (TractorPortal) portal = tractor_find_actor (request->name, &failure);

  if (failure != NULL) {
    g_propagate_error (error, failure);
    return FALSE;
  }
  if (portal == NULL) /* nobody */
    return tractor_task_started (status, NULL, error);
  wait_for_end (actor_new (request->tree, portal, calls, told), portal, request, status);
  join_calls (calls);
  return TRUE;
}

gpointer
tractor__actor_find (gpointer data, GError **error)
{
  ActorRequest *request = data;

  if (!tractor_nursery_start (request->tree->nursery, request->name, run_found, request, NULL, NULL,
                              error))
    return NULL;
  return g_steal_pointer (&request->actor);
}

/* --- requests -------------------------------------------------------------------------------------------- */

typedef struct {
  TractorGlibActor *actor; /* (transfer full) */
  char *function;
  GVariant *kwargs; /* (nullable) */
} Question;

/* Returns: NULL with @error set if @kwargs (nullable) cannot be kept. */
static Question *
question_new (TractorGlibActor *actor, const char *function, GVariant *kwargs, GError **error)
{
  GError *failure = NULL;
  GVariant *held = tractor__request_hold (kwargs, &failure);
  Question *question;

  if (failure != NULL) {
    g_propagate_error (error, failure);
    return NULL;
  }
  question = g_new0 (Question, 1);
  question->actor = g_object_ref (actor);
  question->function = g_strdup (function);
  question->kwargs = held;
  return question;
}

static void
question_free (gpointer data)
{
  Question *question = data;

  g_object_unref (question->actor);
  g_free (question->function);
  g_clear_pointer (&question->kwargs, g_variant_unref);
  g_free (question);
}

/* The portal outlives the task that runs this, since that is one of the actor's calls. */
static gpointer
call (gpointer data, GError **error)
{
  Question *question = data;
  GVariant *result = NULL;

  tractor_portal_call (question->actor->portal, question->function, question->kwargs, &result,
                       error);
  return result;
}

/* Of one that has ended: how. */
static gboolean
check_alive (TractorGlibActor *self, GError **error)
{
  if (self->end == NULL)
    return TRUE;
  g_propagate_error (error, g_error_copy (self->end));
  return FALSE;
}

static gpointer
open_context (gpointer data, GError **error)
{
  Question *question = data;
  TractorGlibActor *actor = question->actor;

  if (!check_alive (actor, error))
    return NULL;
  return tractor__context_open (actor->tree, actor->portal, actor->calls, question->function,
                                question->kwargs, error);
}

static gpointer
open_stream (gpointer data, GError **error)
{
  Question *question = data;
  TractorGlibActor *actor = question->actor;

  if (!check_alive (actor, error))
    return NULL;
  return tractor__stream_open (actor->tree, actor->portal, actor->calls, question->function,
                               question->kwargs, error);
}

/* Until the objects say so too. */
static gpointer
cancel_actor (gpointer data, GError **error)
{
  TractorGlibActor *self = data;

  if (tractor_portal_cancel_actor (self->portal, TRACTOR_NO_DEADLINE, error))
    tractor_event_wait (self->told, error);
  return NULL;
}

static gpointer
do_nothing (G_GNUC_UNUSED gpointer data, G_GNUC_UNUSED GError **error)
{
  return NULL;
}

/* As tractor__glib_call(), of the actor's; of one that has ended, how. */
static void
ask (TractorGlibActor *self,
     GTask *task,
     TractorGlibFunc func,
     const char *function,
     GVariant *kwargs,
     GDestroyNotify result_free,
     GCancellable *cancellable)
{
  GError *error = NULL;
  Question *question = question_new (self, function, kwargs, &error);

  if (question == NULL) {
    tractor__glib_refuse (task, error);
    return;
  }
  if (self->calls != NULL || self->end == NULL) {
    tractor__glib_call (task, self->calls, func, question, question_free, result_free, cancellable);
    return;
  }
  question_free (question);
  tractor__glib_refuse (task, g_error_copy (self->end));
}

/* --- the class ------------------------------------------------------------------------------------------- */

static void
tractor_glib_actor_init (G_GNUC_UNUSED TractorGlibActor *self)
{
}

static void
dispose (GObject *object)
{
  TractorGlibActor *self = TRACTOR_GLIB_ACTOR (object);

  if (self->found != NULL) {
    self->found->self = NULL;
    tractor_cancel_scope_cancel (self->found->scope, "dropped");
    self->found = NULL;
  }
  self->calls = NULL;
  G_OBJECT_CLASS (tractor_glib_actor_parent_class)->dispose (object);
}

static void
finalize (GObject *object)
{
  TractorGlibActor *self = TRACTOR_GLIB_ACTOR (object);

  tractor__tree_unref (self->tree);
  g_free (self->name);
  g_free (self->uuid);
  g_clear_error (&self->end);
  G_OBJECT_CLASS (tractor_glib_actor_parent_class)->finalize (object);
}

static void
get_property (GObject *object, guint id, GValue *value, GParamSpec *spec)
{
  TractorGlibActor *self = TRACTOR_GLIB_ACTOR (object);

  switch (id) {
  case PROP_NAME:
    g_value_set_string (value, self->name);
    break;
  case PROP_UUID:
    g_value_set_string (value, tractor_glib_actor_get_uuid (self));
    break;
  case PROP_PID:
    g_value_set_int (value, tractor_glib_actor_get_pid (self));
    break;
  case PROP_ALIVE:
    g_value_set_boolean (value, self->is_alive);
    break;
  default:
    G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, spec);
  }
}

static void
tractor_glib_actor_class_init (TractorGlibActorClass *class)
{
  const GParamFlags flags = G_PARAM_READABLE | G_PARAM_STATIC_STRINGS | G_PARAM_EXPLICIT_NOTIFY;
  GObjectClass *object_class = G_OBJECT_CLASS (class);

  object_class->dispose = dispose;
  object_class->finalize = finalize;
  object_class->get_property = get_property;
  g_object_class_install_property (object_class, PROP_NAME,
                                   g_param_spec_string ("name", NULL, NULL, NULL, flags));
  g_object_class_install_property (object_class, PROP_UUID,
                                   g_param_spec_string ("uuid", NULL, NULL, NULL, flags));
  g_object_class_install_property (object_class, PROP_PID,
                                   g_param_spec_int ("pid", NULL, NULL, -1, G_MAXINT, -1, flags));
  g_object_class_install_property (object_class, PROP_ALIVE,
                                   g_param_spec_boolean ("alive", NULL, NULL, FALSE, flags));
  signals[ENDED] = g_signal_new ("ended", TRACTOR_GLIB_TYPE_ACTOR, G_SIGNAL_RUN_LAST, 0, NULL, NULL,
                                 NULL, G_TYPE_NONE, 1, G_TYPE_ERROR);
  signals[RESTARTED] = g_signal_new ("restarted", TRACTOR_GLIB_TYPE_ACTOR, G_SIGNAL_RUN_LAST, 0,
                                     NULL, NULL, NULL, G_TYPE_NONE, 0);
}

/* --- public ---------------------------------------------------------------------------------------------- */

const char *
tractor_glib_actor_get_name (TractorGlibActor *self)
{
  g_return_val_if_fail (TRACTOR_GLIB_IS_ACTOR (self), NULL);

  return self->name;
}

const char *
tractor_glib_actor_get_uuid (TractorGlibActor *self)
{
  g_return_val_if_fail (TRACTOR_GLIB_IS_ACTOR (self), NULL);

  /* After a restart it is another one, and so is its process. */
  return self->calls != NULL ? tractor_portal_get_uuid (self->portal) : self->uuid;
}

int
tractor_glib_actor_get_pid (TractorGlibActor *self)
{
  g_return_val_if_fail (TRACTOR_GLIB_IS_ACTOR (self), -1);

  return self->calls != NULL ? tractor_portal_get_pid (self->portal) : self->pid;
}

gboolean
tractor_glib_actor_get_alive (TractorGlibActor *self)
{
  g_return_val_if_fail (TRACTOR_GLIB_IS_ACTOR (self), FALSE);

  return self->is_alive;
}

void
tractor_glib_actor_call_async (TractorGlibActor *self,
                               const char *function,
                               GVariant *kwargs,
                               GCancellable *cancellable,
                               GAsyncReadyCallback callback,
                               gpointer user_data)
{
  g_return_if_fail (TRACTOR_GLIB_IS_ACTOR (self) && function != NULL);

  ask (self, tractor__request_new (self, callback, user_data), call, function, kwargs,
       (GDestroyNotify) g_variant_unref, cancellable);
}

GVariant *
tractor_glib_actor_call_finish (TractorGlibActor *self, GAsyncResult *result, GError **error)
{
  return tractor__request_finish (self, result, error);
}

void
tractor_glib_actor_open_context_async (TractorGlibActor *self,
                                       const char *function,
                                       GVariant *kwargs,
                                       GCancellable *cancellable,
                                       GAsyncReadyCallback callback,
                                       gpointer user_data)
{
  g_return_if_fail (TRACTOR_GLIB_IS_ACTOR (self) && function != NULL);

  ask (self, tractor__request_new (self, callback, user_data), open_context, function, kwargs,
       g_object_unref, cancellable);
}

TractorGlibContext *
tractor_glib_actor_open_context_finish (TractorGlibActor *self,
                                        GAsyncResult *result,
                                        GError **error)
{
  return tractor__request_finish (self, result, error);
}

void
tractor_glib_actor_open_stream_async (TractorGlibActor *self,
                                      const char *function,
                                      GVariant *kwargs,
                                      GCancellable *cancellable,
                                      GAsyncReadyCallback callback,
                                      gpointer user_data)
{
  g_return_if_fail (TRACTOR_GLIB_IS_ACTOR (self) && function != NULL);

  ask (self, tractor__request_new (self, callback, user_data), open_stream, function, kwargs,
       g_object_unref, cancellable);
}

TractorGlibStream *
tractor_glib_actor_open_stream_finish (TractorGlibActor *self, GAsyncResult *result, GError **error)
{
  return tractor__request_finish (self, result, error);
}

void
tractor_glib_actor_cancel_async (TractorGlibActor *self,
                                 GCancellable *cancellable,
                                 GAsyncReadyCallback callback,
                                 gpointer user_data)
{
  GTask *task;

  g_return_if_fail (TRACTOR_GLIB_IS_ACTOR (self));

  task = tractor__request_new (self, callback, user_data);
  if (self->calls != NULL)
    tractor__glib_call (task, self->calls, cancel_actor, g_object_ref (self), g_object_unref, NULL,
                        cancellable);
  else
    tractor__tree_call (self->tree, task, do_nothing, NULL, NULL, NULL, cancellable);
}

gboolean
tractor_glib_actor_cancel_finish (TractorGlibActor *self, GAsyncResult *result, GError **error)
{
  return tractor__request_finish_boolean (self, result, error);
}
