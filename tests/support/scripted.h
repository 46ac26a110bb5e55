/* For tests: an HTTPS service in the same process that answers from a script and remembers what it
 * was asked, and the cases that use it. One to a program. */
#ifndef BERTH_TESTS_SCRIPTED_H
#define BERTH_TESTS_SCRIPTED_H

#include "core/base/clock.h"
#include "core/base/file.h"
#include "core/base/mem.h"
#include "core/base/str.h"
#include "core/io/http_server.h"
#include "core/io/tls_cert.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SCRIPTED_REQUESTS 64

struct reply {
    int status; /* 0: none */
    const char *body;
    const char *retry_after;
    const char *date;
};
#define SILENCE     \
    {               \
        .status = 0 \
    }
#define SAY(code, text)                  \
    {                                    \
        .status = (code), .body = (text) \
    }
#define SAY_AFTER(s, code, text)                             \
    {                                                        \
        .status = (code), .body = (text), .retry_after = (s) \
    }

struct request {
    char *line; /* "PUT /path" */
    char *body;
    char *authorization; /* "" where none */
    char *if_match;      /* the same */
    char client[65];     /* the certificate's name; "" where none was shown */
    uint64_t at_ms;
};

static struct {
    uv_loop_t loop;
    char dir[40]; /* ca.pem, other.pem (an authority that signs nothing), device.pem, device.key */
    struct tls_server *tls;
    struct http_server *server;
    const struct reply *script; /* the last one goes on */
    size_t n_script;
    struct request requests[SCRIPTED_REQUESTS];
    size_t n;
    const char *name; /* of the case */
    bool failed;
    int failures;
} scripted;

static inline char *scripted_copy(const char *text)
{
    return xstrdup(text ? text : "");
}

static void scripted_on_request(struct http_exchange *x, void *arg)
{
    (void)arg;
    size_t len = 0, at = scripted.n < scripted.n_script ? scripted.n : scripted.n_script - 1;
    struct tls_cert_info peer;
    const char *body = http_exchange_body(x, &len);
    const struct reply *r = &scripted.script[at];
    if (scripted.n == SCRIPTED_REQUESTS)
        abort();
    struct request *seen = &scripted.requests[scripted.n++];
    seen->line = xasprintf("%s %s", http_exchange_method(x), http_exchange_path(x));
    seen->body = xstrndup(len ? body : "", len);
    seen->authorization = scripted_copy(http_exchange_header(x, "Authorization"));
    seen->if_match = scripted_copy(http_exchange_header(x, "If-Match"));
    seen->at_ms = clock_mono_ms();
    if (tls_peer(http_exchange_tls(x), &peer))
        STR_SET(seen->client, peer.common_name);
    if (!r->status)
        return;
    if (r->retry_after)
        http_reply_header(x, "Retry-After", r->retry_after);
    if (r->date)
        http_reply_header(x, "Date", r->date);
    http_reply(x, r->status, "application/json", r->body, strlen(r->body));
}

/* ------------------------------------------------------------------------------- cases */

static void scripted_begin(const char *name, const struct reply *script, size_t n)
{
    for (size_t i = 0; i < scripted.n; i++) {
        free(scripted.requests[i].line);
        free(scripted.requests[i].body);
        free(scripted.requests[i].authorization);
        free(scripted.requests[i].if_match);
        scripted.requests[i] = (struct request){0};
    }
    scripted.n = 0;
    scripted.name = name;
    scripted.failed = false;
    scripted.script = script;
    scripted.n_script = n;
}

static void expect(bool good, const char *what)
{
    if (good || scripted.failed)
        return;
    scripted.failed = true;
    scripted.failures++;
    printf("not ok %s: %s (%zu requests)\n", scripted.name, what, scripted.n);
}

static void scripted_done(void)
{
    if (!scripted.failed)
        printf("ok %s\n", scripted.name);
}

/* ------------------------------------------------------------------------------- life */

static void scripted_make_certs(void)
{
    static const char *const files[] = {"ca.pem",     "ca.key",     "other.pem",  "other.key",
                                        "server.pem", "server.key", "device.pem", "device.key"};
    const char *const names[] = {"localhost", NULL};
    char path[ARRAY_LEN(files)][64];
    struct err err = {0};
    for (size_t i = 0; i < ARRAY_LEN(files); i++)
        (void)str_format(path[i], sizeof(path[i]), "%s/%s", scripted.dir, files[i]);
    if (tls_cert_make_ca(path[0], path[1], "test", 2, &err) < 0 ||
        tls_cert_make_ca(path[2], path[3], "other", 2, &err) < 0 ||
        tls_cert_make_server(path[0], path[1], path[4], path[5], names, 2, &err) < 0 ||
        tls_cert_make_self_signed(path[6], path[7], "r:1", 2, &err) < 0 ||
        !(scripted.tls = tls_server_new(path[4], path[5], &err))) {
        printf("not ok certificates: %s\n", err.msg);
        exit(1);
    }
    tls_server_ask_client(scripted.tls);
}

static void scripted_start(uint16_t port)
{
    struct err err = {0};
    (void)setvbuf(stdout, NULL, _IOLBF, 0);
    (void)signal(SIGPIPE, SIG_IGN);
    STR_SET(scripted.dir, "/tmp/berth-scripted-XXXXXX");
    if (!mkdtemp(scripted.dir))
        exit(1);
    (void)uv_loop_init(&scripted.loop);
    scripted_make_certs();
    scripted.server =
        http_server_new(&scripted.loop, &(struct http_limits){0}, scripted_on_request, NULL);
    if (http_server_listen_tls(scripted.server, "127.0.0.1", port, scripted.tls, &err) < 0) {
        printf("not ok listen: %s\n", err.msg);
        exit(1);
    }
}

/* The program's exit status. */
static int scripted_end(void)
{
    scripted_begin("end", NULL, 0);
    http_server_free(scripted.server);
    (void)uv_run(&scripted.loop, UV_RUN_DEFAULT);
    expect(uv_loop_close(&scripted.loop) == 0, "something is left in the loop");
    tls_server_free(scripted.tls);
    (void)file_remove_tree(scripted.dir, NULL);
    return scripted.failures ? 1 : 0;
}

#endif
