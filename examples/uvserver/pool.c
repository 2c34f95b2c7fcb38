/* pool.c - the actors that work, and the tasks that ask them.
 *
 * A request is a task: it has a deadline, asks an actor, and answers. If the actor dies meanwhile, which
 * is no fault of the request's, it asks again, another one or the next life of the same, until the
 * deadline. A client that is gone has its task cancelled, and that cancels what runs for it in the
 * actor. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "uvserver.h"

/* --- in an actor --------------------------------------------------------------------------------- */

/* May be done twice: nothing is changed by it. */
static gboolean
factor (GVariant *kwargs, GVariant **ret_result, GError **error)
{
  const char *text = "";
  guint64 number;
  guint64 divisor = 2;

  g_variant_lookup (kwargs, "n", "&s", &text);
  if (!g_ascii_string_to_unsigned (text, 10, 2, G_MAXINT64, &number, error))
    return FALSE;
  for (; divisor <= number / divisor && number % divisor != 0; divisor++)
    if ((divisor & 0xffff) == 0 && !tractor_checkpoint (error))
      return FALSE;
  *ret_result = g_variant_new_take_string (
      g_strdup_printf ("%" G_GUINT64_FORMAT "\n", number % divisor == 0 ? divisor : number));
  return TRUE;
}

const TractorExport work_exports[] = {
  { "factor", TRACTOR_EXPORT_CALL, .call = factor, .payload_spec = "s" }, { 0 }
};

/* --- requests ------------------------------------------------------------------------------------ */

struct _Request {
  Pool *pool;
  char *number;
  AnswerFunc answer; /* (nullable): nobody waits for it */
  gpointer client;
  TractorCancelScope *scope; /* (nullable): while it runs */
};

static Worker *
find_least_busy (Pool *pool)
{
  Worker *best = &pool->workers[0];

  for (int i = 1; i < pool->n_workers; i++)
    if (pool->workers[i].in_flight < best->in_flight)
      best = &pool->workers[i];
  return best;
}

static gboolean
is_death (const GError *error)
{
  return g_error_matches (error, TRACTOR_ERROR, TRACTOR_ERROR_ACTOR_FAILURE) ||
         g_error_matches (error, TRACTOR_ERROR, TRACTOR_ERROR_TRANSPORT_CLOSED);
}

/* (transfer full) */
static GVariant *
ask_until_answered (Request *request, GError **error)
{
  GVariant *result = NULL;

  for (;;) {
    Worker *worker = find_least_busy (request->pool);
    GVariant *n = g_variant_new ("{sv}", "n", g_variant_new_string (request->number));

    worker->in_flight++;
    tractor_portal_call (worker->portal, "work:factor", g_variant_new_array (NULL, &n, 1), &result,
                         error);
    worker->in_flight--;
    if (*error == NULL || !is_death (*error))
      return result;
    g_clear_error (error);
    request->pool->n_again++;
  }
}

/* A task. What goes wrong with one request is that client's business. */
static gboolean
run_request (gpointer data, G_GNUC_UNUSED GError **error)
{
  Request *request = data;
  Pool *pool = request->pool;
  g_autoptr (TractorCancelScope) scope =
      tractor_cancel_scope_open (tractor_now () + pool->deadline_msec * 1000);
  g_autoptr (GVariant) result = NULL;
  g_autoptr (GError) failure = NULL;

  request->scope = scope;
  if (request->answer == NULL)
    tractor_cancel_scope_cancel (scope, "the client is gone");
  result = ask_until_answered (request, &failure);
  request->scope = NULL;
  if (request->answer == NULL) {
    pool->n_given_up++;
    return TRUE;
  }
  if (result != NULL) {
    pool->n_answered++;
    request->answer (request->client, 200, g_variant_dup_string (result, NULL));
  } else if (tractor_cancel_scope_absorb (scope, &failure)) {
    pool->n_late++;
    request->answer (request->client, 504, g_strdup ("it took too long\n"));
  } else { /* what the function says of its argument; or the server is stopping */
    pool->n_failed++;
    request->answer (request->client,
                     g_error_matches (failure, TRACTOR_ERROR, TRACTOR_ERROR_REMOTE) ? 400 : 503,
                     g_strconcat (failure->message, "\n", NULL));
  }
  return TRUE;
}

static void
request_free (gpointer data)
{
  Request *request = data;

  request->pool->in_flight--;
  g_free (request->number);
  g_free (request);
}

Request *
pool_ask (Pool *pool, const char *number, AnswerFunc answer, gpointer client)
{
  Request *request;

  if (pool->requests == NULL || pool->in_flight >= pool->max_in_flight) {
    pool->n_refused++;
    return NULL;
  }
  pool->in_flight++;
  request = g_memdup2 (
      &(Request){ .pool = pool, .number = g_strdup (number), .answer = answer, .client = client },
      sizeof *request);
  return tractor_nursery_spawn (pool->requests, "request", run_request, request, request_free, NULL)
             ? request
             : NULL;
}

void
pool_give_up (Request *request)
{
  request->answer = NULL;
  if (request->scope != NULL)
    tractor_cancel_scope_cancel (request->scope, "the client is gone");
}

/* --- the actors ---------------------------------------------------------------------------------- */

static gboolean
start_workers (Pool *pool, TractorActorNursery *actors, GError **error)
{
  for (int i = 0; i < pool->n_workers; i++) {
    g_autofree char *name = g_strdup_printf ("worker-%d", i + 1);

    pool->workers[i].portal = tractor_actor_nursery_start (
        actors, name, &(TractorSpawnOptions){ .on_death = TRACTOR_ON_DEATH_RESTART }, error);
    if (pool->workers[i].portal == NULL)
      return FALSE;
  }
  return TRUE;
}

gboolean
pool_run (gpointer data, GError **error)
{
  Pool *pool = data;
  g_autofree Worker *workers = pool->workers = g_new0 (Worker, pool->n_workers);
  g_autoptr (TractorActorNursery) actors = tractor_actor_nursery_open_with_restarts (
      &(TractorRestartOptions){ .max_restarts = 1000000 }, error);

  if (actors != NULL && start_workers (pool, actors, error)) {
    g_autoptr (TractorNursery) requests = pool->requests = tractor_nursery_open ();

    pool->on_ready (pool->data);
    tractor_sleep_until (TRACTOR_NO_DEADLINE, error);
    pool->requests = NULL;
    tractor_nursery_join (requests, error);
  }
  for (int i = 0; i < pool->n_workers; i++)
    tractor_portal_unref (workers[i].portal);
  return actors != NULL && tractor_actor_nursery_join (actors, error);
}

char *
pool_describe (Pool *pool)
{
  GString *text = g_string_new (NULL);

  for (int i = 0; pool->requests != NULL && i < pool->n_workers; i++)
    g_string_append_printf (text, "worker-%d pid %d in flight %u\n", i + 1,
                            tractor_portal_get_pid (pool->workers[i].portal),
                            pool->workers[i].in_flight);
  g_string_append_printf (text, "in flight %d of %d\nanswered %zu\nfailed %zu\ntoo late %zu\n",
                          pool->in_flight, pool->max_in_flight, (size_t) pool->n_answered,
                          (size_t) pool->n_failed, (size_t) pool->n_late);
  g_string_append_printf (text, "refused %zu\ngiven up %zu\nasked again %zu\n",
                          (size_t) pool->n_refused, (size_t) pool->n_given_up,
                          (size_t) pool->n_again);
  return g_string_free (text, FALSE);
}
