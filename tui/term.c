/* See term.h. */
#include "tui/term.h"

#include "core/base/buf.h"
#include "core/base/clock.h"
#include "core/base/str.h"
#include "tui/tty.h"

#include <curses.h>
#include <errno.h>
#include <langinfo.h>
#include <locale.h>
#include <string.h>
#include <sys/ioctl.h>
#include <term.h>
#include <termios.h>
#include <unistd.h>

#define PASTE_MAX   (64UL * 1024)
#define BURST_MIN   9 /* so many characters at once are no typing */
#define BURST_MS    30
#define QUEUE_MAX   512
#define SLOW_BAUD   19200
#define CODE_ACK    (KEY_MAX + 1)
#define CODE_PASTE  (KEY_MAX + 2)
#define CODE_PASTED (KEY_MAX + 3)

static struct {
    SCREEN *screen;
    struct surface *last; /* what the terminal shows */
    bool repaint;
    bool utf8;   /* the locale's: foreign text may be shown as it is */
    bool ansi;   /* answers ESC[5n, knows bracketed paste */
    bool blocks; /* has eighth blocks, for plots */
    bool colours;
    bool pasting;
    struct buf paste;
    uint64_t burst_ms; /* when the last burst ended */
    uint32_t queue[QUEUE_MAX];
    size_t queue_from, queue_n;
} term;

static const struct {
    enum style style;
    attr_t mono, attr;
    short colour; /* -1: the terminal's own */
} looks[] = {
    {STYLE_TEXT, A_NORMAL, A_NORMAL, -1},
    {STYLE_STRONG, A_BOLD, A_BOLD, -1},
    {STYLE_TITLE, A_BOLD, A_BOLD, -1},
    {STYLE_RULE, A_NORMAL, A_NORMAL, -1},
    {STYLE_KEY, A_BOLD, A_BOLD, -1},
    {STYLE_SELECTED, A_REVERSE, A_REVERSE, -1},
    {STYLE_FIELD, A_NORMAL, A_NORMAL, -1},
    {STYLE_MATCH, A_REVERSE, A_REVERSE, COLOR_YELLOW},
    {STYLE_OK, A_NORMAL, A_NORMAL, COLOR_GREEN},
    {STYLE_WARN, A_BOLD, A_NORMAL, COLOR_YELLOW},
    {STYLE_BAD, A_BOLD, A_BOLD, COLOR_RED},
    {STYLE_BUSY, A_NORMAL, A_NORMAL, COLOR_CYAN},
};
_Static_assert(ARRAY_LEN(looks) == STYLE_COUNT, "a look for each style");

static const struct {
    int code;
    enum keysym sym;
} key_codes[] = {
    {KEY_UP, KEYSYM_UP},
    {KEY_DOWN, KEYSYM_DOWN},
    {KEY_LEFT, KEYSYM_LEFT},
    {KEY_RIGHT, KEYSYM_RIGHT},
    {KEY_PPAGE, KEYSYM_PAGE_UP},
    {KEY_NPAGE, KEYSYM_PAGE_DOWN},
    {KEY_HOME, KEYSYM_HOME},
    {KEY_END, KEYSYM_END},
    {KEY_BTAB, KEYSYM_BACKTAB},
    {KEY_DC, KEYSYM_DELETE},
    {KEY_BACKSPACE, KEYSYM_BACKSPACE},
    {KEY_F(1), KEYSYM_F1},
    {KEY_ENTER, KEYSYM_ENTER},
};

/* The environment and the locale are read while there is one thread only. */
static const char *environment(const char *name)
{
    return getenv(name); /* NOLINT(concurrency-mt-unsafe) */
}

static void send(const char *bytes)
{
    size_t len = strlen(bytes);
    (void)fflush(stdout);
    while (len) {
        ssize_t n = write(STDOUT_FILENO, bytes, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return;
        bytes += n;
        len -= (size_t)n;
    }
}

/* ---- opening and closing */

/* What the crash handler writes: attributes off, cursor shown, alternate screen left, bracketed
 * paste off. */
static void restore_text(char *to, size_t size)
{
    auto_buf struct buf text = {0};
    if (term.ansi)
        buf_puts(&text, "\033[?2004l");
    if (exit_attribute_mode)
        buf_puts(&text, exit_attribute_mode);
    if (cursor_normal)
        buf_puts(&text, cursor_normal);
    if (exit_ca_mode)
        buf_puts(&text, exit_ca_mode);
    buf_puts(&text, "\r\n");
    (void)str_copy(to, size, buf_str(&text));
}

static bool name_is(const char *const *names, const char *name)
{
    for (; *names; names++)
        if (str_starts(name, *names))
            return true;
    return false;
}

/* Rules are "-" everywhere: curses has the terminal repeat that, a line glyph would cost three
 * bytes a column. Only plots differ. */
static void choose_glyphs(const char *name)
{
    static const char *const plain[] = {"linux", "vt", "ansi", "screen.linux", NULL};
    const char *codeset = nl_langinfo(CODESET); /* NOLINT(concurrency-mt-unsafe) */
    term.utf8 = str_eq(codeset, "UTF-8");
    term.blocks =
        term.utf8 && !(baudrate() > 0 && baudrate() <= SLOW_BAUD) && !name_is(plain, name);
}

static void choose_colours(void)
{
    const char *no = environment("NO_COLOR");
    term.colours = !(no && *no) && has_colors();
    if (!term.colours)
        return;
    (void)start_color();
    (void)use_default_colors();
    for (size_t i = 0; i < ARRAY_LEN(looks); i++)
        if (looks[i].colour >= 0)
            (void)init_pair((short)(looks[i].style + 1), looks[i].colour, -1);
}

static void start_input(void)
{
    struct termios t;
    (void)cbreak();
    (void)noecho();
    (void)nonl();
    (void)keypad(stdscr, TRUE);
    (void)nodelay(stdscr, TRUE);
    (void)leaveok(stdscr, FALSE);
    (void)idlok(stdscr, TRUE);
    (void)scrollok(stdscr, FALSE);
    (void)set_escdelay(environment("SSH_CONNECTION") || baudrate() <= SLOW_BAUD ? 150 : 50);
    (void)define_key("\033[0n", CODE_ACK);
    (void)define_key("\033[200~", CODE_PASTE);
    (void)define_key("\033[201~", CODE_PASTED);
    if (tcgetattr(STDIN_FILENO, &t) ==
        0) { /* Ctrl-V is ours, Ctrl-C a signal, Ctrl-S and Ctrl-Q the line's */
        t.c_cc[VLNEXT] = _POSIX_VDISABLE;
        (void)tcsetattr(STDIN_FILENO, TCSANOW, &t);
    }
    if (term.ansi)
        send("\033[?2004h");
}

static int refuse(struct err *err, const char *name)
{
    err_set(err, ERR_UNSUPPORTED, "the terminal \"%s\" cannot place the cursor", name);
    return err_hint(err, "use the commands instead: berth status, berth --help; or set TERM");
}

int term_open(struct err *err)
{
    char restore[256];
    const char *name = environment("TERM");
    int status = 0;
    if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO)) {
        err_set(err, ERR_UNSUPPORTED, "standard input and output are no terminal");
        return err_hint(err, "use the commands instead: berth status, berth --help");
    }
    (void)setlocale(LC_ALL, ""); /* NOLINT(concurrency-mt-unsafe) */
    if (!name || !*name || setupterm(name, STDOUT_FILENO, &status) != 0)
        return refuse(err, name ? name : "");
    bool can = cursor_address != NULL;
    term.ansi = can && str_starts(cursor_address, "\033[");
    restore_text(restore, sizeof(restore));
    (void)del_curterm(cur_term); /* curses makes one of its own */
    if (!can)
        return refuse(err, name);
    if (tty_guard(STDIN_FILENO, restore, err) < 0)
        return -1;
    term.screen = newterm(name, stdout, stdin);
    if (!term.screen) {
        tty_unguard();
        return refuse(err, name);
    }
    if (tty_capture_stderr(err) < 0) {
        term_close();
        return -1;
    }
    choose_glyphs(name);
    choose_colours();
    start_input();
    term.last = surface_new(LINES, COLS);
    term.repaint = true;
    return 0;
}

void term_close(void)
{
    if (!term.screen)
        return;
    if (term.ansi)
        send("\033[?2004l");
    (void)endwin();
    (void)tcflush(STDIN_FILENO, TCIFLUSH); /* a late answer must not reach the shell */
    delscreen(term.screen);
    term.screen = NULL;
    surface_free(term.last);
    term.last = NULL;
    buf_wipe(&term.paste);
    tty_unguard();
    tty_release_stderr();
}

void term_suspend(void)
{
    if (term.ansi)
        send("\033[?2004l");
    (void)endwin();
}

void term_resume(void)
{
    (void)refresh();
    start_input();
    term.repaint = true;
    term_resize();
}

int term_fd(void)
{
    return STDIN_FILENO;
}

void term_size(int *ret_h, int *ret_w)
{
    *ret_h = LINES;
    *ret_w = COLS;
}

void term_resize(void)
{
    struct winsize size;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row && size.ws_col)
        (void)resizeterm(size.ws_row, size.ws_col);
    term.repaint = true;
}

/* ---- drawing */

static wchar_t glyph(uint32_t point)
{
    static const char ramp[] = ".:-=+*#@";
    if (point >= 0x2581 && point <= 0x2588 && !term.blocks)
        return (wchar_t)ramp[point - 0x2581];
    return point < 0x80 || term.utf8 ? (wchar_t)point : L'?';
}

static void put_cell(int y, int x, const struct cell *cell)
{
    cchar_t c;
    const attr_t attr = term.colours ? looks[cell->style].attr : looks[cell->style].mono;
    const short pair =
        (short)(term.colours && looks[cell->style].colour >= 0 ? cell->style + 1 : 0);
    const wchar_t text[2] = {glyph(cell->point), L'\0'};
    (void)setcchar(&c, text, attr, pair, NULL);
    (void)mvadd_wch(y, x, &c);
}

bool term_draw(const struct surface *s, bool ack)
{
    if (!term.repaint && surface_equal(s, term.last))
        return false;
    for (int y = 0; y < s->h && y < LINES; y++)
        for (int x = 0; x < s->w && x < COLS; x++)
            if (s->cells[(size_t)y * (size_t)s->w + (size_t)x].point)
                put_cell(y, x, &s->cells[(size_t)y * (size_t)s->w + (size_t)x]);
    (void)curs_set(s->cursor_shown ? 1 : 0);
    if (term.repaint)
        (void)clearok(curscr, TRUE);
    (void)move(s->cursor_y, s->cursor_x); /* last: readers of braille follow it */
    (void)refresh();
    surface_copy(term.last, s);
    term.repaint = false;
    if (ack && term.ansi)
        send("\033[5n");
    return true;
}

void term_repaint(void)
{
    term.repaint = true;
}

bool term_can_ack(void)
{
    return term.ansi;
}

/* ---- keys */

static void queue_put(uint32_t sym)
{
    if (term.queue_n < QUEUE_MAX)
        term.queue[term.queue_n++] = sym;
}

static void paste_put(uint32_t point)
{
    char bytes[4];
    size_t n = 0;
    if (point < 0x80) {
        bytes[n++] = (char)point;
    } else {
        int more = point < 0x800 ? 1 : point < 0x10000 ? 2 : 3;
        bytes[n++] = (char)((0xFF00U >> (more + 1) & 0xFF) | point >> (6 * more));
        while (more--)
            bytes[n++] = (char)(0x80 | (point >> (6 * more) & 0x3F));
    }
    if (term.paste.len + n <= PASTE_MAX)
        buf_append(&term.paste, bytes, n);
}

static uint32_t sym_of(int status, wint_t code)
{
    if (status == KEY_CODE_YES) {
        for (size_t i = 0; i < ARRAY_LEN(key_codes); i++)
            if (key_codes[i].code == (int)code)
                return key_codes[i].sym;
        return KEYSYM_NONE;
    }
    if (code == '\n' || code == '\r')
        return KEYSYM_ENTER;
    return code == 0x7F || code == 8 ? KEYSYM_BACKSPACE : (uint32_t)code;
}

/* Reads what has come into the queue. An answer or the end of a paste ends the reading: it is an
 * event of its own. */
static enum term_event read_input(void)
{
    wint_t code = 0;
    int status;
    while (term.queue_n < QUEUE_MAX && (status = get_wch(&code)) != ERR) {
        if (status == KEY_CODE_YES && (int)code == CODE_ACK)
            return TERM_ACK;
        if (status == KEY_CODE_YES && (int)code == CODE_PASTED) {
            term.pasting = false;
            return TERM_KEY;
        }
        if (status == KEY_CODE_YES && (int)code == CODE_PASTE) {
            term.pasting = true;
            buf_wipe(&term.paste);
        } else if (term.pasting) {
            if (status != KEY_CODE_YES)
                paste_put((uint32_t)code);
        } else if (status == KEY_CODE_YES && (int)code == KEY_RESIZE) {
            continue;
        } else if (sym_of(status, code)) {
            queue_put(sym_of(status, code));
        }
    }
    return TERM_NOTHING;
}

static bool is_text(uint32_t sym)
{
    return sym == KEYSYM_ENTER || sym == KEYSYM_TAB || (sym >= 0x20 && sym < KEYSYM_FIRST);
}

/* A terminal without bracketed paste sends a paste as one burst: then no letter and no line end in
 * it is a command. */
static bool take_burst(void)
{
    size_t n = 0;
    bool goes_on = clock_mono_ms() - term.burst_ms <= BURST_MS;
    while (term.queue_from + n < term.queue_n && is_text(term.queue[term.queue_from + n]))
        n++;
    if (!n || (n < BURST_MIN && !goes_on))
        return false;
    buf_wipe(&term.paste);
    for (size_t i = 0; i < n; i++) {
        uint32_t sym = term.queue[term.queue_from + i];
        paste_put(sym == KEYSYM_ENTER ? '\n' : sym);
    }
    term.queue_from += n;
    term.burst_ms = clock_mono_ms();
    return true;
}

enum term_event term_next_key(bool text, struct key *ret_key)
{
    *ret_key = (struct key){.sym = KEYSYM_PASTE};
    if (term.queue_from == term.queue_n) {
        explicit_bzero(term.queue, sizeof(term.queue));
        term.queue_from = term.queue_n = 0;
        if (!term.pasting)
            buf_wipe(&term.paste);
    }
    enum term_event event = read_input();
    if (event == TERM_ACK)
        return event;
    if (event == TERM_NOTHING) {
        if (term.queue_from == term.queue_n)
            return TERM_NOTHING;
        if (!text || !take_burst()) {
            ret_key->sym = term.queue[term.queue_from++];
            return TERM_KEY;
        }
    }
    ret_key->paste = buf_str(&term.paste);
    ret_key->paste_len = term.paste.len;
    return TERM_KEY;
}
