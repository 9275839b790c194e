#include "turn/turn.h"

#include "store/session.h"
#include "store/spool.h"
#include "tap.h"
#include "temp.h"

/* Turns with the provider echo: their events, and what is on the disk at each. */

static struct store store = { .dir = "store", .stop_fd = -1, .fd = -1 };

struct witness {
	char id[ID_SIZE];     /* of the session */
	struct session_head head;
	struct buf kinds;     /* a letter for each event; pieces in a row are one */
	struct buf shown;
	size_t behind;        /* how often the disk had less than was shown */
	int created, made_before; /* sessions; events before the first */
	bool remove;          /* the session, at the first piece */
};

static const char letters[] = { [TURN_STARTED] = 's', [TURN_WAITING] = 'w', [TURN_TEXT] = 't', [TURN_REASONING] = 'r',
	[TURN_CALL] = 'c', [TURN_NOTICE] = 'n', [TURN_COMPACTING] = 'k', [TURN_USAGE] = 'u', [TURN_STORED] = 'S',
	[TURN_ERROR] = 'e' };

static void read_spooled(struct witness *w)
{
	char path[ID_SIZE + 64];
	struct exchange x;
	struct spool sp;
	struct err e = ERR_INIT;
	int dir;

	snprintf(path, sizeof(path), "store/%s", w->id);
	dir = open(path, O_RDONLY | O_DIRECTORY);
	if (spool_read(&sp, dir, &x, &e) != 1 || !span_same(x.answer, buf_span(&w->shown)))
		w->behind++;
	spool_release(&sp);
	close(dir);
}

static void remove_session(struct witness *w)
{
	char path[ID_SIZE + 64];

	snprintf(path, sizeof(path), "store/%s/" HISTORY_FILE, w->id);
	unlink(path);
	w->remove = false;
}

static void take(void *ctx, const struct turn_event *ev)
{
	struct witness *w = ctx;
	char letter = letters[ev->kind];

	if (!w->kinds.n || w->kinds.p[w->kinds.n - 1] != letter)
		buf_addc(&w->kinds, letter);
	if (ev->kind == TURN_TEXT) {
		buf_add(&w->shown, ev->text.p, ev->text.n);
		read_spooled(w);
	}
	if (ev->kind == TURN_TEXT && w->remove)
		remove_session(w);
	if (ev->kind == TURN_STORED)
		ok(ev->session && strcmp(ev->session, w->id) == 0, "stored in session %s", w->id);
}

static int create(void *ctx, bool again, struct err *e)
{
	struct witness *w = ctx;

	w->created++;
	w->made_before += w->kinds.n > 0;
	if (again && id_generate(w->id, e) < 0)
		return -1;
	w->head.id = span_str(w->id);
	if (session_create(&store, &w->head, w->id, e) == 0)
		return 1;
	if (e->kind != ERR_EXISTS)
		return -1;
	err_clear(e);
	return 0;
}

static struct witness witness(const char *id)
{
	struct witness w = { .head = { .created_at = 5, .cwd = span_str("/"), .provider = span_str("echo"),
		                       .model = span_str("echo") } };

	snprintf(w.id, sizeof(w.id), "%s", id);
	return w;
}

static int ask(struct witness *w, const char *prompt, int64_t window, bool exists, struct turn_result *out,
               struct err *e)
{
	const struct config config = CONFIG_INIT;
	struct session x = SESSION_INIT;
	struct client client = CLIENT_INIT;
	struct turn_input in = { .prompt = span_str(prompt), .wait = { .stop_fd = -1 }, .context = window,
		                 .head = exists ? NULL : &w->head, .create = create, .ctx = w, .events = { take, w } };
	int r = endpoint_find(&client.endpoint, &config, "echo", e);

	buf_clear(&w->kinds);
	buf_clear(&w->shown);
	if (r == 0)
		r = turn_run(&in, out, &client, &x, &store, w->id, e);
	session_release(&x);
	client_close(&client);
	return r;
}

static void witness_release(struct witness *w)
{
	buf_release(&w->kinds);
	buf_release(&w->shown);
}

static void test_order(void)
{
	struct turn_result out = TURN_RESULT_INIT;
	struct witness w = witness("first");
	struct err e = ERR_INIT;

	is_int(ask(&w, "one two three", 0, false, &out, &e), 0, "the first turn of a session");
	is_buf(&w.kinds, "stuS", "its events");
	is_buf(&w.shown, "one two three", "its text");
	is_int((int64_t)w.behind, 0, "each piece is on the disk when it is shown");
	is_int(w.created, 1, "the session is created once");
	is_int(w.made_before, 0, "before anything is sent");
	is_span(out.exchange.answer, "one two three", "the exchange");
	ok(!out.exchange.parent.p && out.exchange.timestamp > 5, "begins the conversation");
	turn_result_release(&out);

	is_int(ask(&w, "more", 0, true, &out, &e), 0, "the second turn");
	is_buf(&w.kinds, "stuS", "its events");
	ok(out.exchange.parent.p, "it follows the first one");
	turn_result_release(&out);
	witness_release(&w);
}

static void test_refused(void)
{
	struct turn_result out = TURN_RESULT_INIT;
	struct witness w = witness("none");
	struct err e = ERR_INIT;

	is_int(ask(&w, "a prompt that is longer than the window", 1, false, &out, &e), -1, "no window holds it");
	is_err(&e, ERR_USAGE, "", "the error");
	is_buf(&w.kinds, "e", "is the only event");
	is_int(w.created, 0, "no session is created");
	ok(!out.begun && access("store/none", F_OK) < 0, "none is there");
	turn_result_release(&out);
	witness_release(&w);
}

/* Another process created the session first, and has said something in it. */
static void test_slower(void)
{
	struct turn_result out = TURN_RESULT_INIT;
	struct witness w = witness("shared");
	struct err e = ERR_INIT;

	is_int(ask(&w, "one", 0, false, &out, &e), 0, "a faster process");
	turn_result_release(&out);
	is_int(ask(&w, "two", 0, false, &out, &e), 0, "the turn that was to be the first one");
	ok(out.exchange.parent.p, "follows that of the faster process");
	is_buf(&w.kinds, "stuS", "its events");
	turn_result_release(&out);
	witness_release(&w);
}

static void test_removed(void)
{
	struct turn_result out = TURN_RESULT_INIT;
	struct witness w = witness("gone");
	struct err e = ERR_INIT;

	is_int(ask(&w, "one", 0, false, &out, &e), 0, "a session");
	turn_result_release(&out);
	w.remove = true;
	is_int(ask(&w, "two three", 0, true, &out, &e), 0, "is removed during a turn");
	ok(out.elsewhere && strcmp(w.id, "gone") != 0, "the turn is in another one");
	ok(!out.exchange.parent.p, "which begins with it");
	is_buf(&w.kinds, "stuS", "its events");
	turn_result_release(&out);

	snprintf(w.id, sizeof(w.id), "never");
	is_int(ask(&w, "four", 0, true, &out, &e), 0, "a session that was removed before the turn");
	ok(out.elsewhere && strcmp(w.id, "never") != 0, "is replaced, too");
	turn_result_release(&out);
	witness_release(&w);
}

int main(void)
{
	struct err e = ERR_INIT;

	temp_enter();
	if (store_open(&store, "store", true, &e) < 0)
		tap_note("%s", e.msg);
	test_order();
	test_refused();
	test_slower();
	test_removed();
	store_close(&store);
	return tap_end();
}
