/* The engine's socket and who is connected to it. Only processes of our own user get in. A client
 * that does not read loses snapshots and log lines (it gets newer ones, and gap counts); one that
 * lets answers pile up is put out. Loop thread only. */
#ifndef BERTH_ENGINE_SERVER_H
#define BERTH_ENGINE_SERVER_H

#include "core/base/err.h"
#include "core/engine/dispatch.h"

#include <uv.h>

#define SERVER_CLIENTS_MAX 64

struct server;

struct server_options {
    uv_loop_t *loop;
    const char *path; /* of the socket; a stale one is replaced: the caller holds the lock */
    const struct rpc_method *const *tables;
    void *owner; /* gets the calls and the events */
    void (*on_gone)(void *owner, uint64_t client);
    void (*on_drain)(void *owner, uint64_t client); /* everything that waited for it is sent */
};

struct server *server_new(const struct server_options *options, struct err *err);
void server_free(struct server *s); /* NULL is fine */

size_t server_clients(const struct server *s);

/* Sends a notification; false where the client is gone or does not read. Takes PARAMS. */
bool server_notify(struct server *s, uint64_t client, const char *method, cJSON *take_params);

/* Bytes that wait for it; SIZE_MAX where it is gone. */
size_t server_queued(const struct server *s, uint64_t client);

/* Who wants event.snapshot. */
void server_watch(struct server *s, uint64_t client);
size_t server_watchers(const struct server *s);
/* Sends SNAPSHOT to every watcher that has read what it got before; the others get the then newest
 * by server_catch_up(). */
void server_send_snapshot(struct server *s, cJSON *take_snapshot);
/* True where the client missed a snapshot and has read everything else; it counts as caught up
 * then. */
bool server_catch_up(struct server *s, uint64_t client);

#endif
