/* The outbox where processes are killed and disks are full: nothing that was acknowledged is lost,
 * the order of each queue holds, and what comes twice had no right to be gone. A child works on the
 * database and writes into shared memory what it does; the parent kills it at random moments, and
 * in the end judges the whole log. */
#include "core/base/attr.h"
#include "core/base/clock.h"
#include "core/base/file.h"
#include "core/base/mem.h"
#include "core/base/str.h"
#include "vm/guest/hub/outbox.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/random.h>
#include <sys/select.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define ENDPOINTS 3
#define RECORDS   4000000U
#define MESSAGES  400000U
#define CRASH_MS  15000
#define BIG       100000

static char dir[60];

/* ---- reporting ---- */

static void result(const char *name, const char *why)
{
    if (why[0])
        printf("not ok %s: %s\n", name, why);
    else
        printf("ok %s\n", name);
    (void)fflush(stdout);
}

static uint64_t dice(uint64_t sides)
{
    static uint64_t x;

    if (x == 0 && getrandom(&x, sizeof(x), 0) != (ssize_t)sizeof(x))
        x = 88172645463325252ULL;
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    return x % sides;
}

/* ---- the log ---- */

enum what { LIFE, ACKED, DELIVERED, DONE, REWOUND, SWEPT, FAILED };

struct record {
    unsigned char what, endpoint, priority;
    unsigned message;
};

struct log {
    atomic_uint n;
    unsigned next_message;
    struct record records[RECORDS];
};

static struct log *shared;

static void note(enum what what, unsigned endpoint, unsigned priority, unsigned message)
{
    unsigned n = atomic_load(&shared->n);

    if (n == RECORDS)
        _exit(0);
    shared->records[n] = (struct record){(unsigned char)what, (unsigned char)endpoint,
                                         (unsigned char)priority, message};
    atomic_store(&shared->n, n + 1);
}

/* ---- the child ---- */

static struct outbox *open_outbox(const char *path, unsigned *endpoints)
{
    struct outbox *o = NULL;
    struct err err;

    if (outbox_open(path, NULL, &o, &err) < 0 || outbox_set_aside(o)[0]) {
        (void)fprintf(stderr, "child: %s\n", o ? outbox_set_aside(o) : err.msg);
        note(FAILED, 0, 0, 0);
        _exit(1);
    }
    for (unsigned i = 0; i < ENDPOINTS; i++)
        endpoints[i] = outbox_endpoint(o, (const char *[]){"$upstream", "a/in", "b/in"}[i]);
    return o;
}

struct sent {
    unsigned message, n;
    struct outbox_target targets[ENDPOINTS];
};

static void send_one(struct outbox *o, struct sent *s)
{
    static char body[BIG];
    struct edge_message m = {.device = "d",
                             .module = "m",
                             .output = "",
                             .model = "",
                             .bag = "",
                             .body = body,
                             .created_ms = 1};
    unsigned first = (unsigned)dice(ENDPOINTS);

    s->message = shared->next_message++;
    if (s->message >= MESSAGES)
        _exit(0);
    s->n = dice(3) ? 1 : 1 + (unsigned)dice(ENDPOINTS);
    for (unsigned i = 0; i < s->n; i++)
        s->targets[i] =
            (struct outbox_target){(first + i) % ENDPOINTS, (unsigned)dice(3) * 5, OUTBOX_NEVER};
    memcpy(body, &s->message, sizeof(s->message));
    m.len = sizeof(s->message) + (dice(50) ? dice(1500) : dice(BIG - 100));
    if (outbox_add(o, &m, s->targets, s->n, NULL) < 0)
        note(FAILED, 0, 0, 1);
}

static void send_some(struct outbox *o)
{
    struct sent sent[20];
    unsigned n = 1 + (unsigned)dice(ARRAY_LEN(sent));

    for (unsigned i = 0; i < n; i++)
        send_one(o, &sent[i]);
    if (outbox_commit(o, NULL) < 0) {
        note(FAILED, 0, 0, 2);
        return;
    }
    for (unsigned i = 0; i < n; i++)
        for (unsigned t = 0; t < sent[i].n; t++)
            note(ACKED, sent[i].targets[t].endpoint, sent[i].targets[t].priority, sent[i].message);
}

/* Whether there was one. */
static bool receive_one(struct outbox *o, unsigned endpoint, bool done)
{
    struct outbox_item item;
    unsigned message;

    if (outbox_next(o, endpoint, &item, NULL) <= 0)
        return false;
    memcpy(&message, item.message.body, sizeof(message));
    note(DELIVERED, endpoint, item.ref.priority, message);
    if (done) {
        note(DONE, endpoint, item.ref.priority, message);
        outbox_done(o, &item.ref);
    }
    return true;
}

static void live(const char *path)
{
    unsigned endpoints[ENDPOINTS];
    struct outbox *o = open_outbox(path, endpoints);

    note(LIFE, 0, 0, 0);
    for (;;) {
        unsigned endpoint = (unsigned)dice(ENDPOINTS);
        uint64_t turn = dice(100);

        if (turn < 50) {
            send_some(o);
        } else if (turn < 97) {
            for (uint64_t n = dice(30); n > 0; n--)
                (void)receive_one(o, endpoint, dice(10) != 0);
        } else if (turn < 99) {
            note(REWOUND, endpoint, 0, 0);
            (void)outbox_rewind(o, endpoint, NULL);
        } else if (outbox_sweep(o, NULL, NULL, NULL) == 0) {
            note(SWEPT, 0, 0, 0);
        }
    }
}

static void last_life(const char *path)
{
    unsigned endpoints[ENDPOINTS];
    struct outbox *o = open_outbox(path, endpoints);

    note(LIFE, 0, 0, 0);
    for (unsigned i = 0; i < ENDPOINTS; i++)
        while (receive_one(o, i, true))
            ;
    outbox_close(o);
    note(SWEPT, 0, 0, 0);
    _exit(0);
}

/* ---- the judge ---- */

/* Of a message at an endpoint. */
struct state {
    bool acked, delivered, gone;
    unsigned done_life;      /* 0: never */
    unsigned delivered_life; /* the last one */
};

struct judge {
    struct state *states[ENDPOINTS];
    long last[ENDPOINTS][ROUTE_PRIORITIES];  /* in this life, since the last rewind */
    long first[ENDPOINTS][ROUTE_PRIORITIES]; /* of first deliveries, ever */
    unsigned life;
    unsigned acked, again;
};

static void restart_endpoint(struct judge *j, unsigned endpoint)
{
    for (unsigned p = 0; p < ROUTE_PRIORITIES; p++)
        j->last[endpoint][p] = -1;
}

static const char *judge_delivery(struct judge *j, const struct record *r)
{
    struct state *s = &j->states[r->endpoint][r->message];

    if (s->gone)
        return "it came again after it had gone for good";
    if (s->done_life == j->life)
        return "it came again although it was done in the same life";
    if ((long)r->message <= j->last[r->endpoint][r->priority])
        return "out of order";
    if (!s->delivered && (long)r->message <= j->first[r->endpoint][r->priority])
        return "passed over, and delivered later";
    j->last[r->endpoint][r->priority] = r->message;
    if (!s->delivered)
        j->first[r->endpoint][r->priority] = r->message;
    j->again += s->delivered;
    s->delivered = true;
    s->delivered_life = j->life;
    return NULL;
}

static void judge_sweep(struct judge *j)
{
    for (unsigned e = 0; e < ENDPOINTS; e++)
        for (unsigned m = 0; m < shared->next_message && m < MESSAGES; m++)
            if (j->states[e][m].done_life == j->life)
                j->states[e][m].gone = true;
}

static const char *judge_record(struct judge *j, const struct record *r)
{
    switch ((enum what)r->what) {
    case LIFE:
        j->life++;
        for (unsigned e = 0; e < ENDPOINTS; e++)
            restart_endpoint(j, e);
        return NULL;
    case ACKED:
        j->states[r->endpoint][r->message].acked = true;
        j->acked++;
        return NULL;
    case DELIVERED:
        return judge_delivery(j, r);
    case DONE:
        j->states[r->endpoint][r->message].done_life = j->life;
        return NULL;
    case REWOUND:
        restart_endpoint(j, r->endpoint);
        return NULL;
    case SWEPT:
        judge_sweep(j);
        return NULL;
    case FAILED:
        return "a call failed";
    }
    return "?";
}

static void judge(char *why, size_t size)
{
    struct judge j = {0};
    unsigned n = atomic_load(&shared->n), lost = 0;

    for (unsigned e = 0; e < ENDPOINTS; e++) {
        j.states[e] = xcalloc(MESSAGES, sizeof(struct state));
        for (unsigned p = 0; p < ROUTE_PRIORITIES; p++)
            j.first[e][p] = -1;
    }
    for (unsigned i = 0; i < n && !why[0]; i++) {
        const struct record *r = &shared->records[i];
        const char *fault = judge_record(&j, r);

        if (fault)
            (void)str_format(why, size, "message %u at endpoint %u: %s", r->message, r->endpoint,
                             fault);
    }
    for (unsigned e = 0; e < ENDPOINTS; e++)
        for (unsigned m = 0; m < MESSAGES; m++) {
            const struct state *s = &j.states[e][m];

            /* What nobody had reported done must be in the last life's hands. */
            lost += s->acked && (!s->delivered || s->done_life == 0);
        }
    if (lost > 0 && !why[0])
        (void)str_format(why, size, "%u messages were lost", lost);
    if (j.acked < 1000 && !why[0])
        (void)str_format(why, size, "only %u messages in all: no test", j.acked);
    printf("# %u lives, %u acknowledged, %u delivered again\n", j.life, j.acked, j.again);
    for (unsigned e = 0; e < ENDPOINTS; e++)
        free(j.states[e]);
}

/* ---- killing ---- */

static int spawn(const char *path, void (*life)(const char *path))
{
    int pid = fork();

    if (pid == 0) {
        life(path);
        _exit(0);
    }
    return pid;
}

/* Waits for PID until then; false where it is still there. */
static bool ends_within(int pid, uint64_t ms)
{
    int fd = (int)syscall(SYS_pidfd_open, pid, 0);
    struct timeval t = {.tv_sec = (time_t)(ms / 1000), .tv_usec = (suseconds_t)(ms % 1000 * 1000)};
    fd_set set;

    FD_ZERO(&set);
    FD_SET(fd, &set);

    int n = select(fd + 1, &set, NULL, NULL, &t);

    (void)close(fd);
    return n > 0;
}

static void test_kills(void)
{
    char path[80], why[200] = "";
    uint64_t until = clock_mono_ms() + CRASH_MS;
    int status;

    (void)str_format(path, sizeof(path), "%s/killed.db", dir);
    while (clock_mono_ms() < until && atomic_load(&shared->n) < RECORDS / 2) {
        int pid = spawn(path, live);

        (void)ends_within(pid, 1 + dice(dice(10) ? 60 : 500));
        (void)kill(pid, SIGKILL);
        (void)waitpid(pid, &status, 0);
    }

    int pid = spawn(path, last_life);

    if (!ends_within(pid, 60000) || waitpid(pid, &status, 0) != pid || status != 0)
        (void)str_format(why, sizeof(why), "the last life did not end well");
    judge(why, sizeof(why));
    result("loses nothing and keeps the order when it is killed", why);
}

/* ---- a full disk ---- */

static void fill(const char *path)
{
    static const char zeros[4096];
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

    while (write(fd, zeros, sizeof(zeros)) > 0)
        ;
    (void)close(fd);
}

/* Adds messages until one is refused. Returns how many are acknowledged. */
static unsigned add_all(struct outbox *o, unsigned endpoint, unsigned first, enum err_kind *ret)
{
    static char body[2000];
    const struct outbox_target target = {endpoint, 10, OUTBOX_NEVER};
    unsigned n = 0;

    *ret = ERR_NONE;
    while (*ret == ERR_NONE && n < 100000) {
        unsigned message = first + n;
        struct edge_message m = {.device = "d",
                                 .module = "m",
                                 .output = "",
                                 .model = "",
                                 .bag = "",
                                 .body = body,
                                 .len = sizeof(body)};
        struct err err = {0};

        memcpy(body, &message, sizeof(message));
        if (outbox_add(o, &m, &target, 1, &err) == 0 && outbox_commit(o, &err) == 0)
            n++;
        else
            *ret = err.kind;
        if (*ret != ERR_NONE)
            (void)outbox_commit(o, NULL); /* the turn ends whatever it brought */
    }
    return n;
}

/* Takes up to MAX, which must be those from FIRST on. */
static unsigned take_all(struct outbox *o, unsigned endpoint, unsigned first, unsigned max)
{
    struct outbox_item item;
    unsigned n = 0, message;

    while (n < max && outbox_next(o, endpoint, &item, NULL) > 0) {
        memcpy(&message, item.message.body, sizeof(message));
        if (message != first + n)
            return UINT32_MAX;
        outbox_done(o, &item.ref);
        n++;
    }
    return n;
}

#define NEED(what, condition)                     \
    do {                                          \
        if (!(condition)) {                       \
            result("survives a full disk", what); \
            _exit(1);                             \
        }                                         \
    } while (0)

static void full_disk(const char *mount_point)
{
    char path[80], filler[80];
    struct outbox *o = NULL;
    enum err_kind kind;
    unsigned endpoint, acked, more;

    (void)str_format(path, sizeof(path), "%s/full.db", mount_point);
    (void)str_format(filler, sizeof(filler), "%s/filler", mount_point);
    NEED("cannot open", outbox_open(path, NULL, &o, NULL) == 0);
    endpoint = outbox_endpoint(o, "$upstream");
    acked = add_all(o, endpoint, 0, &kind);
    NEED("the refusal does not speak of space", kind == ERR_NO_SPACE);
    NEED("too few messages fit", acked > 100);
    NEED("the count is wrong", outbox_count(o, endpoint, 10) == acked);

    fill(filler);
    outbox_close(o);
    NEED("cannot open on a full disk", outbox_open(path, NULL, &o, NULL) == 0);
    NEED("it was set aside", !outbox_set_aside(o)[0]);
    endpoint = outbox_endpoint(o, "$upstream");
    NEED("what was acknowledged is not there", outbox_count(o, endpoint, 10) == acked);
    NEED("does not deliver on a full disk", take_all(o, endpoint, 0, acked / 2) == acked / 2);
    NEED("cannot let go of what was delivered", outbox_sweep(o, NULL, NULL, NULL) == 0);
    NEED("takes more on a full disk",
         add_all(o, endpoint, acked, &kind) == 0 && kind == ERR_NO_SPACE);
    NEED("does not remember what it let go of",
         outbox_rewind(o, endpoint, NULL) == 0 &&
             take_all(o, endpoint, acked / 2, UINT32_MAX) == acked - acked / 2);
    NEED("cannot let go of the rest", outbox_sweep(o, NULL, NULL, NULL) == 0);

    (void)unlink(filler);
    for (int i = 0; i < 10; i++)
        NEED("cannot make room", outbox_sweep(o, NULL, NULL, NULL) == 0);
    more = add_all(o, endpoint, acked, &kind);
    NEED("takes nothing when there is room again", more > 100);
    NEED("messages were lost", take_all(o, endpoint, acked, UINT32_MAX) == more);
    outbox_close(o);
    printf("# %u messages until the disk was full, %u the next time\n", acked, more);
    result("survives a full disk", "");
    _exit(0);
}

static void test_full_disk(void)
{
    char mount_point[80];
    int status, pid;

    (void)str_format(mount_point, sizeof(mount_point), "%s/small", dir);
    if (mkdir(mount_point, 0700) < 0) {
        result("survives a full disk", "cannot make the mount point");
        return;
    }
    pid = fork();
    if (pid == 0) {
        NEED("no private mount namespace",
             unshare(geteuid() == 0 ? CLONE_NEWNS : CLONE_NEWUSER | CLONE_NEWNS) == 0 &&
                 mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
                 mount("tmpfs", mount_point, "tmpfs", 0, "size=40m") == 0);
        full_disk(mount_point);
    }
    if (!ends_within(pid, 60000)) {
        (void)kill(pid, SIGKILL);
        result("survives a full disk", "it hangs");
    }
    (void)waitpid(pid, &status, 0);
    if (WIFSIGNALED(status) && WTERMSIG(status) != SIGKILL)
        result("survives a full disk", "it crashed");
}

int main(void)
{
    (void)str_format(dir, sizeof(dir), "/var/tmp/berth-outbox-XXXXXX");
    shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED || !mkdtemp(dir))
        return 1;
    test_full_disk();
    test_kills();
    (void)file_remove_tree(dir, NULL);
    return 0;
}
