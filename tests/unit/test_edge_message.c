#include "vm/guest/hub/edge_message.h"

#include <criterion/criterion.h>
#include <string.h>

static struct edge_message message(const char *bag)
{
    return (struct edge_message){.device = "dev 1",
                                 .module = "m&m",
                                 .output = "out=1",
                                 .model = "",
                                 .bag = bag,
                                 .bag_len = strlen(bag)};
}

Test(edge_message, finds_the_output_of_a_topic)
{
    char output[16];
    const char *bag = "a=b&%24.on=out%201&$.ct=x";

    cr_assert(edge_message_output(bag, strlen(bag), output, sizeof(output)));
    cr_expect_str_eq(output, "out 1");
    cr_assert(edge_message_output("a=b", 3, output, sizeof(output)));
    cr_expect_str_eq(output, "");
    cr_expect_not(edge_message_output("a=%zz", 5, output, sizeof(output)));
    bag = "%24.on=a-name-that-is-far-too-long";
    cr_expect_not(edge_message_output(bag, strlen(bag), output, sizeof(output)));
}

Test(edge_message, tells_an_input_who_really_sent_it)
{
    struct buf out = {0};
    struct edge_message m = message("k%20=v%26&nothing&%24.cdid=liar&$.cmid=liar&%24%2Eon=x&&"
                                    "%24.mid=7&%24.ct=a%2Fb");

    edge_message_bag(&m, false, &out);
    cr_expect_str_eq(buf_str(&out), "k%20=v%26&nothing&%24.mid=7&%24.ct=a%2Fb&%24.on=out%3D1&"
                                    "%24.cdid=dev%201&%24.cmid=m%26m");
    buf_clear(&out);
    edge_message_bag(&m, true, &out);
    cr_expect_str_eq(buf_str(&out), "k%20=v%26&nothing&%24.mid=7&%24.ct=a%2Fb&%24.on=out%3D1");
    buf_clear(&out);
    m = message("");
    m.module = m.output = "";
    edge_message_bag(&m, false, &out);
    cr_expect_str_eq(buf_str(&out), "%24.cdid=dev%201");
    buf_done(&out);
}

Test(edge_message, knows_system_properties_by_both_names)
{
    cr_expect_eq(edge_system_named("CONTENTTYPE", 11), EDGE_CONTENT_TYPE);
    cr_expect_eq(edge_system_named("dt-subject", 10), EDGE_SUBJECT);
    cr_expect_eq(edge_system_named("contentTypeX", 12), EDGE_SYSTEM_COUNT);
    cr_expect_eq(edge_system_wired("$.ce"), EDGE_CONTENT_ENCODING);
    cr_expect_eq(edge_system_wired("iothub-operation"), EDGE_OPERATION);
    cr_expect_eq(edge_system_wired("$.unknown"), EDGE_SYSTEM_COUNT);
    cr_expect_eq(edge_system_wired("alert"), EDGE_SYSTEM_COUNT);
}
