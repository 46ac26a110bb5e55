/* IoT Hub's MQTT topics, subscription filters, user names and property bags. Pure; any thread. */
#ifndef BERTH_HUB_TOPIC_H
#define BERTH_HUB_TOPIC_H

#include "core/base/buf.h"
#include "core/base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define IDENTITY_ID_MAX 130
#define HUB_NAME_MAX    64 /* a hub's host name and its end */

#define TOPIC_RID_MAX 80

/* A part of a text, where it stands. */
struct topic_span {
    const char *at;
    size_t len;
};
bool topic_span_is(struct topic_span s, const char *text);

/* A topic that a client publishes to. */
enum topic_kind { TOPIC_TELEMETRY, TOPIC_TWIN_GET, TOPIC_TWIN_REPORT, TOPIC_METHOD_REPLY };

struct topic {
    enum topic_kind kind;
    struct topic_span device, module; /* telemetry: as the topic names them */
    struct topic_span bag;            /* telemetry: the property bag, still encoded */
    struct topic_span rid;            /* shorter than TOPIC_RID_MAX */
    unsigned status;                  /* method reply */
    bool has_version;                 /* report: the version it is based on */
    uint64_t version;
};

/* RET points into TEXT. ERR_INVALID where a hub knows no such topic, or its bag is malformed. */
int topic_parse(const char *text, size_t len, struct topic *ret, struct err *err);

/* Topics that a hub publishes to; TO has room for TOPIC_OUT_MAX. VERSION may be NULL. */
#define TOPIC_OUT_MAX 400
void topic_put_twin_reply(char *to, int status, struct topic_span rid, const uint64_t *version);
void topic_put_desired(char *to, uint64_t version);
void topic_put_method(char *to, const char *method, const char *rid);

/* A topic that a hub publishes to. */
enum topic_reply_kind { TOPIC_TWIN_REPLY, TOPIC_TWIN_DESIRED, TOPIC_METHOD, TOPIC_DEVICEBOUND };

struct topic_reply {
    enum topic_reply_kind kind;
    unsigned status;          /* twin reply */
    uint64_t version;         /* desired; twin reply: 0 where it has none */
    struct topic_span rid;    /* twin reply, method; shorter than TOPIC_RID_MAX */
    struct topic_span method; /* its name, still encoded */
    struct topic_span device; /* devicebound */
    struct topic_span bag;    /* the same: the property bag, still encoded */
};

/* RET points into TEXT. ERR_PROTOCOL where a hub does not publish to such a topic. */
int topic_parse_reply(const char *text, size_t len, struct topic_reply *ret, struct err *err);

/* What can be subscribed to, as bits: a hub has no free topic space. */
enum topic_sub {
    SUB_TWIN_REPLY = 1,
    SUB_TWIN_DESIRED = 2,
    SUB_METHODS = 4,
    SUB_DEVICEBOUND = 8,
    SUB_INPUTS = 16,
    SUB_DEVICEBOUND_QOS1 = 32, /* messages to the device are to be acknowledged */
    SUB_INPUTS_QOS0 = 64,      /* messages to inputs are not */
};

/* The bit of a filter that a client with this identity may subscribe to; 0 where it may not.
 * Messages to the device have all the wider filters, too, that SDKs and samples use. */
unsigned topic_filter(const char *text, size_t len, const char *device, const char *module);

#define TOPIC_CHAIN_MAX (4 * IDENTITY_ID_MAX) /* "DEVICE/MODULE;DEVICE;EDGE" */

/* "{host}/{device}[/{module}]/[?]api-version=...&..." of a CONNECT. */
struct topic_user {
    char host[254]; /* with its port where it has one */
    char device[IDENTITY_ID_MAX], module[IDENTITY_ID_MAX];
    char api_version[40];
    char model_id[260];          /* "" where it names none */
    char chain[TOPIC_CHAIN_MAX]; /* on whose behalf it comes; "" where it speaks for itself */
};
int topic_parse_user(const char *text, size_t len, struct topic_user *ret, struct err *err);

/* Calls FN (may be NULL) for each property of a bag, decoded, until it returns false. VALUE is NULL
 * for a key without '='. False where the bag is malformed. */
bool topic_bag_each(const char *bag, size_t len,
                    bool (*fn)(void *arg, const char *key, const char *value), void *arg);

/* 1 to 128 characters of the alphabet of device and module ids. */
bool identity_id_valid(const char *id);

#endif
