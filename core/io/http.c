/* See http.h. curl tells which sockets and which time-out it wants (multi_socket); libuv watches
 * them and tells curl what happened. A finished fetch is reported from check_finished(), which
 * never runs inside http_fetch_start(). */
#include "core/io/http.h"

#include "core/base/mem.h"
#include "core/base/str.h"

#include <curl/curl.h>
#include <string.h>

#define DEFAULT_TIMEOUT_MS 30000
#define DEFAULT_BODY_MAX   (1U << 20)

struct http {
    uv_loop_t *loop;
    CURLM *multi;
    uv_timer_t *timer;
    struct http_fetch *fetches; /* all that are under way */
};

struct http_fetch {
    struct http *http;
    struct http_fetch *next;
    CURL *easy;
    struct curl_slist *headers;
    struct curl_slist *connect_to;
    struct buf request;
    struct buf body;
    size_t body_max;
    bool too_long;
    char detail[CURL_ERROR_SIZE];
    char *header; /* that is wanted */
    void (*on_header)(void *arg, const char *value);
    http_fetch_fn done;
    void *arg;
};

/* One watched socket of curl's. */
struct watch {
    uv_poll_t poll;
    struct http *http;
    curl_socket_t fd;
};

static void check_finished(struct http *h);

/* ------------------------------------------------------------------------------- curl <-> libuv */

static void on_watch_closed(uv_handle_t *handle)
{
    free(handle->data);
}

static void on_handle_closed(uv_handle_t *handle)
{
    free(handle);
}

static void on_socket_ready(uv_poll_t *poll, int status, int events)
{
    struct watch *w = poll->data;
    struct http *h = w->http;
    int flags = status < 0 ? CURL_CSELECT_ERR : 0;
    if (events & UV_READABLE)
        flags |= CURL_CSELECT_IN;
    if (events & UV_WRITABLE)
        flags |= CURL_CSELECT_OUT;

    int running = 0;
    (void)curl_multi_socket_action(h->multi, w->fd, flags, &running);
    check_finished(h);
}

static int on_curl_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *socket_arg)
{
    (void)easy;
    struct http *h = arg;
    struct watch *w = socket_arg;

    if (what == CURL_POLL_REMOVE) {
        if (w) {
            (void)curl_multi_assign(h->multi, fd, NULL);
            uv_close((uv_handle_t *)&w->poll, on_watch_closed);
        }
        return 0;
    }
    if (!w) {
        w = xcalloc(1, sizeof(*w));
        w->http = h;
        w->fd = fd;
        if (uv_poll_init_socket(h->loop, &w->poll, fd) < 0) {
            free(w);
            return -1;
        }
        w->poll.data = w;
        (void)curl_multi_assign(h->multi, fd, w);
    }
    int events = (what & CURL_POLL_IN ? UV_READABLE : 0) | (what & CURL_POLL_OUT ? UV_WRITABLE : 0);
    (void)uv_poll_start(&w->poll, events, on_socket_ready);
    return 0;
}

static void on_timer(uv_timer_t *timer)
{
    struct http *h = timer->data;
    int running = 0;
    (void)curl_multi_socket_action(h->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    check_finished(h);
}

static int on_curl_timer(CURLM *multi, long timeout_ms, void *arg)
{
    (void)multi;
    struct http *h = arg;
    if (timeout_ms < 0)
        (void)uv_timer_stop(h->timer);
    else
        (void)uv_timer_start(h->timer, on_timer, (uint64_t)timeout_ms, 0);
    return 0;
}

/* ------------------------------------------------------------------------------- life */

struct http *http_new(uv_loop_t *loop)
{
    (void)curl_global_init(CURL_GLOBAL_DEFAULT);
    struct http *h = xcalloc(1, sizeof(*h));
    h->loop = loop;
    h->timer = xcalloc(1, sizeof(*h->timer));
    (void)uv_timer_init(loop, h->timer);
    h->timer->data = h;
    h->multi = curl_multi_init();
    if (!h->multi)
        abort();
    curl_multi_setopt(h->multi, CURLMOPT_SOCKETFUNCTION, on_curl_socket);
    curl_multi_setopt(h->multi, CURLMOPT_SOCKETDATA, h);
    curl_multi_setopt(h->multi, CURLMOPT_TIMERFUNCTION, on_curl_timer);
    curl_multi_setopt(h->multi, CURLMOPT_TIMERDATA, h);
    return h;
}

static void fetch_free(struct http_fetch *f)
{
    struct http_fetch **at = &f->http->fetches;
    while (*at != f)
        at = &(*at)->next;
    *at = f->next;

    (void)curl_multi_remove_handle(f->http->multi, f->easy);
    curl_easy_cleanup(f->easy);
    for (struct curl_slist *l = f->headers; l; l = l->next)
        explicit_bzero(l->data, strlen(l->data)); /* may be an Authorization line */
    curl_slist_free_all(f->headers);
    curl_slist_free_all(f->connect_to);
    buf_wipe(&f->request);
    buf_wipe(&f->body);
    free(f->header);
    free(f);
}

void http_free(struct http *h)
{
    if (!h)
        return;
    for (struct http_fetch *f = h->fetches, *next; f; f = next) {
        next = f->next;
        fetch_free(f);
    }
    (void)curl_multi_cleanup(h->multi);
    uv_close((uv_handle_t *)h->timer, on_handle_closed);
    free(h);
}

/* ------------------------------------------------------------------------------- one fetch */

static size_t on_curl_data(char *data, size_t size, size_t n, void *arg)
{
    struct http_fetch *f = arg;
    size_t len = size * n;
    if (f->body.len + len > f->body_max) {
        f->too_long = true;
        return 0;
    }
    buf_append(&f->body, data, len);
    return len;
}

static void set_connect_to(struct http_fetch *f, const char *host_port)
{
    auto_free char *line = xasprintf("::%s", host_port);
    f->connect_to = curl_slist_append(NULL, line);
    curl_easy_setopt(f->easy, CURLOPT_CONNECT_TO, f->connect_to);
}

static void set_request(struct http_fetch *f, const struct http_options *o)
{
    curl_easy_setopt(f->easy, CURLOPT_URL, o->url);
    curl_easy_setopt(f->easy, CURLOPT_PATH_AS_IS, 1L); /* ".." may be a name in it */
    curl_easy_setopt(f->easy, CURLOPT_PROTOCOLS_STR, o->plain ? "http,https" : "https");
    curl_easy_setopt(f->easy, CURLOPT_CUSTOMREQUEST, o->method);
    if (str_eq(o->method, "HEAD"))
        curl_easy_setopt(f->easy, CURLOPT_NOBODY, 1L);
    for (size_t i = 0; o->headers && o->headers[i]; i++)
        f->headers = curl_slist_append(f->headers, o->headers[i]);
    f->headers = curl_slist_append(f->headers, "Expect:"); /* bodies are small: no 100-continue */
    curl_easy_setopt(f->easy, CURLOPT_HTTPHEADER, f->headers);
    if (o->body) {
        buf_append(&f->request, o->body, o->body_len);
        curl_easy_setopt(f->easy, CURLOPT_POSTFIELDS, buf_str(&f->request));
        curl_easy_setopt(f->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)f->request.len);
    }
}

static void set_transport(struct http_fetch *f, const struct http_options *o)
{
    uint64_t timeout_ms = o->timeout_ms ? o->timeout_ms : DEFAULT_TIMEOUT_MS;
    curl_easy_setopt(f->easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(f->easy, CURLOPT_TIMEOUT_MS, (long)timeout_ms);
    curl_easy_setopt(f->easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    curl_easy_setopt(f->easy, CURLOPT_PROXY, o->proxy ? o->proxy : "");
    if (o->connect_to)
        set_connect_to(f, o->connect_to);
    if (o->ca_file) { /* the folder keeps the system's store trusted besides it */
        curl_easy_setopt(f->easy, CURLOPT_CAINFO, o->ca_file);
        curl_easy_setopt(f->easy, CURLOPT_CAPATH, "/etc/ssl/certs");
    }
}

struct http_fetch *http_fetch_start(struct http *h, const struct http_options *options,
                                    http_fetch_fn done, void *arg)
{
    struct http_fetch *f = xcalloc(1, sizeof(*f));
    f->http = h;
    f->done = done;
    f->arg = arg;
    f->body_max = options->body_max ? options->body_max : DEFAULT_BODY_MAX;
    f->header = options->header ? xstrdup(options->header) : NULL;
    f->on_header = options->on_header;
    f->easy = curl_easy_init();
    if (!f->easy)
        abort();
    set_request(f, options);
    set_transport(f, options);
    curl_easy_setopt(f->easy, CURLOPT_WRITEFUNCTION, on_curl_data);
    curl_easy_setopt(f->easy, CURLOPT_WRITEDATA, f);
    curl_easy_setopt(f->easy, CURLOPT_ERRORBUFFER, f->detail);
    curl_easy_setopt(f->easy, CURLOPT_PRIVATE, f);

    f->next = h->fetches;
    h->fetches = f;
    /* Only sets curl's timer to 0: everything happens in later turns of the loop. */
    (void)curl_multi_add_handle(h->multi, f->easy);
    return f;
}

/* ------------------------------------------------------------------------------- the end */

static enum err_kind kind_of(CURLcode code)
{
    switch ((int)code) {
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_CONNECT:
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_GOT_NOTHING:
    case CURLE_PROXY:
        return ERR_UNREACHABLE;
    case CURLE_OPERATION_TIMEDOUT:
        return ERR_TIMEOUT;
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
        return ERR_AUTH;
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
        return ERR_INVALID;
    default:
        return ERR_PROTOCOL;
    }
}

static void explain(struct http_fetch *f, CURLcode code, struct err *err)
{
    if (f->too_long) {
        err_set(err, ERR_PROTOCOL, "the answer is longer than %zu bytes", f->body_max);
        return;
    }
    err_set(err, kind_of(code), "%s", f->detail[0] ? f->detail : curl_easy_strerror(code));
    if (err->kind == ERR_AUTH)
        err_hint(err,
                 "is the right trust bundle set, and does the certificate carry this host name?");
}

/* Its value for the caller; NULL where the answer has none. */
static char *wanted_header(const struct http_fetch *f)
{
    struct curl_header *h = NULL;
    if (!f->header || curl_easy_header(f->easy, f->header, 0, CURLH_HEADER, -1, &h) != CURLHE_OK)
        return NULL;
    return xstrdup(h->value);
}

static void fetch_finish(struct http_fetch *f, CURLcode code)
{
    long status = 0;
    struct err err = {0};
    (void)curl_easy_getinfo(f->easy, CURLINFO_RESPONSE_CODE, &status);
    if (code != CURLE_OK)
        explain(f, code, &err);

    /* DONE may free the whole client, and with it F: it keeps nothing of F but copies. */
    struct buf body = f->body;
    f->body = (struct buf){0};
    auto_free char *header = wanted_header(f);
    void (*on_header)(void *, const char *) = f->on_header;
    http_fetch_fn done = f->done;
    void *arg = f->arg;
    fetch_free(f);
    if (header)
        on_header(arg, header);
    done(arg, (int)status, &body, code == CURLE_OK ? NULL : &err);
    buf_wipe(&body);
}

static struct http_fetch *next_finished(struct http *h, CURLcode *ret_code)
{
    int left = 0;
    for (CURLMsg *msg; (msg = curl_multi_info_read(h->multi, &left));) {
        if (msg->msg != CURLMSG_DONE)
            continue;
        struct http_fetch *f = NULL;
        *ret_code = msg->data.result;
        (void)curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, (char **)&f);
        return f;
    }
    return NULL;
}

/* One a turn: DONE may free H. What else is finished is found when curl's timer, set to now, fires.
 */
static void check_finished(struct http *h)
{
    CURLcode code = CURLE_OK;
    struct http_fetch *f = next_finished(h, &code);
    if (!f)
        return;
    (void)uv_timer_start(h->timer, on_timer, 0, 0);
    fetch_finish(f, code);
}
