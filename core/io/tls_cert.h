/* Certificates: what one says, and those of our own making: authorities, and servers and devices
 * signed by them. EC P-256, PEM files, keys 0600. Blocking, a few milliseconds; any thread. */
#ifndef BERTH_IO_TLS_CERT_H
#define BERTH_IO_TLS_CERT_H

#include "core/base/buf.h"
#include "core/base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a certificate says. Texts are as the certificate has them, with control bytes replaced. */
struct tls_cert_info {
    char common_name[65]; /* "" where the subject has none, more than one, or a longer one */
    char subject[256], issuer[256];
    char serial[65];           /* hex */
    char sha1[41], sha256[65]; /* thumbprints: upper-case hex */
    uint64_t not_before_ms, not_after_ms;
    bool is_ca;
};

/* Reads the first certificate of TEXT: PEM, or the base64 of DER without its frame. ERR_INVALID. */
int tls_cert_read(const char *text, size_t len, struct tls_cert_info *ret, struct err *err);

/* ERR_AUTH unless it is valid at NOW_MS by a clock that may be SKEW_MS off. */
int tls_cert_check_time(const struct tls_cert_info *cert, uint64_t now_ms, uint64_t skew_ms,
                        struct err *err);

/* A new certificate authority. */
int tls_cert_make_ca(const char *cert_file, const char *key_file, const char *name, unsigned days,
                     struct err *err);

/* An authority that another one signs. Here and below, what an intermediate authority signs has
 * the chain up to the topmost one, without it, behind it in its file, ready to be shown. */
int tls_cert_make_intermediate(const char *ca_cert_file, const char *ca_key_file,
                               const char *cert_file, const char *key_file, const char *name,
                               unsigned days, struct err *err);

/* A server certificate for NAMES (NULL-terminated; numeric addresses become address entries),
 * signed by the authority. */
int tls_cert_make_server(const char *ca_cert_file, const char *ca_key_file, const char *cert_file,
                         const char *key_file, const char *const *names, unsigned days,
                         struct err *err);

/* A client certificate whose common name is NAME (a device or registration id), signed by the
 * authority. */
int tls_cert_make_device(const char *ca_cert_file, const char *ca_key_file, const char *cert_file,
                         const char *key_file, const char *name, unsigned days, struct err *err);

/* The same without an authority: it is known by its thumbprint. */
int tls_cert_make_self_signed(const char *cert_file, const char *key_file, const char *name,
                              unsigned days, struct err *err);

enum tls_cert_use {
    TLS_CERT_SERVER,
    TLS_CERT_CLIENT,
    TLS_CERT_ISSUER, /* an authority that may sign the others, but no further authority */
};

/* What is to be made. None outlives the authority that signs it. */
struct tls_cert_order {
    enum tls_cert_use use;
    const char *common_name;  /* at most 64 characters */
    const char *const *names; /* alternatives, NULL-terminated: numeric addresses, URIs ("a://b"),
                                 else host names; NULL: none */
    unsigned days;
    const char *ca_cert_file, *ca_key_file; /* NULL: it signs itself */
};
/* Appends the certificate, with its chain as above, and its key (PKCS #8), both as PEM. */
int tls_cert_issue(const struct tls_cert_order *order, struct buf *cert, struct buf *key,
                   struct err *err);
/* The same into files. */
int tls_cert_make(const struct tls_cert_order *order, const char *cert_file, const char *key_file,
                  struct err *err);

/* Whether the certificate is signed by the authority, valid for all NAMES (NULL: an authority
 * itself) and for DAYS more days, and has its key beside it. False also where a file is missing or
 * damaged. */
bool tls_cert_is_good(const char *ca_cert_file, const char *cert_file, const char *key_file,
                      const char *const *names, unsigned days);

#endif
