/* TLS as a machine without sockets: ciphertext in, plaintext and ciphertext out, both sides. It
 * does no I/O and keeps no buffers of its own, so that an idle connection costs little. Loop thread
 * only. */
#ifndef BERTH_IO_TLS_H
#define BERTH_IO_TLS_H

#include "core/base/buf.h"
#include "core/base/err.h"
#include "core/io/tls_cert.h"

#include <stdbool.h>
#include <stddef.h>

struct tls_server; /* a certificate and its key */
struct tls_client; /* whom to trust */
struct tls;        /* one connection */

/* PEM files: certificate chain, leaf first, and private key. TLS 1.2 and newer. Connections keep
 * what they began with. */
struct tls_server *tls_server_new(const char *cert_file, const char *key_file, struct err *err);
void tls_server_free(struct tls_server *s); /* NULL is fine; connections stay usable */

/* Asks each client for a certificate from now on. None, and any, is accepted: whoever reads from
 * the connection judges it with tls_peer() and tls_peer_signed_by(). */
void tls_server_ask_client(struct tls_server *s);

struct tls *tls_new(struct tls_server *s);

/* The certificate that the other side showed; false where it showed none. */
bool tls_peer(const struct tls *t, struct tls_cert_info *ret);
/* Whether the other side's certificate, with the chain it sent, leads to one of the authorities in
 * CA_PEM (any number of them) and is valid now. ERR_AUTH says why not. */
int tls_peer_signed_by(const struct tls *t, const char *ca_pem, struct err *err);

/* Trusts the system's store and, where it is not NULL, the CAs of the PEM file. */
struct tls_client *tls_client_new(const char *ca_file, struct err *err);
/* Shows a certificate to servers that ask for one, from now on. Files as for tls_server_new(). */
int tls_client_show(struct tls_client *c, const char *cert_file, const char *key_file,
                    struct err *err);
void tls_client_free(struct tls_client *c); /* NULL is fine; connections stay usable */
/* A connection to HOST (a name or an address), whose certificate must be good for it. The first
 * tls_feed, with no bytes, begins. A certificate that is not trusted fails as ERR_AUTH. */
struct tls *tls_open(struct tls_client *c, const char *host);
void tls_free(struct tls *t);

/* Takes ciphertext from the peer. Appends what it says to PLAIN and what must be sent to WIRE (also
 * on failure: the alert). -1: the connection is broken. */
int tls_feed(struct tls *t, const char *data, size_t len, struct buf *plain, struct buf *wire,
             struct err *err);
/* Encrypts LEN bytes to WIRE. Only once tls_is_open(). */
int tls_write(struct tls *t, const char *data, size_t len, struct buf *wire, struct err *err);
/* Says goodbye (close_notify). */
void tls_end(struct tls *t, struct buf *wire);

bool tls_is_open(const struct tls *t);    /* the handshake is done */
bool tls_peer_ended(const struct tls *t); /* close_notify came */

#endif
