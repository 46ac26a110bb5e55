/* See tty.h. The fault handler uses only async-signal-safe calls: its text and settings are
 * prepared beforehand. */
#include "tui/tty.h"

#include "core/base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <termios.h>
#include <unistd.h>

#define STDERR_KEEP (64L * 1024)

static struct {
    int fd; /* of the terminal; -1: not guarded */
    struct termios saved;
    char restore[256];
    size_t restore_len;
} guard = {.fd = -1};

static struct {
    int real;   /* the original standard error; -1: not captured */
    int memory; /* where it goes meanwhile */
} captured = {-1, -1};

static const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};

static void put_back(void)
{
    if (guard.fd < 0)
        return;
    ssize_t n = write(guard.fd, guard.restore, guard.restore_len);
    (void)n;
    (void)tcsetattr(guard.fd, TCSANOW, &guard.saved);
}

static void print_captured(void)
{
    char part[4096];
    off_t end = lseek(captured.memory, 0, SEEK_END);
    ssize_t n;
    if (end <= 0)
        return;
    (void)lseek(captured.memory, end > STDERR_KEEP ? end - STDERR_KEEP : 0, SEEK_SET);
    while ((n = read(captured.memory, part, sizeof(part))) > 0) {
        ssize_t done = write(captured.real, part, (size_t)n);
        (void)done;
    }
}

static void on_fault(int number)
{
    put_back();
    if (captured.real >= 0)
        print_captured();
    (void)raise(number); /* SA_RESETHAND: now it kills, with a core where one is wanted */
}

static void set_handlers(void (*handler)(int))
{
    struct sigaction action;
    memset(&action, 0, sizeof(action));
    action.sa_handler = handler;
    action.sa_flags = (int)SA_RESETHAND | SA_NODEFER;
    (void)sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < ARRAY_LEN(faults); i++)
        (void)sigaction(faults[i], &action, NULL);
}

int tty_guard(int fd, const char *restore, struct err *err)
{
    if (tcgetattr(fd, &guard.saved) < 0)
        return err_sys(err, errno, "read the terminal's settings");
    STR_SET(guard.restore, restore);
    guard.restore_len = strlen(guard.restore);
    guard.fd = fd;
    set_handlers(on_fault);
    return 0;
}

void tty_unguard(void)
{
    if (guard.fd < 0)
        return;
    (void)tcsetattr(guard.fd, TCSANOW, &guard.saved);
    guard.fd = -1;
    set_handlers(SIG_DFL);
}

int tty_capture_stderr(struct err *err)
{
    int memory = memfd_create("berth-stderr", MFD_CLOEXEC);
    if (memory < 0)
        return err_sys(err, errno, "capture standard error");
    int real = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
    if (real < 0 || dup2(memory, STDERR_FILENO) < 0) {
        int why = errno;
        (void)close(memory);
        if (real >= 0)
            (void)close(real);
        return err_sys(err, why, "capture standard error");
    }
    captured.real = real;
    captured.memory = memory;
    return 0;
}

void tty_release_stderr(void)
{
    if (captured.real < 0)
        return;
    (void)dup2(captured.real, STDERR_FILENO);
    print_captured();
    (void)close(captured.real);
    (void)close(captured.memory);
    captured.real = captured.memory = -1;
}
