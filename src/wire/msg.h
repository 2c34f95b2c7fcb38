/* msg.h - the protocol's messages: read in place, and written.
 *
 * The wire protocol is that of the Python project tractor: each frame holds one map whose key
 * "msg_type" names it. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#ifndef TRACTOR_SRC_BUILD
#error "private to src/"
#endif

#include "actor-id.h"
#include "address.h"
#include "codec.h"
#include "passed-fds.h"
#include "tractor-actor.h"
#include "wire.h"

typedef enum {
  MSG_AID,
  MSG_SPAWN_SPEC,
  MSG_START,
  MSG_START_ACK,
  MSG_STARTED,
  MSG_YIELD,
  MSG_STOP,
  MSG_RETURN,
  MSG_CANCEL_ACK,
  MSG_ERROR,
  MSG_CREDIT, /* ours: between peers that both offered it in their Aid */
} MsgType;

typedef enum {
  FIELD_CID,
  FIELD_NAME,
  FIELD_UUID,
  FIELD_PID,
  FIELD_IS_REGISTRAR,
  FIELD_IS_PROBE,
  FIELD_NS,
  FIELD_FUNC,
  FIELD_KWARGS,
  FIELD_UID,
  FIELD_FUNCTYPE,
  FIELD_PLD,
  FIELD_SRC_UID,
  FIELD_SRC_TYPE,
  FIELD_BOXED_TYPE,
  FIELD_RELAY_PATH,
  FIELD_MESSAGE,
  FIELD_BACKTRACE,
  FIELD_CANCELLER,
  FIELD_DOMAIN, /* of a GError */
  FIELD_CODE,
  FIELD_ENABLE_MODULES,
  FIELD_HOST,  /* which loop a child is to run on */
  FIELD_DEPTH, /* of a child in the tree */
  FIELD_SENDER,
  FIELD_PLD_SPEC,
  FIELD_CREDIT_ITEMS, /* room for items of a stream */
  FIELD_CREDIT_BYTES,
  FIELD_ADDRESSES, /* where a child listens */
  FIELD_REG_ADDRS,
  FIELD_BIND_ADDRS,
  FIELD_RUNTIME_VARS,
  FIELD_LOG_LEVEL,
  FIELD_LIMITS,
  FIELD_MEMBERS,       /* of an error that is a group */
  FIELD_FDS,           /* descriptors may be sent to it */
  FIELD_IS_REGISTERED, /* the parent is the registrar, and enters the child itself */
  FIELD_KEY,           /* what its sender is known by where the kernel does not say who it is */
  FIELD_DEBUG,         /* where a child asks for the debugger */
  N_FIELDS,

  /* What is written for upstream, and skipped when it is read. */
  FIELD_PARENT_MAIN_DATA = N_FIELDS,
  FIELD_BAD_MSG,
  FIELD_BAD_MSG_AS_DICT,
  N_KEYS,
} Field;

/* What of a message is above a limit of ours: who waits for it is told, and nothing else happens. */
typedef struct {
  guint64 fields;    /* FIELD_BIT() of each */
  gsize n_bytes;     /* of them */
  const char *limit; /* (nullable): which; NULL: nothing is left out */
} LeftOut;

#define FIELD_BIT(field) (G_GUINT64_CONSTANT (1) << (field))

/* A field that has been unpacked before anybody asked. */
typedef struct {
  GVariant *value; /* (nullable) */
  GError *error;   /* (nullable): why not */
} Unpacked;

G_GNUC_INTERNAL void tractor__unpacked_clear (Unpacked *unpacked);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Unpacked, tractor__unpacked_clear)

/* A message whose fields point into its frame. */
typedef struct {
  MsgType type;
  WireValue fields[N_FIELDS]; /* bytes NULL: not there, or nil, or left out */
  LeftOut left_out;
  PassedFds *fds;        /* (nullable): that came with it; whoever keeps a part of it refs them */
  const Unpacked *ahead; /* (nullable): the payload, or the keyword arguments */
} Msg;

/* Checks and reads a frame's body. Returns: FALSE with PROTOCOL, saying what is wrong and where. */
G_GNUC_INTERNAL gboolean tractor__msg_read (WireValue body, Msg *ret_msg, GError **error);
/* The same, more slowly: what it falls back to. */
G_GNUC_INTERNAL gboolean tractor__msg_read_in_any_order (WireValue body,
                                                         Msg *ret_msg,
                                                         GError **error);
/* The same from a peer that is known: payloads above the limits are left out. */
G_GNUC_INTERNAL gboolean tractor__msg_read_tolerantly (WireValue body,
                                                       Msg *ret_msg,
                                                       GError **error);
/* @body: what a Skim has kept of a message that is too large. */
G_GNUC_INTERNAL gboolean tractor__msg_read_kept (WireValue body,
                                                 const LeftOut *left_out,
                                                 Msg *ret_msg,
                                                 GError **error);
/* Returns: FALSE with MSG_TYPE, naming the limit, if something is left out. */
G_GNUC_INTERNAL gboolean tractor__msg_check_whole (const Msg *msg, GError **error);
/* The field of a key, or N_FIELDS for one that is not ours. */
G_GNUC_INTERNAL Field tractor__msg_find_field (const WireItem *key);
/* tractor__codec_unpack_as() of a field; also FALSE as tractor__msg_check_whole(). */
G_GNUC_INTERNAL gboolean tractor__msg_unpack_as (
    const Msg *msg, Field field, const GVariantType *type, GVariant **ret_value, GError **error);
/* The same of FIELD_KWARGS, to an a{sv}. */
G_GNUC_INTERNAL gboolean tractor__msg_unpack_kwargs (const Msg *msg,
                                                     GVariant **ret_kwargs,
                                                     GError **error);
/* Whether what these two unpack is so large that others are to have their turns meanwhile: then it is
 * unpacked ahead, since whoever it is for may be gone after that. */
G_GNUC_INTERNAL gboolean tractor__msg_is_large (const Msg *msg);
/* @payload_type: (nullable): of FIELD_PLD. Suspends, but is no cancel point. */
G_GNUC_INTERNAL void tractor__msg_unpack_ahead (const Msg *msg,
                                                const GVariantType *payload_type,
                                                Unpacked *ret_unpacked);

/* (transfer full) (nullable): of a StartAck; NULL if there is none, or it is Python's, which means
 * nothing here. */
G_GNUC_INTERNAL char *tractor__msg_dup_payload_spec (const Msg *msg);
/* (transfer full) (nullable): NULL if the field is not there. */
G_GNUC_INTERNAL char *tractor__msg_dup_string (const Msg *msg, Field field);
/* (transfer none) (nullable): no NUL ends it; NULL if the field is not there. */
G_GNUC_INTERNAL const char *
tractor__msg_get_string (const Msg *msg, Field field, gsize *ret_length);
G_GNUC_INTERNAL gboolean tractor__msg_string_equals (const Msg *msg,
                                                     Field field,
                                                     const char *string);
G_GNUC_INTERNAL gint64 tractor__msg_get_integer (const Msg *msg, Field field);
G_GNUC_INTERNAL gboolean tractor__msg_get_boolean (const Msg *msg, Field field);
/* A value in a map. Returns: FALSE if it is not there. */
G_GNUC_INTERNAL gboolean tractor__msg_find_in_map (const Msg *msg,
                                                   Field field,
                                                   const char *key,
                                                   WireValue *ret_value);
/* Of a [name, uuid] pair. */
G_GNUC_INTERNAL gboolean tractor__msg_id_equals (const Msg *msg, Field field, const ActorId *id);
/* Returns: FALSE if it is not there. */
G_GNUC_INTERNAL gboolean tractor__msg_get_id (const Msg *msg, Field field, ActorId *ret_id);
/* (transfer full) (array zero-terminated=1): "name@uuid" of each pair in an array, at most
 * LIMIT_RELAYS of them. */
G_GNUC_INTERNAL char **tractor__msg_dup_ids (const Msg *msg, Field field);
/* (transfer full) (array zero-terminated=1) (nullable): the keys of a map; NULL if it is not there. */
G_GNUC_INTERNAL char **tractor__msg_dup_keys (const Msg *msg, Field field);

/* Room that a receiver has for what it has not taken yet. Both 0: it counts nothing, as upstream. */
typedef struct {
  gint64 items;
  gint64 bytes;
} Credit;

typedef struct {
  const ActorId *id;
  gboolean is_registrar;
  gboolean is_probe;
  Credit credit;              /* of each stream that the sender of the Aid receives */
  const GPtrArray *addresses; /* (nullable) (element-type Address): where it listens */
  const char *key;            /* (nullable): said only to whom one connects to */
} AidMsg;

G_GNUC_INTERNAL void tractor__msg_write_aid (WireBuffer *buffer, const AidMsg *aid);
/* What a peer that counts gives each stream at first; 0 if it does not. */
G_GNUC_INTERNAL Credit tractor__msg_get_credit (const Msg *msg);

typedef struct {
  ActorId id;                 /* what the child is to be called */
  const char *const *modules; /* (nullable): all */
  const char *host;           /* (nullable): the first */
  guint depth;
  const GPtrArray *registrars; /* (element-type Address): where to register */
  gboolean is_registered;      /* with its parent, by its parent */
  const GPtrArray *listen;     /* (nullable) (element-type Address): NULL: anywhere that suits */
  gboolean uses_tcp;           /* what suits */
  const Address *root;         /* (nullable): where the root listens */
  const char *log_level;       /* (nullable) */
  const char *debug;           /* (nullable): where it asks for the debugger; NULL: it does not */
  gboolean is_python_debugged; /* a Python one is in debug mode */
  const TractorLimits *limits; /* (nullable) */
  const char *key;             /* what the child is to be known by */
} SpawnSpec;

G_GNUC_INTERNAL void tractor__msg_write_spawn_spec (WireBuffer *buffer, const SpawnSpec *spec);
/* @function: "module:function". @kwargs: (nullable). Returns: FALSE with MSG_TYPE, or with @error unset as
 * tractor__codec_pack(), and nothing written. */
G_GNUC_INTERNAL gboolean tractor__msg_write_start (WireBuffer *buffer,
                                                   const char *cid,
                                                   const char *function,
                                                   GVariant *kwargs,
                                                   const ActorId *self,
                                                   PackPace pace,
                                                   GError **error);
/* The same with keyword arguments that are msgpack already. */
G_GNUC_INTERNAL gboolean tractor__msg_write_start_packed (WireBuffer *buffer,
                                                          const char *cid,
                                                          const char *function,
                                                          WireValue kwargs,
                                                          const ActorId *self,
                                                          GError **error);
/* @payload_spec: (nullable): tells a C peer what the payloads will be. */
G_GNUC_INTERNAL void tractor__msg_write_start_ack (WireBuffer *buffer,
                                                   const char *cid,
                                                   const char *functype,
                                                   const char *payload_spec);
/* A Started, Yield or Return. @value: (nullable): NULL is nil. Returns: FALSE with MSG_TYPE, or with @error
 * unset as tractor__codec_pack(), and nothing written. */
G_GNUC_INTERNAL gboolean tractor__msg_write_payload (WireBuffer *buffer,
                                                     MsgType type,
                                                     const char *cid,
                                                     GVariant *value,
                                                     PackPace pace,
                                                     GError **error);
/* The same with a value that is msgpack already. */
G_GNUC_INTERNAL gboolean tractor__msg_write_packed (
    WireBuffer *buffer, MsgType type, const char *cid, WireValue value, GError **error);
/* How much of a Yield's frame is not its payload. */
G_GNUC_INTERNAL gsize tractor__msg_get_yield_overhead (const char *cid);
G_GNUC_INTERNAL void tractor__msg_write_stop (WireBuffer *buffer, const char *cid);
G_GNUC_INTERNAL void tractor__msg_write_credit (WireBuffer *buffer, const char *cid, Credit credit);
G_GNUC_INTERNAL void tractor__msg_write_cancel_ack (WireBuffer *buffer, const char *cid);

typedef struct {
  const char *src_uid; /* "name@uuid" */
  const char *src_type;
  const char *boxed_type;
  const char *const *relay_path; /* (array zero-terminated=1) */
  const char *message;
  const char *backtrace;
  const char *canceller; /* (nullable) */
  const char *sender;    /* (nullable): whose messages were too many */
  const char *cid;
  const char *domain; /* (nullable) */
  gint64 code;
  WireValue members; /* of a group: an array of errors; bytes NULL: it is none */
} ErrorMsg;

G_GNUC_INTERNAL void tractor__msg_write_error (WireBuffer *buffer, const ErrorMsg *error_msg);
/* The same without a frame: a member of a group. */
G_GNUC_INTERNAL void tractor__msg_write_error_value (WireBuffer *buffer, const ErrorMsg *error_msg);
