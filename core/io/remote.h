/* One SSH session to a guest, with a pinned host key and many channels (libssh, non-blocking, on
 * the loop). Trust is never made on first use: the engine created the guest's host key before its
 * first boot and gives its public part here. Loop thread only. */
#ifndef BERTH_IO_REMOTE_H
#define BERTH_IO_REMOTE_H

#include "core/base/err.h"
#include "core/io/stream.h"

#include <stdint.h>

struct remote;

struct remote_target {
    const char *host; /* "127.0.0.1" */
    uint16_t port;
    const char *user;     /* "berth" */
    const char *key_file; /* our private key, 0600 */
    const char *host_key; /* the guest's public key, one authorized_keys-style line; nothing else is
                             accepted */
    uint64_t timeout_ms;  /* for connect + key exchange + login */
};

struct remote_events {
    void (*on_ready)(void *arg); /* logged in; dialer usable */
    void (*on_end)(
        void *arg,
        const struct err *why); /* connection failed, was refused or broke; every stream got its
                                   on_close before. The owner then calls remote_free(). ERR_AUTH:
                                   host key or login; ERR_UNREACHABLE, ERR_TIMEOUT */
};

/* Starts connecting; strings are copied. A keep-alive finds a silent peer within 15 s. */
struct remote *remote_connect(uv_loop_t *loop, const struct remote_target *target,
                              const struct remote_events *events, void *arg);
void remote_free(struct remote *r); /* closes everything, no more events; NULL is fine */

/* Opens unix sockets in the guest (direct-streamlocal channels). Owned by the session. */
struct dialer *remote_dialer(struct remote *r);

/* Opens a TCP connection from inside the guest (direct-tcpip), such as 127.0.0.1:9600. */
struct stream *remote_open_tcp(struct remote *r, const char *host, uint16_t port,
                               const struct stream_events *events, void *arg);

/* Makes an ed25519 key pair: private part to PATH (OpenSSH format, 0600), public line ("ssh-ed25519
 * AAAA... COMMENT\n") to PATH.pub. Blocking; not bound to a loop. Existing files are replaced
 * atomically. */
int remote_keygen(const char *path, const char *comment, struct err *err);

#endif
