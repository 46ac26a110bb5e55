/* See pool.h. */
#include "core/engine/pool.h"

#include "core/base/mem.h"

struct task {
    uv_work_t req;
    pool_fn fn;
    pool_done_fn done;
    void *arg;
    int rc;
    struct err err;
};

static size_t busy;

size_t pool_busy(void)
{
    return busy;
}

static void run(uv_work_t *req)
{
    struct task *t = req->data;
    t->rc = t->fn(t->arg, &t->err);
}

static void after(uv_work_t *req, int status)
{
    struct task *t = req->data;
    (void)status;
    busy--;
    t->done(t->arg, t->rc < 0 ? &t->err : NULL);
    free(t);
}

void pool_run(uv_loop_t *loop, pool_fn fn, pool_done_fn done, void *arg)
{
    struct task *t = xcalloc(1, sizeof(*t));
    t->req.data = t;
    t->fn = fn;
    t->done = done;
    t->arg = arg;
    busy++;
    (void)uv_queue_work(loop, &t->req, run, after);
}
