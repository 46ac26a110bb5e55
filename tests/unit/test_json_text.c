/* JSON for a terminal: the same JSON, and nothing in it that moves a cursor. */
#include "core/base/json_text.h"
#include "core/base/str.h"

#include <criterion/criterion.h>
#include <string.h>

/* SOURCE as it is shown; checks that a program reads the same out of it. */
static void expect_shown(const char *source, const char *wanted)
{
    auto_buf struct buf text = {0}, pretty = {0};
    auto_json cJSON *value = json_parse(source, strlen(source), NULL);
    cr_assert_not_null(value, "%s", source);
    json_text(&text, value, false);
    json_text(&pretty, value, true);
    cr_expect_str_eq(buf_str(&text), wanted);
    auto_json cJSON *again = json_parse(buf_str(&text), text.len, NULL);
    auto_json cJSON *pretty_again = json_parse(buf_str(&pretty), pretty.len, NULL);
    cr_expect(again && cJSON_Compare(value, again, true), "%s", buf_str(&text));
    cr_expect(pretty_again && cJSON_Compare(value, pretty_again, true), "%s", buf_str(&pretty));
}

Test(json_text, plain_json_stays_as_it_is)
{
    expect_shown("{ \"a\" : [1, -2.5, true, null, \"x\"], \"b\": {} , \"c\":[]}",
                 "{\"a\":[1,-2.5,true,null,\"x\"],\"b\":{},\"c\":[]}");
    expect_shown("\"Wasser \xe6\xb0\xb4 \xf0\x9f\x92\xa7\"",
                 "\"Wasser \xe6\xb0\xb4 \xf0\x9f\x92\xa7\"");
    expect_shown("\"\\\"quoted\\\" and \\\\ and /\"", "\"\\\"quoted\\\" and \\\\ and /\"");
}

Test(json_text, what_moves_a_cursor_is_escaped)
{
    expect_shown("\"\\u001b[2J\\u0007\"", "\"\\u001b[2J\\u0007\"");
    expect_shown("\"a\\nb\\tc\\rd\\be\\ff\\u000b\"", "\"a\\nb\\tc\\rd\\be\\ff\\u000b\"");
    expect_shown("\"\x7f\xc2\x9b"
                 "31m\"",
                 "\"\\u007f\\u009b31m\"");
    expect_shown("\"\xe2\x80\xae"
                 "abc\"",
                 "\"\\u202eabc\"");
    expect_shown("\"\xf3\xa0\x80\x81\"", "\"\\udb40\\udc01\"");
    expect_shown("{\"\\u001b]0;x\":1}", "{\"\\u001b]0;x\":1}");
}

Test(json_text, bytes_that_are_no_text_become_the_replacement)
{
    auto_buf struct buf text = {0};
    auto_json cJSON *value = cJSON_CreateString("a\xff\x9b"
                                                "b");
    json_text(&text, value, false);
    cr_expect_str_eq(buf_str(&text), "\"a\xef\xbf\xbd\xef\xbf\xbd"
                                     "b\"");
}

Test(json_text, pretty_is_a_member_a_line)
{
    static const char source[] = "{\"a\":{\"b\":[1,2],\"c\":{}},\"d\":\"x\"}";
    auto_buf struct buf text = {0};
    auto_json cJSON *value = json_parse(source, strlen(source), NULL);
    json_text(&text, value, true);
    cr_expect_str_eq(buf_str(&text), "{\n  \"a\": {\n    \"b\": [\n      1,\n      2\n    ],\n"
                                     "    \"c\": {}\n  },\n  \"d\": \"x\"\n}");
}
