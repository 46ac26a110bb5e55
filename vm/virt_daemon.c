/* libvirt's daemons on a machine where nobody started them: a fresh install, a container, a system
 * without systemd. Only root needs this: libvirt starts the daemons of ordinary users by itself,
 * but not root's. */
#include "vm/virt.h"

#include "core/base/file.h"
#include "core/base/mem.h"
#include "core/base/path.h"
#include "core/base/str.h"
#include "core/io/child.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#define START_LIMIT_MS 30000

static bool answers(const char *path)
{
    auto_close int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    if (fd < 0 || !str_copy(to.sun_path, sizeof(to.sun_path), path))
        return false;
    /* EAGAIN: its queue is full, so there is somebody; whether they serve us shows later. */
    return connect(fd, (const struct sockaddr *)&to, sizeof(to)) == 0 || errno == EAGAIN;
}

bool virt_daemon_answers(void)
{
    return answers("/run/libvirt/libvirt-sock");
}

/* Without this user libvirtd refuses QEMU's configuration: "Failed to parse user 'libvirt-qemu'".
 */
static int check_packages(struct err *err)
{
    struct passwd pw;
    struct passwd *found = NULL;
    char text[4096];
    if (file_exists("/usr/sbin/libvirtd") && file_exists("/usr/sbin/virtlogd") &&
        getpwnam_r("libvirt-qemu", &pw, text, sizeof(text), &found) == 0 && found)
        return 0;
    err_set(err, ERR_NOT_FOUND, "libvirt is not installed on this computer");
    return err_hint(err, "Install it: apt-get install libvirt-daemon-system qemu-system-x86");
}

static int make_folders(struct err *err)
{
    static const struct {
        const char *path;
        mode_t mode;
    } folders[] = {
        {"/run/libvirt", 0755},
        {"/var/log/libvirt/qemu", 0755},
        {"/var/cache/libvirt/qemu", 0711},
        {"/var/lib/libvirt", 0755},
    };
    for (size_t i = 0; i < ARRAY_LEN(folders); i++)
        if (file_mkdirs(folders[i].path, folders[i].mode, err) < 0)
            return -1;
    return 0;
}

static int run_tool(const char *const *argv, struct err *err)
{
    /* su without "-" leaves a PATH without /usr/sbin, where dnsmasq and iptables are. */
    static const char *const env[] = {
        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", NULL};
    struct child_options options = {.argv = argv, .env = env, .timeout_ms = START_LIMIT_MS};
    return child_run(&options, NULL, err);
}

/* With -d they return when they are ready to serve. */
static int start_by_hand(struct err *err)
{
    static const char *const virtlogd[] = {"/usr/sbin/virtlogd", "-d", NULL};
    static const char *const libvirtd[] = {"/usr/sbin/libvirtd", "-d", NULL};
    if (check_packages(err) < 0 || make_folders(err) < 0)
        return -1;
    if (!answers("/run/libvirt/virtlogd-sock") && run_tool(virtlogd, err) < 0)
        return -1;
    if (run_tool(libvirtd, err) < 0)
        return err_hint(err, "Its log is /var/log/libvirt/libvirtd.log.");
    return 0;
}

static int start_by_systemd(struct err *err)
{
    static const char *const argv[] = {"systemctl", "start", "virtlogd.socket", "libvirtd.service",
                                       NULL};
    if (check_packages(err) < 0)
        return -1;
    if (run_tool(argv, err) < 0)
        return err_hint(err, "Look at: systemctl status libvirtd");
    return 0;
}

/* Where no udev gave /dev/kvm to group kvm (0600 root, in containers), libvirt's probe of QEMU may
 * open it and QEMU itself may not: libvirt then takes its cached findings for stale and probes
 * again at every single look, more than a minute for one definition. Doing what Debian's udev rule
 * does ends that. Best effort. */
static void settle_kvm_device(void)
{
    struct stat st;
    struct group group;
    struct group *found = NULL;
    char text[4096];
    if (stat("/dev/kvm", &st) < 0 || !S_ISCHR(st.st_mode) || st.st_uid != 0 || st.st_gid != 0 ||
        (st.st_mode & 0777) != 0600 || getgrnam_r("kvm", &group, text, sizeof(text), &found) != 0 ||
        !found)
        return;
    if (chown("/dev/kvm", 0, found->gr_gid) == 0)
        (void)chmod("/dev/kvm", 0660);
}

int virt_daemon_start(struct err *err)
{
    settle_kvm_device();
    if (virt_daemon_answers())
        return 0;

    auto_free char *lock_path = path_of(PATH_RUNTIME, "libvirt.lock");
    if (path_prepare(err) < 0)
        return -1;
    auto_close int lock = file_lock(lock_path, true, err);
    if (lock < 0)
        return -1;
    if (virt_daemon_answers()) /* another process did it meanwhile */
        return 0;
    int result = file_exists("/run/systemd/system") ? start_by_systemd(err) : start_by_hand(err);
    if (result == 0 && !virt_daemon_answers()) {
        err_set(err, ERR_UNREACHABLE, "libvirtd was started but does not answer");
        result = err_hint(err, "Its log is /var/log/libvirt/libvirtd.log.");
    }
    return result < 0 ? err_wrap(err, "start libvirt") : 0;
}
