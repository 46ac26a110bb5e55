/* See who.h. */
#include "tui/who.h"

#include "core/base/str.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Foreign text: whoever starts the program sets it. */
static void variable(const char *name, char *to, size_t size)
{
    const char *value = getenv(name); /* NOLINT(concurrency-mt-unsafe): nothing sets it */
    str_sanitise_to(to, size, value ? value : "");
}

void who_describe(char *to, size_t size)
{
    char user[48], peer[64];
    variable("LOGNAME", user, sizeof(user));
    if (!user[0])
        variable("USER", user, sizeof(user));
    if (!user[0])
        (void)str_format(user, sizeof(user), "user %u", (unsigned)getuid());
    variable("SSH_CONNECTION", peer, sizeof(peer));
    peer[strcspn(peer, " ")] = '\0';
    (void)str_format(to, size, peer[0] ? "%s from %s" : "%s", user, peer);
}
