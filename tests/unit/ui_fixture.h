/* The console without terminal and engine, for tests: a ui whose calls are recorded, snapshots made
 * by hand, a fixed clock. */
#ifndef BERTH_TESTS_UI_FIXTURE_H
#define BERTH_TESTS_UI_FIXTURE_H

#include "core/base/buf.h"
#include "tui/ui.h"

struct ui_fixture {
    struct ui *ui;
    struct surface *s;
    char method[64];   /* of the last call */
    struct buf params; /* of the last call, as JSON */
    rpc_reply_fn fn;   /* answers the last call */
    void *fn_arg;
    size_t calls;
    struct ui_fixture_call {
        char method[64];
        rpc_reply_fn fn; /* NULL: was answered */
        void *fn_arg;
    } recent[16]; /* calls, the last one at (calls - 1) % 16 */
};

void ui_fixture_init(struct ui_fixture *f, int h, int w);
void ui_fixture_done(struct ui_fixture *f);

/* edge-07 with a VM that runs five modules, one of them failed. */
void ui_fixture_site(struct ui_fixture *f);
/* A host without a VM. */
void ui_fixture_empty(struct ui_fixture *f);
/* An install at work; returns its entry, to be changed before ui_fixture_show. */
struct job_status *ui_fixture_job(struct ui_fixture *f, const char *kind, const char *title);

void ui_fixture_key(struct ui_fixture *f, uint32_t sym);
void ui_fixture_type(struct ui_fixture *f, const char *text);
void ui_fixture_paste(struct ui_fixture *f, const char *text);
/* Answers the last call with JSON text. */
void ui_fixture_answer(struct ui_fixture *f, const char *json);
/* The same for the latest call of METHOD, where several are under way. */
void ui_fixture_answer_to(struct ui_fixture *f, const char *method, const char *json);
void ui_fixture_refuse(struct ui_fixture *f, enum err_kind kind, const char *msg, const char *hint);
/* Draws and returns the picture as text, owned by the fixture until the next call. */
const char *ui_fixture_picture(struct ui_fixture *f);
bool ui_fixture_shows(struct ui_fixture *f, const char *text);

/* Compares the picture at 80x24 and 132x43 with tests/golden/NAME-WxH.txt. BERTH_GOLDEN=write makes
 * the files instead. */
void ui_fixture_golden(struct ui_fixture *f, const char *name);

#endif
