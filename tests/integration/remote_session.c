/* Remote sessions against a private sshd on loopback with keys of its own, and against peers that
 * misbehave: how they begin and how they end. */
#include "tests/support/remote_flow.h"

static char *other_key;
static char *other_line;

static void case_keygen(void)
{
    struct stat st;
    auto_buf struct buf text = {0};
    struct err err = {0};
    other_key = xasprintf("%s/other", dir);
    bool made = remote_keygen(other_key, "first", &err) == 0 &&
                remote_keygen(other_key, "berth test", &err) == 0; /* replaces */
    auto_free char *line = made ? pub_line(other_key) : xstrdup("");
    (void)file_read(other_key, 4096, &text, NULL);
    report("keygen",
           made && stat(other_key, &st) == 0 && (st.st_mode & 0777) == 0600 &&
               str_starts(line, "ssh-ed25519 AAAA") && str_ends(line, " berth test\n") &&
               strstr(buf_str(&text), "BEGIN OPENSSH PRIVATE KEY"),
           "%s '%s'", err.msg, line);
}

static void case_connect(void)
{
    struct session s;
    session_open(&s);
    report("connects_and_logs_in", s.ready && !s.ended, "%s", s.why.msg);
    session_stop(&s);
}

static void case_refusals(void)
{
    struct session s;
    session_start(&s, sshd_port, user_key, other_line, 20000);
    run_until(&s, &s.ready, 20000);
    report("refuses_a_changed_host_key",
           s.ended && !s.ready && s.why.kind == ERR_AUTH && strstr(s.why.msg, "identity") &&
               s.why.hint[0],
           "%s", s.why.msg);
    session_stop(&s);

    session_start(&s, sshd_port, other_key, host_line, 20000);
    run_until(&s, &s.ready, 20000);
    report("is_refused_with_a_wrong_key",
           s.ended && !s.ready && s.why.kind == ERR_AUTH && strstr(s.why.msg, "refused"), "%s",
           s.why.msg);
    session_stop(&s);

    session_start(&s, free_port(NULL), user_key, host_line, 20000);
    run_until(&s, &s.ready, 20000);
    report("nobody_listens", s.ended && s.why.kind == ERR_UNREACHABLE, "%s", s.why.msg);
    session_stop(&s);

    session_start(&s, sshd_port, "/nonexistent", host_line, 20000);
    run_until(&s, &s.ready, 20000);
    report("key_file_is_missing", s.ended && s.why.kind == ERR_INVALID, "%s", s.why.msg);
    session_stop(&s);
}

static void case_peer(const char *name, const char *says, size_t times, bool hang,
                      enum err_kind kind)
{
    int fd;
    uint16_t port = free_port(&fd);
    (void)listen(fd, 5);
    pid_t pid = fork();
    if (pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        int peer = accept(fd, NULL, NULL);
        while (times--)
            put(peer, says, strlen(says));
        while (hang)
            (void)pause();
        _exit(0);
    }
    (void)close(fd);
    struct session s;
    session_start(&s, port, user_key, host_line, 700);
    run_until(&s, &s.ready, 10000);
    report(name, s.ended && !s.ready && s.why.kind == kind && s.took_ms < 5000,
           "%s: %s (after %llu ms)", err_kind_name(s.why.kind), s.why.msg,
           (unsigned long long)s.took_ms);
    session_stop(&s);
    (void)kill(pid, SIGKILL);
    (void)waitpid(pid, NULL, 0);
}

static void case_killed(void)
{
    struct session s;
    session_open(&s);
    struct flow f = {0};
    flow_start(&f, &s, "echo");
    run_until(&s, &f.opened, 10000);
    sshd_signal(SIGKILL, true);
    bool never = false;
    run_until(&s, &never, 10000);
    report("killed_sshd_is_noticed",
           s.ended && s.why.kind == ERR_UNREACHABLE && f.closed && f.why.kind == ERR_UNREACHABLE &&
               s.took_ms < 2000,
           "%s: %s", err_kind_name(s.why.kind), s.why.msg);
    flow_done(&f);
    session_stop(&s);
}

static void case_idle(void)
{
    struct session s;
    session_open(&s);
    bool never = false;
    run_until(&s, &never, 14000);
    report("an_idle_session_stays", s.ready && !s.ended, "%s", s.why.msg);
    session_stop(&s);
}

static void case_silent(void)
{
    struct session s;
    session_open(&s);
    struct flow f = {0};
    flow_start(&f, &s, "sink");
    run_until(&s, &f.opened, 10000);
    sshd_signal(SIGSTOP, false);
    /* More than the kernel takes: a session that blocks in send() would never return. */
    char *data = xcalloc(1, STREAM_OUT_MAX);
    uint64_t start = clock_mono_ms();
    (void)stream_write(f.stream, data, STREAM_OUT_MAX, NULL);
    bool never = false;
    run_until(&s, &never, 30000);
    uint64_t took = clock_mono_ms() - start;
    report("silent_peer_is_found_in_time",
           s.ended && s.why.kind == ERR_TIMEOUT && f.closed && took < 16000, "%s: %s (%llu ms)",
           err_kind_name(s.why.kind), s.why.msg, (unsigned long long)took);
    free(data);
    sshd_signal(SIGCONT, false);
    flow_done(&f);
    session_stop(&s);
}

int main(void)
{
    (void)signal(SIGPIPE, SIG_IGN);
    if (!sshd_setup()) {
        printf("not ok setup: keys could not be made\n");
        return 1;
    }
    case_keygen();
    other_line = pub_line(other_key);

    pid_t servers_pid = servers_start();

    case_connect();
    case_refusals();
    case_peer("peer_hangs_up_before_a_banner", "", 0, false, ERR_UNREACHABLE);
    case_peer("peer_never_sends_a_banner", "", 0, true, ERR_TIMEOUT);
    case_peer("peer_speaks_something_else", "220 mail.example ESMTP\r\n", 3, true, ERR_TIMEOUT);
    case_peer("peer_sends_garbage_without_end", "garbage without an end of line ", 100000, true,
              ERR_UNREACHABLE);
    case_peer("peer_stops_after_the_banner", "SSH-2.0-OpenSSH_9.2\r\n", 1, true, ERR_TIMEOUT);
    case_killed();
    case_idle();
    case_silent();
    (void)kill(servers_pid, SIGKILL);
    sshd_teardown();
    free(other_key);
    free(other_line);
    return failures ? 1 : 0;
}
