/* loops.h - loops with a life of their own, to which a guest is attached. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "tractor-host.h"

typedef struct {
  const char *name;
  gpointer (*new) (void);
  TractorGuest *(*attach) (gpointer loop,
                           TractorTaskFunc main,
                           gpointer data,
                           TractorDoneFunc done,
                           gpointer done_data,
                           GError **error);
  void (*run) (gpointer loop); /* until stop() */
  void (*stop) (gpointer loop);
  /* A callback of the loop's own, in @msec. */
  void (*call_later) (gpointer loop, guint msec, TractorSoonFunc func, gpointer data);
  void (*free) (gpointer loop);
} Loop;

enum {
  LOOP_GLIB,
  LOOP_UV
};

/* A NULL name ends them. A new host is accepted when conformance.c passes with a row here. */
extern const Loop loops[];
