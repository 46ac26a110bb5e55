/* See path.h. */
#include "core/base/path.h"

#include "core/base/file.h"
#include "core/base/mem.h"

#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>

/* Read at start, before any thread exists; nothing in Berth calls setenv. */
static const char *env_dir(const char *name)
{
    const char *value = getenv(name); /* NOLINT(concurrency-mt-unsafe) */
    return value && value[0] == '/' ? value : NULL;
}

static char *home_dir(void)
{
    const char *home = env_dir("HOME");
    if (home)
        return xstrdup(home);
    struct passwd pw;
    struct passwd *found = NULL;
    char text[4096];
    if (getpwuid_r(getuid(), &pw, text, sizeof(text), &found) == 0 && found)
        return xstrdup(found->pw_dir);
    return xstrdup("/");
}

static const struct {
    const char *root_dir;
    const char *xdg_env;
    const char *home_dir;
    const char *below_override; /* below BERTH_STATE_DIR */
} bases[] = {
    [PATH_STATE] = {"/var/lib/berth", "XDG_STATE_HOME", ".local/state", ""},
    [PATH_RUNTIME] = {"/run/berth", "XDG_RUNTIME_DIR", ".cache", "/run"},
    [PATH_CONFIG] = {"/etc/berth", "XDG_CONFIG_HOME", ".config", "/config"},
    [PATH_CACHE] = {"/var/cache/berth", "XDG_CACHE_HOME", ".cache", "/cache"},
};

static char *base_dir(enum path_base base)
{
    const char *runtime = env_dir("BERTH_RUNTIME_DIR");
    const char *state = env_dir("BERTH_STATE_DIR");
    if (base == PATH_RUNTIME && runtime)
        return xstrdup(runtime);
    if (state)
        return xasprintf("%s%s", state, bases[base].below_override);
    if (geteuid() == 0)
        return xstrdup(bases[base].root_dir);

    const char *xdg = env_dir(bases[base].xdg_env);
    if (xdg)
        return xasprintf("%s/berth", xdg);
    auto_free char *home = home_dir();
    return xasprintf("%s/%s/berth", home, bases[base].home_dir);
}

char *path_of(enum path_base base, const char *leaf_fmt, ...)
{
    auto_free char *dir = base_dir(base);
    auto_free char *leaf = NULL;
    va_list ap;
    va_start(ap, leaf_fmt);
    int n = vasprintf(&leaf, leaf_fmt, ap);
    va_end(ap);
    if (n < 0)
        abort();
    return *leaf ? xasprintf("%s/%s", dir, leaf) : steal(dir);
}

int path_prepare(struct err *err)
{
    auto_free char *state = path_of(PATH_STATE, "%s", "");
    auto_free char *runtime = path_of(PATH_RUNTIME, "%s", "");
    if (file_mkdirs(state, geteuid() == 0 ? 0711 : 0700, err) < 0)
        return -1;
    return file_mkdirs(runtime, 0700, err);
}

char *path_engine_socket(void)
{
    return path_of(PATH_RUNTIME, "%s", "engine.sock");
}
