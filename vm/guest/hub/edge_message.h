/* A message on its way through the edge hub: from a module's output or a leaf device, through the
 * routes (route.h) and the outbox (outbox.h), to module inputs and upstream. Plain data; whoever
 * fills it in says how long its pointers hold. Pure; any thread. */
#ifndef BERTH_HUB_EDGE_MESSAGE_H
#define BERTH_HUB_EDGE_MESSAGE_H

#include "core/base/buf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The numbers are in the outbox's database. */
enum edge_message_kind {
    EDGE_TELEMETRY = 0,
    EDGE_TWIN_CHANGE = 1, /* a client reported properties: /twinChangeNotifications */
};

struct edge_message {
    uint64_t id; /* the outbox's number, in order of arrival; 0 before it was added */
    enum edge_message_kind kind;
    const char *device; /* the sender */
    const char *module; /* "": a leaf device */
    const char *output; /* "": none was named */
    const char *model;  /* the model id of the sender's connection, or ""; routes see it, the outbox
                           does not keep it */
    /* System and application properties as they came, still percent-encoded. What it says of sender
     * and output counts for nothing: the members above do. */
    const char *bag;
    size_t bag_len;
    const void *body;
    size_t len;
    uint64_t created_ms; /* wall clock, when the hub took it */
};

/* System properties as conditions name them. Those behind EDGE_SYSTEM_WIRED come from the bag. */
enum edge_system {
    EDGE_CONNECTION_DEVICE,
    EDGE_CONNECTION_MODULE,
    EDGE_OUTPUT_NAME,
    EDGE_MODEL_ID,
    EDGE_MESSAGE_TYPE,
    EDGE_SYSTEM_WIRED,
    EDGE_MESSAGE_ID = EDGE_SYSTEM_WIRED,
    EDGE_CORRELATION_ID,
    EDGE_USER_ID,
    EDGE_TO,
    EDGE_CONTENT_TYPE,
    EDGE_CONTENT_ENCODING,
    EDGE_CREATION_TIME,
    EDGE_EXPIRY_TIME,
    EDGE_MESSAGE_SCHEMA,
    EDGE_SUBJECT,
    EDGE_INTERFACE_ID,
    EDGE_OPERATION,
    EDGE_ACK,
    EDGE_SYSTEM_COUNT
};

/* By the name in a condition ("contentType"), whatever its case; EDGE_SYSTEM_COUNT: unknown. */
enum edge_system edge_system_named(const char *name, size_t len);
/* By the decoded key in a bag ("$.ct"); EDGE_SYSTEM_COUNT: an application property. */
enum edge_system edge_system_wired(const char *key);

/* The output that a telemetry topic's bag names ("$.on"), "" where none does. False where the bag
 * is malformed or the name is too long for TO. */
bool edge_message_output(const char *bag, size_t len, char *to, size_t size);

/* The bag with which M travels on: what came, with the true sender and output in it. UPSTREAM: the
 * hub itself says who sent it. */
void edge_message_bag(const struct edge_message *m, bool upstream, struct buf *out);

#endif
