/* What an enrolment needs to know of the VM's TPM. The key is shown without a margin, so that it
 * can be copied from the terminal as it is. */
#include "core/base/str.h"
#include "tui/request.h"

#include <string.h>

struct tpm_view {
    bool asked; /* an answer is under way */
    struct err err;
    char id[64];
    char key[2048];
};

static const enum action_id tpm_actions[] = {ACTION_NONE};

static void ask(struct ui *ui, struct tpm_view *v)
{
    const struct vm_status *vm = view_vm(ui_view(ui));
    if (v->asked || !vm)
        return;
    v->asked = true;
    request_tpm(ui, vm->name);
}

static void tpm_enter(struct ui *ui, void *state, const void *arg)
{
    (void)arg;
    ask(ui, state);
}

static void tpm_ready(struct ui *ui, void *state)
{
    struct tpm_view *v = state;
    v->asked = false;
    ask(ui, v);
}

static bool tpm_reply(struct ui *ui, void *state, const struct reply *reply)
{
    struct tpm_view *v = state;
    (void)ui;
    if (reply->kind != REPLY_TPM)
        return false;
    v->asked = false;
    v->err = reply->err ? *reply->err : (struct err){0};
    if (!reply->err) {
        STR_SET(v->id, reply->id);
        STR_SET(v->key, reply->text);
    }
    return true;
}

/* Returns the rows it took. */
static int draw_key(const struct tpm_view *v, struct surface *s, int y)
{
    int rows = 0;
    for (size_t at = 0, len = strlen(v->key), room = (size_t)s->w; at < len; at += room, rows++)
        surface_raw(s, y + rows, 0, s->w, STYLE_STRONG, v->key + at,
                    len - at < room ? len - at : room);
    return rows;
}

static void tpm_draw(const struct view *view, void *state, struct surface *s, struct area body)
{
    const struct tpm_view *v = state;
    int y = body.y + 1;
    (void)view;
    surface_rule(s, body, "TPM of the VM");
    if (v->err.kind) {
        surface_light(s, y++, 1, -1, LIGHT_WARN, v->err.msg);
        surface_wrap(s, (struct area){y, 1, 3, body.w - 2}, STYLE_TEXT, v->err.hint);
        return;
    }
    if (!v->key[0]) {
        surface_light(s, y, 1, -1, LIGHT_BUSY, "Asking the VM ...");
        return;
    }
    surface_text(s, y, 1, -1, STYLE_TEXT, "Registration ID (any other will do as well)");
    surface_text(s, y + 1, 0, -1, STYLE_STRONG, v->id);
    surface_text(s, y + 3, 1, -1, STYLE_TEXT, "Endorsement key");
    y += 4 + draw_key(v, s, y + 4);
    surface_wrap(s, (struct area){y + 1, 1, 3, body.w - 2}, STYLE_TEXT,
                 "Enrol the device with both: in Azure's Device Provisioning Service under Manage "
                 "enrollments, Individual enrollments, attestation TPM.");
    surface_rule(s, (struct area){body.y + body.h - 2, 0, 1, body.w}, "As a command");
    surface_text(s, body.y + body.h - 1, 1, -1, STYLE_TEXT, "berth vm tpm");
}

const struct screen screen_tpm = {
    .title = "VM > TPM",
    .tab = TAB_NONE,
    .state_size = sizeof(struct tpm_view),
    .actions = tpm_actions,
    .enter = tpm_enter,
    .draw = tpm_draw,
    .on_reply = tpm_reply,
    .on_ready = tpm_ready,
};
