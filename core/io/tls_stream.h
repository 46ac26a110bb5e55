/* Streams over TCP and TLS to the outside, for the one HTTP client: a dialer whose "socket path" is
 * "HOST:PORT". Loop thread only. */
#ifndef BERTH_IO_TLS_STREAM_H
#define BERTH_IO_TLS_STREAM_H

#include "core/io/stream.h"

/* Trust: the system's store and, unless NULL or empty, the CAs in CA_FILE. PROXY: NULL or empty, or
 * "[http://][user:password@]host:port" to ask for a tunnel. NULL with ERR where CA_FILE cannot be
 * read. A stream that fails says so in on_close: ERR_UNREACHABLE, ERR_AUTH (certificate),
 * ERR_PROTOCOL. */
struct dialer *dialer_tls_new(uv_loop_t *loop, const char *ca_file, const char *proxy,
                              struct err *err);
/* Its streams show a certificate where the server asks for one. PEM files: chain, leaf first, and
 * key. */
int dialer_tls_show(struct dialer *base, const char *cert_file, const char *key_file,
                    struct err *err);
void dialer_tls_free(struct dialer *base); /* when no stream of it is left; NULL is fine */

#endif
