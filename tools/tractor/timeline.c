/* timeline.c - traces of actors as one file that Perfetto shows.
 *
 * It is Chrome's "Trace Event Format" in JSON, which Perfetto reads: an actor is a process there, a task a thread, a step a
 * complete event ("X"). What is no task's, as what a deadline does while none runs, is on a thread of its own, "loop". A
 * message is a flow, from "s" in the step that sends it, by way of "t", where the connection of the receiver reads it, to "f",
 * where the task has it that it is for; or only to the reader, where that is all that was noted. An arrow of which one end
 * is missing, as to an actor that is not traced, is left out.
 *
 * All is sorted by time; a step comes before what is in it. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "timeline.h"

#include <string.h>

#include "text.h"

/* In the order in which they are written at the same time. */
typedef enum {
  EVENT_STEP,
  EVENT_INSTANT,
  EVENT_SENT,
  EVENT_RECEIVED,
  EVENT_TAKEN
} EventKind;

typedef struct {
  gint64 nsec;
  gint64 duration; /* (STEP) */
  EventKind kind;
  gboolean is_of_process; /* (INSTANT): and not of a task */
  gint64 pid;
  guint64 tid;
  const char *name;
  const char *detail; /* (nullable) */
  guint64 message;
} Event;

/* What is known of one message: how often each was noted, and when. */
typedef struct {
  guint n_sent;
  guint n_received;
  guint n_taken;
  gint64 sent;
  gint64 received;
  gint64 taken;
} Message;

typedef struct {
  RingClock clock;
  GArray *events;       /* (element-type Event) */
  GHashTable *messages; /* number: (element-type Message) */
  GStringChunk *texts;
} Timeline;

/* One actor's, while it is gone through. */
typedef struct {
  Timeline *timeline;
  gint64 pid;
  GHashTable *names; /* task: (element-type utf8) */
  guint64 task;      /* that has the processor, or 0 */
  gint64 since;
  gint64 now;
} Actor;

/* --- of one actor -------------------------------------------------------------------------------- */

static const char *
keep (Timeline *timeline, const char *text)
{
  return g_string_chunk_insert_const (timeline->texts, text);
}

static const char *
get_task_name (const Actor *actor, guint64 task)
{
  const char *name = g_hash_table_lookup (actor->names, &task);

  return name != NULL ? name : "?";
}

static void
add (Actor *actor, Event event)
{
  event.pid = actor->pid;
  g_array_append_val (actor->timeline->events, event);
}

/* @detail: (nullable): "" is none */
static void
add_instant (Actor *actor, guint64 task, const char *name, const char *detail)
{
  add (actor, (Event){ .nsec = actor->now,
                       .kind = EVENT_INSTANT,
                       .tid = task,
                       .name = keep (actor->timeline, name),
                       .detail = detail != NULL && *detail != '\0' ? keep (actor->timeline, detail)
                                                                   : NULL });
}

static void
end_step (Actor *actor)
{
  if (actor->task != 0)
    add (actor, (Event){ .nsec = actor->since,
                         .duration = actor->now - actor->since,
                         .kind = EVENT_STEP,
                         .tid = actor->task,
                         .name = get_task_name (actor, actor->task) });
}

static void
begin_step (Actor *actor, guint64 task)
{
  end_step (actor);
  actor->task = task;
  actor->since = actor->now;
}

static void
name_task (Actor *actor, guint64 task, const char *name)
{
  g_hash_table_replace (actor->names, g_memdup2 (&task, sizeof task),
                        (gpointer) keep (actor->timeline, name));
}

static void
spawn_task (Actor *actor, guint64 task, const char *name)
{
  g_autofree char *what = g_strdup_printf ("spawn %s", name);

  name_task (actor, task, name);
  add_instant (actor, actor->task, what, NULL);
}

static void
cancel_scope (Actor *actor, guint64 owner, guint32 source, const char *reason)
{
  add_instant (actor, owner, source == TRACTOR_CANCEL_DEADLINE ? "deadline" : "cancel", reason);
}

static const char *
get_message_name (guint32 type)
{
  static const char *const names[] = {
    [TRACTOR_TRACE_MESSAGE_START] = "Start",
    [TRACTOR_TRACE_MESSAGE_START_ACK] = "StartAck",
    [TRACTOR_TRACE_MESSAGE_STARTED] = "Started",
    [TRACTOR_TRACE_MESSAGE_YIELD] = "Yield",
    [TRACTOR_TRACE_MESSAGE_STOP] = "Stop",
    [TRACTOR_TRACE_MESSAGE_RETURN] = "Return",
    [TRACTOR_TRACE_MESSAGE_CANCEL_ACK] = "CancelAck",
    [TRACTOR_TRACE_MESSAGE_ERROR] = "Error",
  };

  return type < G_N_ELEMENTS (names) && names[type] != NULL ? names[type] : "message";
}

static void
note_message (Message *message, EventKind kind, gint64 now)
{
  switch (kind) {
  case EVENT_SENT:
    message->n_sent++;
    message->sent = now;
    break;
  case EVENT_RECEIVED:
    message->n_received++;
    message->received = now;
    break;
  case EVENT_TAKEN:
    message->n_taken++;
    message->taken = now;
    break;
  case EVENT_STEP:
  case EVENT_INSTANT:
  default:
    break;
  }
}

/* An arrow begins and ends in a step, or it is none. */
static void
add_message (Actor *actor, EventKind kind, const TractorTraceRecord *record, const char *function)
{
  Message *message = g_hash_table_lookup (actor->timeline->messages, &record->id);

  if (actor->task == 0)
    return;
  if (message == NULL) {
    message = g_new0 (Message, 1);
    g_hash_table_insert (actor->timeline->messages, g_memdup2 (&record->id, sizeof record->id),
                         message);
  }
  note_message (message, kind, actor->now);
  add (actor, (Event){ .nsec = actor->now,
                       .kind = kind,
                       .tid = actor->task,
                       .name = get_message_name (record->arg),
                       .detail = *function != '\0' ? keep (actor->timeline, function) : NULL,
                       .message = record->id });
}

static void
tell_of_actor (Actor *actor, const char *what, gint pid, const char *text)
{
  g_autofree char *name = g_strdup_printf ("%s (process %d)", what, pid);

  add_instant (actor, actor->task, name, text);
}

static void
tell_of_process (Actor *actor, const char *what, guint64 number)
{
  g_autofree char *name = number != 0 ? g_strdup_printf ("%s %d", what, (int) number) : NULL;

  add_instant (actor, actor->task, name != NULL ? name : what, NULL);
  g_array_index (actor->timeline->events, Event, actor->timeline->events->len - 1).is_of_process =
      TRUE;
}

static void
take (Actor *actor, const TractorTraceRecord *record, const char *text)
{
  switch (record->point) {
  case TRACTOR_TRACE_STEP:
    begin_step (actor, record->id);
    break;
  case TRACTOR_TRACE_TASK:
    name_task (actor, record->id, text);
    break;
  case TRACTOR_TRACE_TASK_SPAWNED:
    spawn_task (actor, record->id, text);
    break;
  case TRACTOR_TRACE_TASK_EXITED:
    add_instant (actor, record->id, "exit", NULL);
    break;
  case TRACTOR_TRACE_CANCELLED:
    cancel_scope (actor, record->id, record->arg, text);
    break;
  case TRACTOR_TRACE_SENT:
    add_message (actor, EVENT_SENT, record, text);
    break;
  case TRACTOR_TRACE_RECEIVED:
    add_message (actor, EVENT_RECEIVED, record, text);
    break;
  case TRACTOR_TRACE_TAKEN:
    add_message (actor, EVENT_TAKEN, record, text);
    break;
  case TRACTOR_TRACE_ACTOR_STARTED:
    tell_of_actor (actor, "start actor", (gint) record->id, text);
    break;
  case TRACTOR_TRACE_ACTOR_ENDED:
    tell_of_actor (actor, "actor has ended", (gint) record->id, text);
    break;
  case TRACTOR_TRACE_PAUSED:
    tell_of_process (actor, "pause", 0);
    break;
  case TRACTOR_TRACE_RESUMED:
    tell_of_process (actor, "resume", 0);
    break;
  case TRACTOR_TRACE_CRASHED:
    tell_of_process (actor, "crash by signal", record->id);
    break;
  case TRACTOR_TRACE_CLOCK:
  default: /* a later version's */
    break;
  }
}

/* A task that was there before what is left of a ring is named somewhere behind it. */
static void
name_all_tasks (Actor *actor, const Ring *ring)
{
  g_autoptr (GString) text = g_string_new (NULL);
  TractorTraceRecord record;
  guint at = 0;

  while (ring_next (ring, &at, &record, text))
    if (record.point == TRACTOR_TRACE_TASK || record.point == TRACTOR_TRACE_TASK_SPAWNED)
      name_task (actor, record.id, text->str);
}

/* What it has noted is in order, also where the clocks of two processors are not quite the same. */
static void
go_through (Actor *actor, const Ring *ring)
{
  g_autoptr (GString) text = g_string_new (NULL);
  TractorTraceRecord record;
  guint at = 0;

  name_all_tasks (actor, ring);
  while (ring_next (ring, &at, &record, text)) {
    actor->now = MAX (actor->now, ring_clock_get_nsec (&actor->timeline->clock, record.ticks));
    take (actor, &record, text->str);
  }
  end_step (actor); /* in which it was killed */
}

/* --- writing it ---------------------------------------------------------------------------------- */

static void
begin_event (GString *json, const char *phase, const char *name, gint64 pid, guint64 tid)
{
  json_open (json, NULL, '{');
  json_add_text (json, "ph", phase);
  json_add_text (json, "name", name);
  json_add_number (json, "pid", pid);
  json_add_number (json, "tid", (gint64) tid);
}

static void
end_event (GString *json, FILE *out, gboolean *is_first)
{
  json_close (json, '}');
  if (!*is_first)
    fputs (",\n", out);
  *is_first = FALSE;
  fwrite (json->str, 1, json->len, out);
  g_string_truncate (json, 0);
}

/* In microseconds, as the format wants it, to the nanosecond. */
static void
add_time (GString *json, const char *key, gint64 nsec)
{
  guint64 size = nsec < 0 ? -(guint64) nsec : (guint64) nsec;

  g_string_append_printf (json, ",\"%s\":%s%" G_GUINT64_FORMAT ".%03u", key, nsec < 0 ? "-" : "",
                          size / 1000, (guint) (size % 1000));
}

static void
add_detail (GString *json, const char *key, const char *text)
{
  if (text == NULL)
    return;
  json_open (json, "args", '{');
  json_add_text (json, key, text);
  json_close (json, '}');
}

/* --- arrows -------------------------------------------------------------------------------------- */

/* What comes before it was sent is by another machine's clock. */
static gboolean
has_end (const Message *message)
{
  return message->n_taken == 1 && message->taken >= message->sent;
}

static gboolean
is_way_shown (const Message *message)
{
  return message->n_received == 1 && message->received >= message->sent &&
         (!has_end (message) || message->received <= message->taken);
}

/* Both ends of it are there, once. */
static gboolean
is_arrow (const Message *message)
{
  return message->n_sent == 1 && message->n_received <= 1 && message->n_taken <= 1 &&
         (has_end (message) || is_way_shown (message));
}

/* Whether this is of an arrow that has two ends, or is no arrow's. */
static gboolean
is_shown (const Event *event, const Message *message)
{
  switch (event->kind) {
  case EVENT_SENT:
    return is_arrow (message);
  case EVENT_RECEIVED:
    return is_arrow (message) && is_way_shown (message);
  case EVENT_TAKEN:
    return is_arrow (message) && has_end (message);
  case EVENT_STEP:
  case EVENT_INSTANT:
  default:
    return TRUE;
  }
}

/* Whether it ends there. */
static gboolean
is_end (const Event *event, const Message *message)
{
  return event->kind == EVENT_TAKEN || (event->kind == EVENT_RECEIVED && !has_end (message));
}

/* --- writing an event ---------------------------------------------------------------------------- */

static void
add_flow (GString *json, const Event *event, const Message *message)
{
  g_string_append_printf (json, ",\"id\":\"0x%" G_GINT64_MODIFIER "x\"", event->message);
  if (is_end (event, message))
    json_add_text (json, "bp",
                   "e"); /* it ends in the step that it is in, and not in the next one */
}

static void
write_event (const Event *event, const Message *message, GString *json)
{
  static const char *const phases[] = { "X", "i", "s", "t", "f" };
  const char *phase = phases[event->kind];

  if (event->kind == EVENT_RECEIVED && is_end (event, message))
    phase = "f";
  begin_event (json, phase, event->name, event->pid, event->tid);
  add_time (json, "ts", event->nsec);
  switch (event->kind) {
  case EVENT_STEP:
    json_add_text (json, "cat", "step");
    add_time (json, "dur", event->duration);
    break;
  case EVENT_INSTANT:
    json_add_text (json, "cat", "event");
    json_add_text (json, "s", event->is_of_process ? "p" : "t");
    add_detail (json, "detail", event->detail);
    break;
  case EVENT_SENT:
  case EVENT_RECEIVED:
  case EVENT_TAKEN:
  default:
    json_add_text (json, "cat", "message");
    add_flow (json, event, message);
    add_detail (json, "function", event->detail);
    break;
  }
}

static int
compare_events (gconstpointer a, gconstpointer b)
{
  const Event *one = a;
  const Event *other = b;

  if (one->nsec != other->nsec)
    return one->nsec < other->nsec ? -1 : 1;
  return (int) one->kind - (int) other->kind;
}

static void
write_events (const Timeline *timeline, FILE *out, gboolean *is_first)
{
  g_autoptr (GString) json = g_string_new (NULL);

  for (guint i = 0; i < timeline->events->len; i++) {
    const Event *event = &g_array_index (timeline->events, Event, i);
    const Message *message = event->kind >= EVENT_SENT
                                 ? g_hash_table_lookup (timeline->messages, &event->message)
                                 : NULL;

    if (!is_shown (event, message))
      continue;
    write_event (event, message, json);
    end_event (json, out, is_first);
  }
}

/* What an actor and its tasks are called, and in which order they are shown. */
static void
write_names (const Actor *actor, const Ring *ring, guint place, FILE *out, gboolean *is_first)
{
  g_autofree char *title = g_strdup_printf ("%s (process %d)%s", ring->title, ring->pid,
                                            ring->is_whole ? "" : ", the last of it");
  g_autoptr (GString) json = g_string_new (NULL);
  GHashTableIter iter;
  gpointer task;
  gpointer name;

  begin_event (json, "M", "process_name", actor->pid, 0);
  add_detail (json, "name", title);
  end_event (json, out, is_first);
  begin_event (json, "M", "process_sort_index", actor->pid, 0);
  json_open (json, "args", '{');
  json_add_number (json, "sort_index", place);
  json_close (json, '}');
  end_event (json, out, is_first);
  begin_event (json, "M", "thread_name", actor->pid, 0);
  add_detail (json, "name", "loop");
  end_event (json, out, is_first);
  g_hash_table_iter_init (&iter, actor->names);
  while (g_hash_table_iter_next (&iter, &task, &name)) {
    begin_event (json, "M", "thread_name", actor->pid, *(guint64 *) task);
    add_detail (json, "name", name);
    end_event (json, out, is_first);
  }
}

/* A process that had one run after another, or has several, has a number for each. */
static gint64
choose_pid (GHashTable *taken, gint64 pid)
{
  while (!g_hash_table_add (taken, g_memdup2 (&pid, sizeof pid)))
    pid += 10000000; /* more than there are processes */
  return pid;
}

void
timeline_write (FILE *out, const GPtrArray *rings)
{
  g_autoptr (GHashTable) pids = g_hash_table_new_full (g_int64_hash, g_int64_equal, g_free, NULL);
  g_autoptr (GArray) events = g_array_new (FALSE, FALSE, sizeof (Event));
  g_autoptr (GHashTable) messages =
      g_hash_table_new_full (g_int64_hash, g_int64_equal, g_free, g_free);
  Timeline timeline = { .events = events, .messages = messages };
  gboolean is_first = TRUE;

  timeline.texts = g_string_chunk_new (4096);
  ring_clock_init (&timeline.clock, rings);
  fputs ("{\"displayTimeUnit\":\"ns\",\"traceEvents\":[\n", out);
  for (guint i = 0; i < rings->len; i++) {
    const Ring *ring = rings->pdata[i];
    g_autoptr (GHashTable) names =
        g_hash_table_new_full (g_int64_hash, g_int64_equal, g_free, NULL);
    Actor actor = { .timeline = &timeline, .pid = choose_pid (pids, ring->pid), .names = names };

    go_through (&actor, ring);
    write_names (&actor, ring, i, out, &is_first);
  }
  g_array_sort (events, compare_events);
  write_events (&timeline, out, &is_first);
  fputs ("\n]}\n", out);
  g_string_chunk_free (timeline.texts);
}
