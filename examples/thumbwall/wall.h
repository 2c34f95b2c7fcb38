/* wall.h - what the parts of the wall share. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gtk/gtk.h>
#include <tractor-glib-tree.h>
#include <tractor.h>

/* A room is memory that a decoder writes into and the window shows: places, each for one picture. */
#define PLACE_PIXELS 128
#define PLACE_BYTES  (PLACE_PIXELS * PLACE_PIXELS * 4)
#define N_PLACES     384
#define ROOM_BYTES   ((gsize) N_PLACES * PLACE_BYTES)

/* "enter" (room): from now on it writes there. "decode" (path, place): returns the picture's (width,
 * height) there. */
extern const TractorExport decoder_exports[];

/* A tile that has come into sight, and what is to be seen on it. */
typedef struct {
  char *path;
  gpointer tile; /* (nullable): NULL: it is out of sight again */
} Request;

typedef struct {
  guint n_workers;
  GQueue wanted;           /* (element-type Request): the latest first: it is what is looked at */
  TractorParkingLot *idle; /* (nullable): while it runs, as is the next */
  TractorActorNursery *actors;
  TractorGlibNode *tree; /* of the processes */
  guint n_decoded, n_failed;
  /* What came of it: a texture, or what went wrong. */
  void (*show) (gpointer tile, const char *path, GdkTexture *texture, const char *error);
} Pool;

/* A task's body: decodes what is wanted until it is cancelled. @data is the Pool. */
gboolean pool_run (gpointer data, GError **error);
/* @request: (transfer full) */
void pool_want (Pool *pool, Request *request);
void pool_unwant (Pool *pool, Request *request);

/* Makes so many in @directory, bad ones among them. */
gboolean make_test_pictures (const char *directory, guint n, GError **error);
