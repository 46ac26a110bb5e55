/* An event on its way to a person: bounded whatever the device sent, and one harmless line. */
#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/base/str.h"
#include "core/engine/sandbox_entry.h"
#include "tui/event_json.h"

#include <criterion/criterion.h>
#include <string.h>

static void expect_line(const struct hub_event *event, const char *wanted)
{
    auto_buf struct buf line = {0};
    auto_json cJSON *entry = sandbox_entry_json(event);
    event_json_line(entry, &line);
    cr_expect_str_eq(buf_str(&line), wanted);
}

Test(sandbox_entry, is_one_line_for_people)
{
    struct hub_event e = {.sequence = 1, .device = "d1", .module = "", .body_base64 = "aGk="};
    expect_line(&e, "d1  hi");
    e.module = "sensor";
    e.properties[0] = (struct hub_property){"alert", "true"};
    e.properties[1] = (struct hub_property){"$.ct", "application/json"};
    e.properties[2] = (struct hub_property){"iothub-x", "system"};
    e.n_own = 2;
    e.n_properties = 3;
    e.body_base64 = "eyJhIjoxLAogImIiOiJcdTIwMmUifQ=="; /* {"a":1,\n "b":"\u202e"} */
    expect_line(&e, "d1/sensor  alert=true  {\"a\":1,\"b\":\"\\u202e\"}");
}

Test(sandbox_entry, shows_bytes_and_nothing_as_what_they_are)
{
    struct hub_event e = {.sequence = 1, .device = "d", .module = "", .body_base64 = ""};
    expect_line(&e, "d  (empty)");
    e.body_base64 = "AAEC";
    expect_line(&e, "d  (3 bytes, as base64: AAEC)");
    e.body_base64 = "not base64!";
    expect_line(&e, "d  (unreadable)");
}

Test(sandbox_entry, lets_no_escape_through)
{
    struct hub_event e = {.sequence = 1,
                          .device = "d\033[2J",
                          .module = "",
                          .body_base64 = "G10wO3h4eAdhCmI="}; /* ESC ] 0 ; xxx BEL a LF b */
    e.properties[0] = (struct hub_property){"k\r", "\xc2\x9bv"};
    e.n_own = e.n_properties = 1;
    expect_line(&e, "d^[[2J  k^M=\\x9bv  ^[]0;xxx^Ga^Jb");
}

/* A heap string of N times C. */
static char *many(char c, size_t n)
{
    char *text = xmalloc(n + 1);
    memset(text, c, n);
    text[n] = '\0';
    return text;
}

Test(sandbox_entry, is_bounded_whatever_a_device_sends)
{
    auto_free char *control = many('\001', 200000);
    auto_free char *base64 = many('A', 384 * 1024); /* NUL bytes */
    auto_free char *huge = many('A', 2000000);
    auto_buf struct buf text = {0};
    struct hub_event e = {
        .sequence = 1, .device = control, .module = control, .body_base64 = base64};
    for (size_t i = 0; i < HUB_EVENT_PROPERTIES_MAX; i++)
        e.properties[i] = (struct hub_property){control + i, control};
    e.n_properties = HUB_EVENT_PROPERTIES_MAX;
    e.n_own = e.n_properties / 2;
    auto_json cJSON *entry = sandbox_entry_json(&e);
    json_print(&text, entry);
    cr_expect_leq(text.len, (size_t)SANDBOX_ENTRY_MAX);
    cr_expect(json_bool(entry, "cut", false), "what is missing is said");
    cr_expect_not_null(json_get(entry, "bodyBase64"));

    e.body_base64 = huge;
    auto_json cJSON *other = sandbox_entry_json(&e);
    cr_expect_null(json_get(other, "bodyBase64"));
    cr_expect(json_bool(other, "cut", false));
}

Test(sandbox_entry, a_long_text_is_cut_between_characters)
{
    /* 16383 times "a", then U+6C34: the cut may not go through it. */
    auto_buf struct buf body = {0}, base64 = {0};
    for (int i = 0; i < 16383; i++)
        buf_putc(&body, 'a');
    buf_puts(&body, "\xe6\xb0\xb4\xe6\xb0\xb4");
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i + 2 < body.len; i += 3) {
        uint32_t v = (uint32_t)(unsigned char)body.data[i] << 16 |
                     (uint32_t)(unsigned char)body.data[i + 1] << 8 |
                     (unsigned char)body.data[i + 2];
        for (int shift = 18; shift >= 0; shift -= 6)
            buf_putc(&base64, digits[v >> shift & 63]);
    }
    struct hub_event e = {
        .sequence = 1, .device = "d", .module = "", .body_base64 = buf_str(&base64)};
    auto_json cJSON *entry = sandbox_entry_json(&e);
    cr_expect_eq(strlen(json_str(entry, "text", "")), 16383);
    cr_expect(json_bool(entry, "cut", false));
}
