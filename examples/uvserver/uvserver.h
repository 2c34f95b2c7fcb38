/* uvserver.h - what the parts of the server share. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <tractor-uv.h>
#include <tractor.h>

/* "factor" (n): the smallest divisor of a number, both as text. */
extern const TractorExport work_exports[];

typedef struct _Request Request;

typedef struct {
  TractorPortal *portal;
  guint in_flight;
} Worker;

typedef struct {
  int n_workers;
  int max_in_flight;
  int deadline_msec;
  void (*on_ready) (gpointer data);
  gpointer data;
  TractorNursery *requests; /* (nullable): while it is there */
  Worker *workers;
  int in_flight;
  guint64 n_answered, n_failed, n_late, n_refused, n_given_up, n_again;
} Pool;

/* A task's body, as long as the server runs: the actors that work, and a place for what they are asked.
 * @data is the Pool. */
gboolean pool_run (gpointer data, GError **error);

/* What came of a request: a status of HTTP. @text: (transfer full) */
typedef void (*AnswerFunc) (gpointer client, int status, char *text);
/* Asks whichever actor has the least to do for a factor of @number; and again, if it dies. Returns: (transfer
 * none): for pool_give_up(); NULL if as much is in flight as may be, or the pool is not there. */
Request *pool_ask (Pool *pool, const char *number, AnswerFunc answer, gpointer client);
/* Nobody waits for it any more: what runs for it is cancelled, and it is not answered. */
void pool_give_up (Request *request);
/* (transfer full) */
char *pool_describe (Pool *pool);

/* Accepts HTTP/1.1 from @listener until that is closed. Returns: 0, or an error of libuv's. */
int http_listen (uv_stream_t *listener, Pool *pool);
/* @connection: one that has been accepted. */
void http_close (uv_handle_t *connection);
