/* Typing and pasting: secrets that stay hidden, pastes that come whole or not at all. */
#include "core/base/str.h"
#include "tests/unit/ui_fixture.h"
#include "tui/connstr_view.h"
#include "tui/field.h"

#include <criterion/criterion.h>
#include <string.h>

#define SECRET  "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LTEyMzQ="
#define CONNSTR "HostName=contoso-hub.azure-devices.net;DeviceId=pump-07;SharedAccessKey=" SECRET

static void press(struct field *f, uint32_t sym)
{
    (void)field_key(f, &(struct key){.sym = sym});
}

static void paste(struct field *f, const char *text)
{
    (void)field_key(f,
                    &(struct key){.sym = KEYSYM_PASTE, .paste = text, .paste_len = strlen(text)});
}

Test(field, is_edited_as_people_expect)
{
    struct field f = {0};
    for (const char *c = "edge-vn"; *c; c++)
        press(&f, (uint32_t)*c);
    press(&f, KEYSYM_BACKSPACE);
    press(&f, 'm');
    press(&f, KEYSYM_HOME);
    press(&f, 0x6C34); /* wide, three bytes */
    cr_expect_str_eq(f.text, "\xe6\xb0\xb4"
                             "edge-vm");
    press(&f, KEYSYM_LEFT);
    press(&f, KEYSYM_DELETE);
    cr_expect_str_eq(f.text, "edge-vm");
    press(&f, KEYSYM_CTRL_U);
    cr_expect_str_eq(f.text, "");
}

Test(field, takes_no_more_than_it_has_room_for)
{
    struct field f = {.max = 4};
    paste(&f, "12345");
    cr_expect_str_eq(f.text, "");
    cr_expect(f.overflow);
    for (int i = 0; i < 10; i++)
        press(&f, '1');
    cr_expect_str_eq(f.text, "1111");
}

Test(field, a_pasted_secret_loses_its_line_breaks_and_blanks)
{
    struct field f = {.secret = true};
    paste(&f, " Host\r\nName=a \n");
    cr_expect_str_eq(f.text, "HostName=a");
}

Test(field, long_text_shows_its_end_and_keeps_the_cursor_inside)
{
    struct field f = {0};
    struct surface *s = surface_new(1, 20);
    char text[3001];
    memset(text, 'x', sizeof(text) - 1);
    text[3000] = '\0';
    text[2999] = 'Z';
    field_set(&f, text);
    field_draw(s, 0, 0, 20, &f, true);
    cr_expect_eq(s->cells[17].point, 'Z');
    cr_expect_eq(s->cursor_x, 18);
    surface_free(s);
}

Test(field, a_secret_is_on_no_screen_unless_asked_for)
{
    struct ui_fixture f;
    ui_fixture_init(&f, 24, 80);
    ui_fixture_site(&f);
    ui_fixture_key(&f, 'C');
    ui_view(f.ui)->snap.vms[0].cloud = CLOUD_STATE_NONE;
    ui_fixture_key(&f, 'C');
    ui_fixture_key(&f, '1');
    ui_fixture_paste(&f, CONNSTR);
    cr_expect(ui_fixture_shows(&f, "characters ]"));
    cr_expect(!ui_fixture_shows(&f, "c2Vj"));
    ui_fixture_key(&f, KEYSYM_CTRL_V);
    cr_expect(ui_fixture_shows(&f, "LTEyMzQ="));
    ui_fixture_key(&f, KEYSYM_CTRL_V);
    cr_expect(!ui_fixture_shows(&f, "LTEyMzQ="));
    ui_fixture_key(&f, KEYSYM_ENTER);
    cr_expect_str_eq(f.method, "provision.connection_string");
    ui_fixture_refuse(&f, ERR_INVALID, "the hub does not know pump-07", "ask for another");
    cr_expect(!ui_fixture_shows(&f, "c2Vj"));
    ui_fixture_done(&f);
}

static enum light part(const char *text, enum connstr_part which)
{
    struct connstr_view v;
    connstr_view_parse(text, strlen(text), &v);
    cr_expect(!strstr(v.parts[CONNSTR_KEY].text, "c2Vj"));
    return v.parts[which].light;
}

Test(connstr_view, names_what_is_wrong)
{
    struct connstr_view v;
    connstr_view_parse(CONNSTR, strlen(CONNSTR), &v);
    cr_expect(v.good);
    connstr_view_parse("", 0, &v);
    cr_expect(!v.good);
    cr_expect_eq(part("DeviceId=a;SharedAccessKey=" SECRET, CONNSTR_HOST), LIGHT_BAD);
    cr_expect_eq(part("HostName=a;SharedAccessKey=" SECRET, CONNSTR_DEVICE), LIGHT_BAD);
    cr_expect_eq(part("HostName=a;DeviceId=b", CONNSTR_KEY), LIGHT_BAD);
    cr_expect_eq(part("HostName=a;DeviceId=b;SharedAccessKey=c2Vjcm", CONNSTR_KEY), LIGHT_BAD);
    cr_expect_eq(part("HostName=a;DeviceId=b;SharedAccessKey=c2V?", CONNSTR_KEY), LIGHT_BAD);
    cr_expect_eq(part(CONNSTR ";ModuleId=m", CONNSTR_KIND), LIGHT_BAD);
    cr_expect_eq(
        part("HostName=a;SharedAccessKeyName=iothubowner;SharedAccessKey=" SECRET, CONNSTR_KIND),
        LIGHT_BAD);
    cr_expect_eq(part(";;;=;HostName=;", CONNSTR_HOST), LIGHT_BAD);
}
