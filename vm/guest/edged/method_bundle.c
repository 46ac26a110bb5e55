/* UploadSupportBundle: `iotedge support-bundle`, as a process of its own, writes the archive into a
 * folder of the state; then it goes up in blocks. The child asks this process, among others, while
 * the loop goes on. One at a time. */
#include "vm/guest/edged/method_private.h"

#include "core/base/clock.h"
#include "core/base/file.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/base/secret.h"
#include "core/base/str.h"
#include "core/io/child.h"
#include "vm/guest/edged/log_query.h"
#include "vm/guest/edged/method_request.h"
#include "vm/guest/edged/method_upload.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#define MAKE_MS   600000
#define ARGV_MAX  24
#define SINCE_MAX 64

struct method_bundle {
    struct agent_methods *m;
    char task[UUID_SIZE];
    char *url;    /* a secret is in it */
    char *folder; /* for the archive only; gone with this */
    char *file;
    struct child *child;
    struct method_upload *upload;
    int fd; /* -1: not open */
    off_t left;
    struct buf block;
};

/* What a payload asks for. */
struct bundle_request {
    const char *url;
    char since[SINCE_MAX], until[SINCE_MAX]; /* empty: not said */
    bool runtime_only;
};

/* ------------------------------------------------------------------------------- ends */

static void bundle_free(struct method_bundle *b)
{
    b->m->bundle = NULL;
    child_cancel(b->child);
    method_upload_free(b->upload);
    if (b->fd >= 0)
        (void)close(b->fd);
    (void)file_remove_tree(b->folder, NULL);
    buf_done(&b->block);
    secret_free(b->url);
    free(b->folder);
    free(b->file);
    free(b);
}

static void bundle_end(struct method_bundle *b, const struct err *err)
{
    if (err)
        log_warn("method", "support bundle: %s", err->msg);
    method_task_end(&b->m->tasks, b->task, err ? err->msg : "");
    bundle_free(b);
}

/* ------------------------------------------------------------------------------- upload */

static int read_block(struct method_bundle *b, struct err *err)
{
    buf_clear(&b->block);
    while (b->left && b->block.len < METHOD_BLOCK_BYTES) {
        char *room = buf_reserve(&b->block, METHOD_BLOCK_BYTES - b->block.len);
        ssize_t n = read(b->fd, room, METHOD_BLOCK_BYTES - b->block.len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return err_sys(err, n < 0 ? errno : EIO, "read the bundle");
        buf_commit(&b->block, (size_t)n);
        b->left -= n;
    }
    return 0;
}

static void send_block(struct method_bundle *b)
{
    struct err err;
    if (read_block(b, &err) < 0)
        bundle_end(b, &err);
    else
        method_upload_put(b->upload, buf_str(&b->block), b->block.len, b->left == 0);
}

static void on_uploaded(void *arg, const struct err *err)
{
    struct method_bundle *b = arg;
    if (err || b->left == 0)
        bundle_end(b, err);
    else
        send_block(b);
}

static int open_archive(struct method_bundle *b, struct err *err)
{
    struct stat st;
    b->fd = open(b->file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (b->fd < 0 || fstat(b->fd, &st) < 0)
        return err_sys(err, errno, "read the bundle");
    b->left = st.st_size;
    return 0;
}

static void on_made(void *arg, const struct child_result *result, const struct err *error)
{
    (void)result;
    struct err err;
    struct method_bundle *b = arg;
    b->child = NULL;
    if (error) {
        bundle_end(b, error);
        return;
    }
    auto_free char *name = method_upload_name(b->m->c.device, "support-bundle", "zip");
    b->upload = method_upload_new(b->m->c.loop, b->m->c.config, b->url, name, on_uploaded, b, &err);
    if (!b->upload || open_archive(b, &err) < 0)
        bundle_end(b, &err);
    else
        send_block(b);
}

/* ------------------------------------------------------------------------------- begin */

static int take_time(const cJSON *payload, const char *key, char to[SINCE_MAX], struct err *err)
{
    struct log_query query = {.tail = LOG_QUERY_ALL};
    const char *text = json_str(payload, key, "");
    if (!*text)
        return 0;
    if (!str_copy(to, SINCE_MAX, text) ||
        log_query_set(&query, key, text, clock_wall_ms() / 1000, NULL) < 0)
        return err_set(err, ERR_INVALID, "%s must be a time", key);
    return 0;
}

static int parse(const cJSON *payload, struct bundle_request *r, struct err *err)
{
    if (method_check_schema(payload, err) < 0 || method_need_url(payload, &r->url, err) < 0 ||
        take_time(payload, "since", r->since, err) < 0 ||
        take_time(payload, "until", r->until, err) < 0)
        return -1;
    r->runtime_only = json_bool(payload, "edgeRuntimeOnly", false);
    return 0;
}

/* Its own sockets are said, since they may be elsewhere than usual. */
static void start_child(struct method_bundle *b, const struct bundle_request *r)
{
    const struct config *config = b->m->c.config;
    const struct edged_options *o = b->m->c.options;
    const char *mgmt = *config->management_socket ? config->management_socket : o->mgmt_socket;
    const char *engine = *config->engine_socket ? config->engine_socket : o->engine_socket;
    auto_free char *host = xasprintf("unix://%s", mgmt);
    auto_free char *since = xasprintf("--since=%s", r->since);
    auto_free char *until = xasprintf("--until=%s", r->until);
    const char *argv[ARGV_MAX] = {
        "iotedge",       "--host",       host,          "--engine-socket", engine,
        "--config-file", o->config_file, "--state-dir", o->state_dir,      "support-bundle",
        "--quiet",       "-o",           b->file,
    };
    size_t n = 0;
    while (argv[n])
        n++;
    if (*r->since)
        argv[n++] = since;
    if (*r->until)
        argv[n++] = until;
    if (r->runtime_only)
        argv[n++] = "-e";
    const struct child_options options = {.argv = argv, .timeout_ms = MAKE_MS};
    b->child = child_start(b->m->c.loop, &options, on_made, b);
}

static char *bundle_folder(const struct agent_methods *m)
{
    return xasprintf("%s/bundle", m->c.options->state_dir);
}

static struct method_bundle *bundle_new(struct agent_methods *m, const char *url)
{
    struct method_bundle *b = xcalloc(1, sizeof(*b));
    b->m = m;
    b->fd = -1;
    b->url = xstrdup(url);
    b->folder = bundle_folder(m);
    b->file = xasprintf("%s/support-bundle.zip", b->folder);
    m->bundle = b;
    return b;
}

void method_upload_bundle(struct agent_methods *m, const char *rid, const cJSON *payload)
{
    struct err err;
    struct bundle_request request = {0};
    if (parse(payload, &request, &err) < 0) {
        method_refuse(m, rid, &err);
        return;
    }
    if (m->bundle) {
        err_set(&err, ERR_BUSY, "a support bundle is being made; try again later");
        method_refuse(m, rid, &err);
        return;
    }
    struct method_bundle *b = bundle_new(m, request.url);
    if (file_mkdirs(b->folder, 0700, &err) < 0) {
        method_refuse(m, rid, &err);
        bundle_free(b);
        return;
    }
    STR_SET(b->task, method_task_begin(&m->tasks)->id);
    start_child(b, &request);
    method_answer_task(m, rid, b->task);
}

void method_bundle_begin(struct agent_methods *m)
{
    auto_free char *folder = bundle_folder(m);
    (void)file_remove_tree(folder, NULL);
}

void method_bundle_done(struct agent_methods *m)
{
    if (m->bundle)
        bundle_free(m->bundle);
}
