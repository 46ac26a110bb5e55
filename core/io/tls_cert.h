/* Certificates of our own making: an authority and servers signed by it. EC P-256, PEM files, keys
 * 0600. Blocking, a few milliseconds; any thread. */
#ifndef BERTH_IO_TLS_CERT_H
#define BERTH_IO_TLS_CERT_H

#include "core/base/err.h"

#include <stdbool.h>
#include <stdint.h>

/* A new certificate authority. */
int tls_cert_make_ca(const char *cert_file, const char *key_file, const char *name, unsigned days,
                     struct err *err);

/* A server certificate for NAMES (NULL-terminated; numeric addresses become address entries),
 * signed by the authority. */
int tls_cert_make_server(const char *ca_cert_file, const char *ca_key_file, const char *cert_file,
                         const char *key_file, const char *const *names, unsigned days,
                         struct err *err);

/* Whether the certificate is signed by the authority, valid for all NAMES (NULL: an authority
 * itself) and for DAYS more days, and has its key beside it. False also where a file is missing or
 * damaged. */
bool tls_cert_is_good(const char *ca_cert_file, const char *cert_file, const char *key_file,
                      const char *const *names, unsigned days);

#endif
