/* See journal.h.
 *
 * BERTH_CRASH_AT=N ends the engine, as kill -9 would, at the N-th durable point: each append is
 * two, one before and one after. With it the tests stop an engine between any two things that
 * matter. */
#include "core/engine/journal.h"

#include "core/base/clock.h"
#include "core/base/file.h"
#include "core/base/json.h"
#include "core/base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#define JOURNAL_VERSION 1

static const char *const mark_names[] = {
    [JOURNAL_BEGIN] = "begin",   [JOURNAL_END] = "end",   [JOURNAL_UNDONE] = "undone",
    [JOURNAL_RESUME] = "resume", [JOURNAL_FAIL] = "fail", [JOURNAL_CLOSE] = "close",
};
_Static_assert(ARRAY_LEN(mark_names) == JOURNAL_MARK_COUNT, "a name for each mark");

static void crash_point(void)
{
    static atomic_ulong passed;
    const char *text =
        getenv("BERTH_CRASH_AT"); /* NOLINT(concurrency-mt-unsafe): nothing sets it */
    uint64_t at = 0;
    if (text && str_to_u64(text, UINT32_MAX, &at) && atomic_fetch_add(&passed, 1) + 1 == at)
        _exit(137);
}

/* ---- writing ---- */

static int write_line(struct journal *j, const cJSON *json, struct err *err)
{
    auto_buf struct buf line = {0};
    json_print(&line, json);
    buf_putc(&line, '\n');
    crash_point();
    for (size_t done = 0; done < line.len;) {
        ssize_t n = write(j->fd, line.data + done, line.len - done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_sys(err, errno, "write the job's journal");
        done += (size_t)n;
    }
    if (fdatasync(j->fd) < 0)
        return err_sys(err, errno, "write the job's journal");
    crash_point();
    return 0;
}

int journal_create(struct journal *j, const char *path, const struct journal_head *head,
                   struct err *err)
{
    j->fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (j->fd < 0)
        return err_sys(err, errno, "create %s", path);
    auto_json cJSON *json = cJSON_CreateObject();
    json_add_u64(json, "journal", JOURNAL_VERSION);
    json_add_str(json, "id", head->id);
    json_add_str(json, "kind", head->kind);
    json_add_str(json, "title", head->title);
    json_add_str(json, "vm", head->vm);
    json_add_str(json, "by", head->by);
    json_add_u64(json, "at", head->started_ms);
    if (head->params)
        json_add(json, "params", cJSON_Duplicate(head->params, true));
    if (write_line(j, json, err) == 0 && file_sync_parent(path, err) == 0)
        return 0;
    journal_close(j);
    (void)unlink(path);
    return -1;
}

/* Cuts off what stands behind the last line end. */
static int cut_torn_line(int fd, struct err *err)
{
    off_t size = lseek(fd, 0, SEEK_END);
    char c = '\n';
    off_t keep = size;
    while (keep > 0 && pread(fd, &c, 1, keep - 1) == 1 && c != '\n')
        keep--;
    if (size < 0 || (keep != size && ftruncate(fd, keep) < 0))
        return err_sys(err, errno, "repair the job's journal");
    return 0;
}

int journal_reopen(struct journal *j, const char *path, struct err *err)
{
    j->fd = open(path, O_RDWR | O_APPEND | O_CLOEXEC | O_NOFOLLOW);
    if (j->fd < 0)
        return err_sys(err, errno, "open %s", path);
    if (cut_torn_line(j->fd, err) == 0)
        return 0;
    journal_close(j);
    return -1;
}

int journal_append(struct journal *j, const struct journal_entry *entry, struct err *err)
{
    auto_json cJSON *json = cJSON_CreateObject();
    json_add_str(json, "mark", mark_names[entry->mark]);
    json_add_u64(json, "at", clock_wall_ms());
    if (entry->step)
        json_add_str(json, "step", entry->step);
    if (entry->mark == JOURNAL_END)
        json_add_u64(json, "took", entry->took_ms);
    if (entry->mark == JOURNAL_FAIL || entry->mark == JOURNAL_CLOSE) {
        json_add_str(json, "state", job_state_name(entry->state));
        if (entry->error.kind) {
            cJSON *error = json_add_obj(json, "error");
            json_add_str(error, "kind", err_kind_name(entry->error.kind));
            json_add_str(error, "message", entry->error.msg);
            json_add_str(error, "hint", entry->error.hint);
        }
    }
    return write_line(j, json, err);
}

void journal_close(struct journal *j)
{
    if (j->fd >= 0)
        (void)close(j->fd);
    j->fd = -1;
}

/* ---- reading ---- */

static void step_mark(struct journal_replay *r, const cJSON *json, enum journal_mark mark)
{
    char name[sizeof(r->steps[0].name)];
    str_sanitise_to(name, sizeof(name), json_str(json, "step", ""));
    size_t i = 0;
    while (i < r->n_steps && !str_eq(r->steps[i].name, name))
        i++;
    if (i == MODEL_STEPS_MAX || !*name)
        return;
    if (i == r->n_steps) {
        STR_SET(r->steps[i].name, name);
        r->n_steps++;
    }
    r->steps[i].progress = mark == JOURNAL_BEGIN ? JOURNAL_STEP_BEGUN
                           : mark == JOURNAL_END ? JOURNAL_STEP_ENDED
                                                 : JOURNAL_STEP_UNDONE;
    if (mark == JOURNAL_END)
        r->steps[i].took_ms = json_u64(json, "took", 0);
}

static void error_mark(struct journal_replay *r, const cJSON *json)
{
    const cJSON *error = json_get(json, "error");
    r->state = job_state_parse(json_str(json, "state", "failed"));
    r->error = (struct err){0};
    if (!cJSON_IsObject(error))
        return;
    r->error.kind = err_kind_parse(json_str(error, "kind", ""));
    str_sanitise_to(r->error.msg, sizeof(r->error.msg), json_str(error, "message", ""));
    str_sanitise_to(r->error.hint, sizeof(r->error.hint), json_str(error, "hint", ""));
}

static void replay_entry(struct journal_replay *r, const cJSON *json)
{
    enum journal_mark mark = JOURNAL_BEGIN;
    while (mark < JOURNAL_MARK_COUNT && !str_eq(mark_names[mark], json_str(json, "mark", "")))
        mark++;
    switch (mark) {
    case JOURNAL_BEGIN:
    case JOURNAL_END:
    case JOURNAL_UNDONE:
        step_mark(r, json, mark);
        break;
    case JOURNAL_RESUME:
        r->resumes++;
        break;
    case JOURNAL_FAIL:
        r->failing = true;
        error_mark(r, json);
        break;
    case JOURNAL_CLOSE:
        r->closed = true;
        r->ended_ms = json_u64(json, "at", 0);
        error_mark(r, json);
        break;
    case JOURNAL_MARK_COUNT: /* of a newer Berth */
        break;
    }
}

static int replay_head(struct journal_replay *r, cJSON *json, struct err *err)
{
    uint64_t version = json_u64(json, "journal", 0);
    if (version == 0)
        return err_set(err, ERR_PROTOCOL, "not a journal");
    if (version != JOURNAL_VERSION) /* an unfinished job of another Berth: its own to go on with */
        return err_set(err, ERR_UNSUPPORTED, "a journal of another version of Berth; it is kept");
    struct journal_head *head = &r->head;
    JSON_COPY(head->id, json, "id");
    JSON_COPY(head->kind, json, "kind");
    str_sanitise_to(head->title, sizeof(head->title), json_str(json, "title", ""));
    str_sanitise_to(head->vm, sizeof(head->vm), json_str(json, "vm", ""));
    str_sanitise_to(head->by, sizeof(head->by), json_str(json, "by", ""));
    head->started_ms = json_u64(json, "at", 0);
    head->params = cJSON_DetachItemFromObjectCaseSensitive(json, "params");
    if (!*head->id || !*head->kind)
        return err_set(err, ERR_PROTOCOL, "the journal's first line lacks id or kind");
    return 0;
}

int journal_parse(const char *data, size_t len, struct journal_replay *ret, struct err *err)
{
    auto_replay struct journal_replay r = {0};
    bool first = true;
    for (const char *at = data, *end = data + len; at < end;) {
        const char *line_end = memchr(at, '\n', (size_t)(end - at));
        if (!line_end)
            break; /* cut off by a crash */
        auto_json cJSON *json = json_parse(at, (size_t)(line_end - at), first ? err : NULL);
        if (first && (!json || replay_head(&r, json, err) < 0))
            return -1;
        if (!first && json)
            replay_entry(&r, json);
        first = false;
        at = line_end + 1;
    }
    if (first)
        return err_set(err, ERR_PROTOCOL, "the journal is empty");
    *ret = r;
    r = (struct journal_replay){0};
    return 0;
}

int journal_read(const char *path, struct journal_replay *ret, struct err *err)
{
    auto_buf struct buf text = {0};
    if (file_read(path, JOURNAL_MAX, &text, err) < 0)
        return -1;
    if (journal_parse(buf_str(&text), text.len, ret, err) < 0)
        return err_wrap(err, "%s", path);
    return 0;
}

void journal_replay_done(struct journal_replay *r)
{
    cJSON_Delete(r->head.params);
    r->head.params = NULL;
}

enum journal_progress journal_progress_of(const struct journal_replay *r, const char *name,
                                          uint64_t *ret_took_ms)
{
    for (size_t i = 0; i < r->n_steps; i++) {
        if (!str_eq(r->steps[i].name, name))
            continue;
        *ret_took_ms = r->steps[i].took_ms;
        return r->steps[i].progress;
    }
    return JOURNAL_STEP_NONE;
}
