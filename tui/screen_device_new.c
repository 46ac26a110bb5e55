/* A new device of the sandbox: its name, what kind it is, and how it proves who it is. */
#include "core/base/str.h"
#include "tui/field.h"
#include "tui/request.h"

#include <string.h>

enum row {
    ROW_NAME,
    ROW_KIND, /* and the one behind it */
    ROW_AUTH = ROW_KIND + 2,
    ROW_PRINT = ROW_AUTH + 3,
    ROW_COUNT
};

static const char *const kinds[] = {
    "IoT Edge device       it runs modules; a VM of Berth is one",
    "Device                a program with an IoT Hub SDK, a sensor",
};

static const struct {
    enum sandbox_auth auth;
    const char *text;
} ways[] = {
    {SANDBOX_AUTH_SAS, "A key                 made here; you get a connection string"},
    {SANDBOX_AUTH_X509_SELF_SIGNED, "Its own certificate   known by its thumbprint"},
    {SANDBOX_AUTH_X509_CA, "A signed certificate  of an authority: berth sandbox ca add FILE"},
};

struct device_form {
    struct field name, thumbprint;
    size_t kind, way;
    int row;
    bool asked;
};

static const enum action_id form_actions[] = {
    ACTION_NEXT_FIELD, ACTION_PREV_FIELD, ACTION_UP,          ACTION_DOWN,
    ACTION_TICK,       ACTION_WIPE,       ACTION_DEVICE_MAKE, ACTION_NONE,
};

static bool needs_print(const struct device_form *f)
{
    return ways[f->way].auth == SANDBOX_AUTH_X509_SELF_SIGNED;
}

static void form_enter(struct ui *ui, void *state, const void *arg)
{
    struct device_form *f = state;
    (void)ui;
    (void)arg;
    f->name.max = SANDBOX_ID_MAX - 2;
    f->thumbprint.max = 200;
}

/* What can be said without the sandbox; NULL: nothing. */
static const char *wrong_with(const struct device_form *f)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                  "-.+%_#*?!(),:=@$'";
    if (!f->name.len)
        return "Name: the device needs one; capital and small letters count";
    if (f->name.text[strspn(f->name.text, letters)])
        return "Name: letters, digits and - . _ : only, no blanks";
    if (needs_print(f) && !f->thumbprint.len)
        return "Thumbprint: paste the certificate's, 40 or 64 hexadecimal digits";
    return NULL;
}

static void draw_choice(const struct device_form *f, struct surface *s, int y, int row, bool chosen,
                        const char *text)
{
    surface_printf(s, y, 12, STYLE_TEXT, "%s %s", chosen ? "(*)" : "( )", text);
    if (f->row != row)
        return;
    surface_text(s, y, 10, 1, STYLE_STRONG, ">");
    surface_focus(s, y, 13, false);
}

static void form_draw(const struct view *view, void *state, struct surface *s, struct area body)
{
    const struct device_form *f = state;
    const char *wrong = wrong_with(f);
    int y = body.y + 2;
    (void)view;
    surface_rule(s, body, NULL);
    surface_text(s, y, 1, -1, STYLE_TEXT, "Name");
    field_draw(s, y, 12, 60, &f->name, f->row == ROW_NAME);
    y += 2;
    surface_text(s, y, 1, -1, STYLE_TEXT, "Kind");
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++, y++)
        draw_choice(f, s, y, ROW_KIND + (int)i, f->kind == i, kinds[i]);
    y++;
    surface_text(s, y, 1, -1, STYLE_TEXT, "Proves it");
    for (size_t i = 0; i < ARRAY_LEN(ways); i++, y++)
        draw_choice(f, s, y, ROW_AUTH + (int)i, f->way == i, ways[i].text);
    y++;
    if (needs_print(f)) {
        surface_text(s, y, 1, -1, STYLE_TEXT, "Thumbprint");
        field_draw(s, y, 12, s->w - 14 < 98 ? s->w - 14 : 98, &f->thumbprint, f->row == ROW_PRINT);
        surface_text(s, y + 1, 12, -1, STYLE_TEXT,
                     "openssl x509 -noout -fingerprint -sha256 -in CERTIFICATE prints it");
    }
    y = body.y + body.h - 1;
    if (wrong)
        surface_light(s, y, 1, -1, LIGHT_TODO, wrong);
    else
        surface_light(s, y, 1, -1, LIGHT_OK, "Complete. Enter makes the device in the sandbox.");
}

static bool form_key(struct ui *ui, void *state, const struct key *key)
{
    struct device_form *f = state;
    (void)ui;
    if (f->row == ROW_NAME)
        return field_key(&f->name, key);
    return f->row == ROW_PRINT && field_key(&f->thumbprint, key);
}

static void choose(struct device_form *f)
{
    if (f->row >= ROW_KIND && f->row < ROW_AUTH)
        f->kind = (size_t)(f->row - ROW_KIND);
    else if (f->row >= ROW_AUTH && f->row < ROW_PRINT)
        f->way = (size_t)(f->row - ROW_AUTH);
}

static int group_of(int row)
{
    return row < ROW_KIND    ? ROW_NAME
           : row < ROW_AUTH  ? ROW_KIND
           : row < ROW_PRINT ? ROW_AUTH
                             : ROW_PRINT;
}

/* Tab goes from group to group and lands on what is chosen; moving inside a group chooses. */
static void move_row(struct device_form *f, int step, bool by_group)
{
    int from = group_of(f->row);
    do {
        f->row = (f->row + step + ROW_COUNT) % ROW_COUNT;
    } while ((f->row == ROW_PRINT && !needs_print(f)) || (by_group && group_of(f->row) == from));
    if (group_of(f->row) == from)
        choose(f);
    else if (group_of(f->row) == ROW_KIND)
        f->row = ROW_KIND + (int)f->kind;
    else if (group_of(f->row) == ROW_AUTH)
        f->row = ROW_AUTH + (int)f->way;
}

static void make(struct ui *ui, struct device_form *f)
{
    struct sandbox_device d = {.edge = f->kind == 0, .auth = ways[f->way].auth};
    const char *wrong = wrong_with(f);
    if (wrong) {
        ui_toast(ui, LIGHT_WARN, "%s", wrong);
        return;
    }
    STR_SET(d.id, f->name.text);
    if (f->asked)
        return;
    f->asked = true;
    request_device_create(ui, &d, needs_print(f) ? f->thumbprint.text : NULL);
}

static bool form_action(struct ui *ui, void *state, enum action_id id)
{
    struct device_form *f = state;
    if (id == ACTION_UP || id == ACTION_DOWN)
        move_row(f, id == ACTION_UP ? -1 : 1, false);
    else if (id == ACTION_NEXT_FIELD || id == ACTION_PREV_FIELD)
        move_row(f, id == ACTION_PREV_FIELD ? -1 : 1, true);
    else if (id == ACTION_DEVICE_MAKE)
        make(ui, f);
    else if (id == ACTION_TICK)
        choose(f);
    else
        return false;
    return true;
}

static bool form_reply(struct ui *ui, void *state, const struct reply *reply)
{
    struct device_form *f = state;
    char id[SANDBOX_ID_MAX];
    f->asked = false;
    if (reply->kind != REPLY_DEVICE || reply->err)
        return false;
    STR_SET(id, f->name.text);
    bool existed = reply->existed;
    ui_close(ui, f);
    ui_push(ui, &screen_device, id);
    ui_toast(ui, existed ? LIGHT_WARN : LIGHT_OK,
             existed ? "%s was there already; nothing was changed"
                     : "%s is made; S shows its connection string",
             id);
    return true;
}

const struct screen screen_device_new = {
    .title = "Sandbox > New device",
    .tab = TAB_NONE,
    .state_size = sizeof(struct device_form),
    .actions = form_actions,
    .form = true,
    .enter = form_enter,
    .draw = form_draw,
    .on_key = form_key,
    .on_action = form_action,
    .on_reply = form_reply,
};
