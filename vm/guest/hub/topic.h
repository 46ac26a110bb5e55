/* IoT Hub's MQTT topics, subscription filters, user names and property bags. Pure; any thread. */
#ifndef BERTH_HUB_TOPIC_H
#define BERTH_HUB_TOPIC_H

#include "core/base/buf.h"
#include "core/base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define IDENTITY_ID_MAX 130

/* A topic that a client publishes to. */
enum topic_kind { TOPIC_TELEMETRY, TOPIC_TWIN_GET, TOPIC_TWIN_REPORT, TOPIC_METHOD_REPLY };

struct topic {
    enum topic_kind kind;
    char device[IDENTITY_ID_MAX], module[IDENTITY_ID_MAX]; /* telemetry: as the topic names them */
    const char *bag; /* telemetry: the property bag, still encoded, in the topic */
    size_t bag_len;
    char rid[80];
    unsigned status;  /* method reply */
    bool has_version; /* report: the version it is based on */
    uint64_t version;
};

/* ERR_INVALID where a hub knows no such topic. */
int topic_parse(const char *text, size_t len, struct topic *ret, struct err *err);

/* What can be subscribed to, as bits: a hub has no free topic space. */
enum topic_sub {
    SUB_TWIN_REPLY = 1,
    SUB_TWIN_DESIRED = 2,
    SUB_METHODS = 4,
    SUB_DEVICEBOUND = 8,
    SUB_INPUTS = 16,
};

/* The bit of a filter that a client with this identity may subscribe to; 0 where it may not. */
unsigned topic_filter(const char *text, size_t len, const char *device, const char *module);

/* "{host}/{device}[/{module}]/[?]api-version=...&..." of a CONNECT. */
struct topic_user {
    char device[IDENTITY_ID_MAX], module[IDENTITY_ID_MAX];
    char api_version[40];
};
int topic_parse_user(const char *text, size_t len, struct topic_user *ret, struct err *err);

/* Calls FN for each property of a bag, decoded, until it returns false. VALUE is NULL for a key
 * without '='. False where the bag is malformed. */
bool topic_bag_each(const char *bag, size_t len,
                    bool (*fn)(void *arg, const char *key, const char *value), void *arg);

/* 1 to 128 characters of the alphabet of device and module ids. */
bool identity_id_valid(const char *id);

#endif
