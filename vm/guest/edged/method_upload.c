/* See method_upload.h. One piece: Put Blob. More: Put Block for each, and with the last one Put
 * Block List, before which nothing of the blob is to be seen. */
#include "vm/guest/edged/method_upload.h"

#include "core/base/clock.h"
#include "core/base/mem.h"
#include "core/base/secret.h"
#include "core/base/str.h"
#include "core/io/base64.h"
#include "core/io/http_client.h"
#include "core/io/tls_stream.h"
#include "vm/guest/edged/docker.h"

#include <string.h>

#define CALL_MS     60000
#define RETRY_MS    1000 /* doubles */
#define RETRIES     3
#define BLOCKS_MAX  50000 /* of a blob, says the storage service */
#define HTTPS_PORT  "443"
#define API_VERSION "2019-12-12"

enum act { ACT_BLOB, ACT_BLOCK, ACT_LIST };

struct method_upload {
    uv_loop_t *loop;
    struct dialer *dialer;
    struct http_call *call;
    uv_timer_t *timer; /* next attempt */
    char *host_port;
    char *host_header;
    char *path;  /* of the blob, encoded */
    char *query; /* a secret */
    method_upload_fn fn;
    void *arg;
    enum act act;
    const void *data;
    size_t len;
    bool last;
    unsigned blocks; /* stored */
    unsigned failures;
};

static void send_call(struct method_upload *u);

/* ------------------------------------------------------------------------------- answers */

static void finish(struct method_upload *u, const struct err *err)
{
    u->data = NULL;
    u->fn(u->arg, err);
}

static void on_retry(uv_timer_t *timer)
{
    send_call(timer->data);
}

static void failed(struct method_upload *u, const struct err *err, bool passing)
{
    if (passing && u->failures < RETRIES)
        (void)uv_timer_start(u->timer, on_retry, RETRY_MS << u->failures++, 0);
    else
        finish(u, err);
}

static void refused(struct method_upload *u, int status)
{
    struct err err;
    char code[80] = "", shown[80];
    if (http_call_header(u->call, "x-ms-error-code", code, sizeof(code)))
        str_trim(code);
    str_sanitise_to(shown, sizeof(shown), code);
    err_set(&err, ERR_REMOTE, "the storage at %s answered %d %s", u->host_header, status, shown);
    if (status == 403)
        err_hint(&err, "is the signature valid still, and does it permit writing?");
    u->call = NULL;
    failed(u, &err, status >= 500 || status == 429);
}

static void stored(struct method_upload *u)
{
    u->failures = 0;
    u->blocks += u->act == ACT_BLOCK;
    if (u->act != ACT_BLOCK || !u->last) {
        finish(u, NULL);
        return;
    }
    u->act = ACT_LIST;
    send_call(u);
}

static void on_answer(void *arg, int status, const struct buf *body, const struct err *why)
{
    (void)body;
    struct method_upload *u = arg;
    if (why) {
        struct err err = *why;
        bool passing = err.kind == ERR_UNREACHABLE || err.kind == ERR_TIMEOUT;
        const char *text = strstr(why->msg, ": "); /* without the blob's name */
        err_set(&err, why->kind, "the storage at %s: %s", u->host_header,
                text ? text + 2 : why->msg);
        u->call = NULL;
        failed(u, &err, passing);
    } else if (status / 100 != 2) {
        refused(u, status);
    } else {
        u->call = NULL;
        stored(u);
    }
}

/* ------------------------------------------------------------------------------- calls */

static void put_block_id(struct buf *out, unsigned block)
{
    char text[16];
    (void)str_format(text, sizeof(text), "%06u", block);
    base64_encode(text, 6, out);
}

static void put_target(const struct method_upload *u, struct buf *out)
{
    buf_printf(out, "%s?", u->path);
    if (u->act == ACT_LIST)
        buf_puts(out, "comp=blocklist&");
    if (u->act == ACT_BLOCK) {
        buf_puts(out, "comp=block&blockid=");
        put_block_id(out, u->blocks);
        buf_putc(out, '&');
    }
    buf_puts(out, u->query);
}

static void put_list(const struct method_upload *u, struct buf *out)
{
    buf_puts(out, "<?xml version=\"1.0\" encoding=\"utf-8\"?><BlockList>");
    for (unsigned i = 0; i < u->blocks; i++) {
        buf_puts(out, "<Latest>");
        put_block_id(out, i);
        buf_puts(out, "</Latest>");
    }
    buf_puts(out, "</BlockList>");
}

static void send_call(struct method_upload *u)
{
    auto_wiped_buf struct buf target = {0};
    auto_buf struct buf list = {0};
    auto_free char *host = xasprintf("Host: %s", u->host_header);
    const char *const headers[] = {host, "x-ms-version: " API_VERSION,
                                   u->act == ACT_BLOB ? "x-ms-blob-type: BlockBlob" : NULL, NULL};
    put_target(u, &target);
    struct http_request request = {
        .method = "PUT",
        .target = target.data,
        .content_type = "application/octet-stream",
        .body = u->data,
        .body_len = u->len,
        .headers = headers,
        .timeout_ms = CALL_MS,
    };
    if (u->act == ACT_LIST) {
        put_list(u, &list);
        request.content_type = "application/xml";
        request.body = list.data;
        request.body_len = list.len;
    }
    u->call = http_call_start(u->dialer, u->loop, u->host_port, &request, NULL, on_answer, u);
}

static void on_too_many(uv_timer_t *timer)
{
    struct err err;
    err_set(&err, ERR_INVALID, "more than a blob can hold");
    finish(timer->data, &err);
}

void method_upload_put(struct method_upload *u, const void *data, size_t len, bool last)
{
    u->data = data;
    u->len = len;
    u->last = last;
    u->act = last && !u->blocks ? ACT_BLOB : ACT_BLOCK;
    if (u->blocks == BLOCKS_MAX) {
        (void)uv_timer_start(u->timer, on_too_many, 0, 0);
        return;
    }
    if (u->act == ACT_BLOCK && !len) /* an empty block is refused: what is there is all */
        u->act = ACT_LIST;
    send_call(u);
}

/* ------------------------------------------------------------------------------- life */

char *method_upload_name(const struct device *device, const char *what, const char *end)
{
    char time[CLOCK_TEXT_MAX];
    clock_format(time, sizeof(time), clock_wall_ms());
    time[19] = '\0';
    time[13] = time[16] = '-';
    return xasprintf("%s/%s/%s-%.10s--%s.%s", device->hub, device->id, what, time, time + 11, end);
}

static int parse_url(struct method_upload *u, const char *url, const char *blob, struct err *err)
{
    static const char scheme[] = "https://";
    auto_buf struct buf path = {0};
    const char *host = str_starts(url, scheme) ? url + strlen(scheme) : "";
    size_t n_host = strcspn(host, "/?"), n = strcspn(host, "?");
    if (!n_host || !host[n] || n - n_host < 2 || memchr(host, '@', n_host))
        return err_set(err, ERR_INVALID, "not the address of a container of blobs");
    while (host[n - 1] == '/')
        n--;
    buf_append(&path, host + n_host, n - n_host);
    buf_putc(&path, '/');
    docker_encode(&path, blob);
    u->path = buf_steal(&path);
    u->query = xstrdup(strchr(host, '?') + 1);
    u->host_header = xstrndup(host, n_host);
    bool port = strchr(u->host_header, ':') != NULL;
    u->host_port = xasprintf("%s%s", u->host_header, port ? "" : ":" HTTPS_PORT);
    return 0;
}

struct method_upload *method_upload_new(uv_loop_t *loop, const struct config *config,
                                        const char *url, const char *blob, method_upload_fn fn,
                                        void *arg, struct err *err)
{
    struct method_upload *u = xcalloc(1, sizeof(*u));
    u->loop = loop;
    u->fn = fn;
    u->arg = arg;
    u->timer = xcalloc(1, sizeof(*u->timer));
    (void)uv_timer_init(loop, u->timer);
    u->timer->data = u;
    if (parse_url(u, url, blob, err) == 0)
        u->dialer = dialer_tls_new(loop, config->trust_bundle, config->proxy, err);
    if (u->dialer)
        return u;
    method_upload_free(u);
    return NULL;
}

/* Not earlier: the call's stream uses the dialer until its own end came back to the loop. */
static void on_closed(uv_handle_t *handle)
{
    struct method_upload *u = handle->data;
    dialer_tls_free(u->dialer);
    free(u->host_port);
    free(u->host_header);
    free(u->path);
    secret_free(u->query);
    free(u->timer);
    free(u);
}

void method_upload_free(struct method_upload *u)
{
    if (!u)
        return;
    http_call_cancel(steal(u->call));
    uv_close((uv_handle_t *)u->timer, on_closed);
}
