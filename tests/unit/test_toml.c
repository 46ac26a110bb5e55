/* TOML: what the configuration file may hold, and that mistakes are named by line. */
#include "core/base/toml.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

static struct toml *parse(const char *text)
{
    struct err err = {0};
    struct toml *root = toml_parse(text, strlen(text), &err);
    cr_assert_not_null(root, "%s", err.msg);
    return root;
}

static void refuse(const char *text, const char *message)
{
    struct err err = {0};
    cr_assert_null(toml_parse(text, strlen(text), &err), "accepted: %s", text);
    cr_assert_eq(err.kind, ERR_INVALID);
    cr_assert(strstr(err.msg, message), "for <%s>: \"%s\" does not say \"%s\"", text, err.msg,
              message);
}

Test(toml, reads_the_super_config)
{
    auto_toml struct toml *root =
        parse("# comment\n"
              "hostname = \"edge-07\"\n"
              "trust_bundle_cert = 'file:///a\\b.pem' # behind\n"
              "\n"
              "[provisioning]\r\n"
              "source = \"manual\"\n"
              "connection_string = \"HostName=h;DeviceId=d;SharedAccessKey=a=\"\n"
              "[agent.config]\n"
              "image = \"x:1\"\n"
              "createOptions = { HostConfig = { Binds = [\"/a:/a\",\n \"/b:/b\", ] } }\n"
              "[agent]\n"
              "name = \"edgeAgent\"\n"
              "[agent.env]\n"
              "\"RuntimeLogLevel\" = \"debug\"\n");
    cr_assert_str_eq(toml_get(root, "hostname")->text, "edge-07");
    cr_assert_str_eq(toml_get(root, "trust_bundle_cert")->text, "file:///a\\b.pem");
    const struct toml *provisioning = toml_get(root, "provisioning");
    cr_assert_eq(provisioning->line, 5);
    cr_assert_eq(toml_get(provisioning, "connection_string")->line, 7);
    const struct toml *agent = toml_get(root, "agent");
    const struct toml *binds = toml_get(
        toml_get(toml_get(toml_get(agent, "config"), "createOptions"), "HostConfig"), "Binds");
    cr_assert_eq(binds->n_children, 2);
    cr_assert_str_eq(binds->children[1]->text, "/b:/b");
    cr_assert_str_eq(toml_get(toml_get(agent, "env"), "RuntimeLogLevel")->text, "debug");
}

Test(toml, reads_every_kind_of_value)
{
    auto_toml struct toml *root = parse("a = 1_000\nb = -17\nc = 0xDEAD_beef\nd = 0o17\ne = 0b101\n"
                                        "f = 3.5e2\ng = -inf\nh = true\ni = 1979-05-27T07:32:00Z\n"
                                        "j = 1979-05-27 07:32:00.5\nk = 07:32:00\nl = []\nm = {}\n"
                                        "n.o.p = false\n\"q r\" = '''\nx\ny'''\n"
                                        "s = \"\"\"a \\\n   b\"\"\"\"\nt = \"\\u00e9\\t\\\"\"\n");
    cr_assert_eq(toml_get(root, "a")->integer, 1000);
    cr_assert_eq(toml_get(root, "b")->integer, -17);
    cr_assert_eq(toml_get(root, "c")->integer, 0xdeadbeef);
    cr_assert_eq(toml_get(root, "d")->integer, 15);
    cr_assert_eq(toml_get(root, "e")->integer, 5);
    cr_assert_float_eq(toml_get(root, "f")->number, 350, 0.001);
    cr_assert_eq(toml_get(root, "h")->integer, 1);
    cr_assert_eq(toml_get(root, "i")->type, TOML_TIME);
    cr_assert_str_eq(toml_get(root, "j")->text, "1979-05-27 07:32:00.5");
    cr_assert_eq(toml_get(root, "k")->type, TOML_TIME);
    cr_assert_eq(toml_get(root, "l")->type, TOML_ARRAY);
    cr_assert_eq(toml_get(root, "m")->type, TOML_TABLE);
    cr_assert_eq(toml_get(toml_get(toml_get(root, "n"), "o"), "p")->integer, 0);
    cr_assert_str_eq(toml_get(root, "q r")->text, "x\ny");
    cr_assert_str_eq(toml_get(root, "s")->text, "a b\"");
    cr_assert_str_eq(toml_get(root, "t")->text, "\xc3\xa9\t\"");
}

Test(toml, makes_arrays_of_tables)
{
    auto_toml struct toml *root = parse("[[a]]\nx = 1\n[a.b]\ny = 2\n[[a]]\nx = 3\n");
    const struct toml *a = toml_get(root, "a");
    cr_assert_eq(a->n_children, 2);
    cr_assert_eq(toml_get(toml_get(a->children[0], "b"), "y")->integer, 2);
    cr_assert_eq(toml_get(a->children[1], "x")->integer, 3);
}

Test(toml, names_the_line_of_a_mistake)
{
    refuse("a = 1\nb = \n", "line 2: a value is missing");
    refuse("a = 1\n\n\na = 2\n", "line 4: key 'a' is already there (line 1)");
    refuse("x = Dynamic\n", "line 1: this value cannot be read (text needs quotes)");
    refuse("x = \"abc\ny = 1\n", "line 1: the string has no end");
    refuse("x = \"C:\\path\"\n", "line 1: unknown escape");
    refuse("[a\nb = 1\n", "line 1: ']' is missing");
    refuse("[a]\nb 1\n", "line 2: '=' is missing after key 'b'");
    refuse("a = 1 b = 2\n", "line 1: unexpected text");
    refuse("a = [1, 2\n", "',' or ']'");
    refuse("a = {x = 1,\n y = 2}\n", "line 1");
    refuse("= 1\n", "a key is expected");
    refuse("a = \"\xff\"\n", "line 1: not UTF-8");
    refuse("a = \"x", "ends in the middle");
    refuse("a = \"\"\"x", "ends in the middle");
}

Test(toml, refuses_what_the_standard_forbids)
{
    static const char *const bad[] = {
        "a = 01",
        "a = 1__0",
        "a = _1",
        "a = 1_",
        "a = 0x",
        "a = 1.",
        "a = .5",
        "a = 1e",
        "a = +0x1",
        "a = 1979-5-27",
        "a = '''x",
        "a = 9999999999999999999",
        "a = {b = 1}\na.c = 2",
        "a.b = 1\n[a]\n",
        "[a]\n[a]\n",
        "a = [1]\n[[a]]\n",
        "a = 1\n[a.b]\n",
        "a = \"\\ud800\"",
        "a = 'x\x01'",
        "# \x02\n",
        "a.b = 1\na = 2",
        "[[a]]\n[a]\n",
        "a = tru",
        "[]\n",
        "[a.]\n",
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct err err = {0};
        struct toml *root = toml_parse(bad[i], strlen(bad[i]), &err);
        cr_expect_null(root, "accepted: %s", bad[i]);
        toml_free(root);
    }
}

Test(toml, bounds_depth_and_size)
{
    char deep[200];
    memset(deep, '[', sizeof(deep));
    memcpy(deep, "a = ", 4);
    deep[sizeof(deep) - 1] = '\0';
    refuse(deep, "nested deeper");

    static char many[TOML_NODES_MAX * 2 + 100] = "a = [";
    for (size_t i = 0; i <= TOML_NODES_MAX; i++)
        memcpy(many + 5 + i * 2, "1,", 2);
    refuse(many, "more than");
}
