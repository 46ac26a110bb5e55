/* The tie to the hub as $edgeAgent: which hub, identity, connection, renewal of its token, new
 * attempts with growing pauses, and the twin's topics. Loop thread only. */
#ifndef BERTH_EDGED_CLOUD_H
#define BERTH_EDGED_CLOUD_H

#include "vm/guest/edged/credential.h"
#include "vm/guest/edged/device.h"

#include <stdint.h>
#include <uv.h>

struct cloud;
struct identity;

enum cloud_word {
    CLOUD_CONNECTING,
    CLOUD_CONNECTED,
    CLOUD_DISCONNECTED,
    CLOUD_REFUSED,
    CLOUD_WORD_COUNT
};
const char *cloud_word_name(enum cloud_word word);

struct cloud_events {
    /* The device became known, which cloud_device() tells from now on. Where it is another than
     * before, everything that was made for the former one must go: the cloud has stopped. */
    void (*on_device)(void *arg, const struct device *device);
    void (*on_state)(void *arg); /* cloud_state() changed */
    void (*on_twin)(void *arg, const char *text,
                    size_t len); /* the whole twin: after each connect, and when asked for */
    void (*on_patch)(void *arg, const char *text, size_t len); /* desired properties changed */
    void (*on_reported)(void *arg, bool ok);                   /* the answer to cloud_report() */
    /* A direct method was called; RID is for cloud_answer(). */
    void (*on_method)(void *arg, const char *name, const char *rid, const char *data, size_t len);
};

#define CLOUD_METHOD_NAME_MAX 128
#define CLOUD_METHOD_RID_MAX  64

struct cloud_state {
    enum cloud_word word;
    uint64_t since_ms; /* wall clock */
    const char *error; /* why not connected; "" */
};

struct cloud_options {
    const struct config *config;
    struct credential *credential;
    const struct keys *keys;
    uint16_t https_port; /* of the hub's REST */
    const char *state_dir;
};

/* What is borrowed outlives it. NULL with ERR where proxy, certificate or keys cannot be used. */
struct cloud *cloud_new(uv_loop_t *loop, const struct cloud_options *options,
                        const struct cloud_events *events, void *arg, struct err *err);
void cloud_free(struct cloud *c); /* says goodbye to the hub where connected */

/* NULL as long as it is not known; after cloud_new() already where it is from before. */
const struct device *cloud_device(const struct cloud *c);
struct identity *cloud_identity(
    const struct cloud *c); /* NULL as long as the device is not known */
struct cloud_state cloud_state(const struct cloud *c);
void cloud_get_twin(struct cloud *c); /* no-op while not connected: each connect asks anyway */
/* Sends a patch of reported properties. False where that cannot be now: not connected, or the last
 * one is not answered yet. */
bool cloud_report(struct cloud *c, const char *text, size_t len);
/* The same without waiting for an answer: the last thing before the end. */
void cloud_report_last(struct cloud *c, const char *text, size_t len);
/* Answers a direct method; lost where the connection is gone: then nobody waits any more. */
void cloud_answer(struct cloud *c, const char *rid, int status, const char *body, size_t len);

#endif
