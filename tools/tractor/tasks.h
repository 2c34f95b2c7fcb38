/* tasks.h - the tasks of an actor, as text. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "peek.h"

typedef enum {
  TASKS_ALL = 0,
  TASKS_EACH = 1 << 0, /* each by itself, also if many are the same */
  TASKS_WITHOUT_LIBRARYS =
      1 << 1 /* not the library's own tasks and scopes, nor its functions in stacks */
} TasksFlags;

/* Tasks that are the same but for their names and numbers. */
typedef struct {
  GPtrArray *tasks; /* (element-type PeekTask): not owned; the first is shown for all */
} TaskGroup;

/* (transfer full) (element-type TaskGroup): in the order of their first tasks. They live no longer than @tasks. */
GPtrArray *tasks_group (Peek *peek, const GPtrArray *tasks, TasksFlags flags);
/* Of all groups. */
guint tasks_count (const GPtrArray *groups);
const PeekTask *task_group_get_first (const TaskGroup *group);
/* The earliest of those that sleep, from now on; -1: they do not. */
gint64 task_group_get_usec_left (const TaskGroup *group);

/* (transfer none) */
const char *task_describe_state (const PeekTask *task);
/* @i: which of its frames. Returns: whether it is to be shown. */
gboolean task_describe_frame (
    Peek *peek, const PeekTask *task, guint i, TasksFlags flags, PlaceInCode *ret_frame);

/* Whether that is code of the program: not of the library, nor of what that stands on. */
gboolean tasks_is_programs (const PlaceInCode *place);

/* A line: which tasks, and what they wait for; and one with the call of another actor that they run. */
void task_group_append_heading (GString *out, const TaskGroup *group);
/* A line for each of the scopes around it. */
void task_append_scopes (GString *out, const PeekTask *task, TasksFlags flags);
/* Whether that one is to be shown. */
gboolean task_shows_scope (const PeekScope *scope, TasksFlags flags);
/* A line for each frame. */
void task_append_frames (GString *out, Peek *peek, const PeekTask *task, TasksFlags flags);
/* All that, of each group. */
void task_groups_append (GString *out, Peek *peek, const GPtrArray *groups, TasksFlags flags);
void tasks_append (GString *out, Peek *peek, const GPtrArray *tasks, TasksFlags flags);
