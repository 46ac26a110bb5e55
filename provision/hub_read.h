/* What a hub's service REST answers: from foreign JSON to plain structs, bounded and sanitised.
 * TEXT may be anything at all; ERR_PROTOCOL says that it is not what was asked for. Pure; any
 * thread. */
#ifndef BERTH_PROVISION_HUB_READ_H
#define BERTH_PROVISION_HUB_READ_H

#include "core/base/buf.h"
#include "core/base/err.h"
#include "core/base/model_sandbox.h"
#include "core/base/secret.h"

/* 0 where STATUS is a good one, else ERR in the hub's words: see hub_rest_fn. */
int hub_read_status(int status, const char *text, size_t len, struct err *err);

/* ---- devices ---- */

/* A device or module. */
int hub_read_device(const char *text, size_t len, struct sandbox_device *ret, struct err *err);
/* A list of them into TO; those beyond MAX are left out. */
int hub_read_devices(const char *text, size_t len, struct sandbox_device *to, size_t max,
                     size_t *ret_n, struct err *err);
/* How many a list has. */
int hub_read_count(const char *text, size_t len, size_t *ret_n, struct err *err);
/* What a device needs to connect to HOST. ERR_UNSUPPORTED where it is not allowed to. */
int hub_read_connection_string(const char *text, size_t len, const char *host, struct secret *ret,
                               struct err *err);
/* The scope of an edge device, for its children; TO has 256 bytes. ERR_INVALID: it is none. */
int hub_read_scope(const char *text, size_t len, char *to, struct err *err);
/* Its etag, without quotes; TO has 64 bytes. */
int hub_read_etag(const char *text, size_t len, char *to, struct err *err);

/* ---- enrolments ---- */

int hub_read_enrolment(const char *text, size_t len, struct sandbox_enrolment *ret,
                       struct err *err);
int hub_read_enrolments(const char *text, size_t len, struct sandbox_enrolment *to, size_t max,
                        size_t *ret_n, struct err *err);
/* The primary key of an enrolment or of its attestation; RET stays empty where it shows none. */
int hub_read_enrolment_key(const char *text, size_t len, struct secret *ret, struct err *err);

/* ---- the rest ---- */

int hub_read_authority(const char *text, size_t len, struct sandbox_authority *ret,
                       struct err *err);
int hub_read_authorities(const char *text, size_t len, struct sandbox_authority *to, size_t max,
                         size_t *ret_n, struct err *err);
int hub_read_configurations(const char *text, size_t len, struct sandbox_configuration *to,
                            size_t max, size_t *ret_n, struct err *err);
int hub_read_message_id(const char *text, size_t len, char *to, size_t size, struct err *err);

#endif
