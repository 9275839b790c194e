#include "turn/turn.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "provider/wire.h"
#include "store/artifact.h"
#include "store/session.h"
#include "store/spool.h"
#include "tap.h"
#include "temp.h"

/* Turns in which the model calls tools: a provider of our own plays the model. */

static struct store store = { .dir = "store", .stop_fd = -1, .fd = -1 };

/* What happens when, and what was seen. */
static struct scene {
	int kill_in_tool, kill_in_request; /* the process, in the n-th of these; 0: never */
	int interrupt_in, remove_in, fill_in; /* the n-th tool */
	int lose_model_in;  /* the n-th request */
	int unsynced_in;    /* the n-th request: the next file is not forced to the disk */
	bool unsynced;
	int slow_ms;        /* what each step and each tool takes */
	const char *arguments; /* of the first call; NULL: {"dir":"."} */
	struct client *client;
	int runs, requests;
	size_t behind;      /* how often the disk had less than it should */
	struct buf asked;   /* the messages of the last request */
	struct buf kinds;   /* a letter for each event */
	struct buf failure; /* what was told of it */
} scene;

static const char letters[] = { [TURN_STARTED] = 's', [TURN_WAITING] = 'w', [TURN_TEXT] = 't', [TURN_REASONING] = 'r',
	[TURN_CALL] = 'c', [TURN_RESULT] = 'R', [TURN_NOTICE] = 'n', [TURN_COMPACTING] = 'k', [TURN_USAGE] = 'u',
	[TURN_STORED] = 'S', [TURN_ERROR] = 'e' };

static void begin_scene(void)
{
	buf_release(&scene.asked);
	buf_release(&scene.kinds);
	buf_release(&scene.failure);
	scene = (struct scene){ .asked = BUF_INIT, .kinds = BUF_INIT, .failure = BUF_INIT };
}

/* In the place of libc's. */
int fdatasync(int fd)
{
	if (scene.unsynced) {
		scene.unsynced = false;
		errno = EIO;
		return -1;
	}
	return (int)syscall(SYS_fdatasync, fd);
}

static void take_time(void)
{
	for (int64_t end = clock_steady_ms() + scene.slow_ms; clock_steady_ms() < end;)
		;
}

/* ---- the model ---- */

static void add_part(struct buf *b, const struct message_part *p)
{
	const struct tool_result *t = &p->result;

	switch (p->kind) {
	case MESSAGE_TEXT: buf_addf(b, "'%.*s'", (int)p->text.n, p->text.p); break;
	case MESSAGE_FILE: buf_adds(b, "file"); break;
	case MESSAGE_CALL:
		buf_addf(b, "%.*s(%s)", (int)p->call.name.n, p->call.name.p,
		         json_object_to_json_string_ext(p->call.arguments, JSON_C_TO_STRING_PLAIN));
		break;
	case MESSAGE_RESULT:
		buf_addf(b, "%.*s%s'%.*s'", (int)t->name.n, t->name.p, t->failed ? "!" : "=", (int)t->output.n, t->output.p);
		for (size_t i = 0; i < t->nfiles; i++)
			buf_addf(b, "+%.*s", (int)t->files[i].bytes.n, t->files[i].bytes.p);
		break;
	case MESSAGE_NATIVE: buf_adds(b, json_object_to_json_string_ext(p->native, JSON_C_TO_STRING_PLAIN)); break;
	}
}

/* Since the last prompt: the steps so far. */
static size_t note_request(const struct chat_request *rq)
{
	size_t steps = 0;

	buf_clear(&scene.asked);
	for (size_t i = 0; i < rq->nmessages; i++) {
		const struct message *m = &rq->messages[i];

		steps = m->role == ROLE_USER ? 0 : steps + (m->role == ROLE_TOOL);
		buf_addc(&scene.asked, "uat"[m->role]);
		for (size_t k = 0; k < m->n; k++) {
			buf_addc(&scene.asked, ' ');
			add_part(&scene.asked, &m->parts[k]);
		}
		buf_addc(&scene.asked, '\n');
	}
	return steps;
}

static void call(struct reply *r, const char *id, int64_t index, const char *name, const char *arguments)
{
	struct reply_call *c = wire_call(r, span_str(id), index);
	struct json_object *piece = json_object_new_string(arguments);

	buf_clear(&c->id);
	buf_adds(&c->id, id);
	wire_call_name(r, c, span_str(name));
	wire_call_piece(r, c, piece);
	json_object_put(piece);
}

/* Two calls of one id, the second of which is broken; then one without an id and without arguments; then the
 * answer. */
static int speak(const struct chat_request *rq, struct reply *r, struct err *e)
{
	static const char *const texts[] = { "I look.", "", "the answer" };
	size_t steps = note_request(rq);

	if (!r->done && !r->text.n && texts[steps][0] && scene.lose_model_in != scene.requests + 1) {
		buf_adds(&r->text, texts[steps]);
		return 1;
	}
	if (scene.kill_in_request == ++scene.requests)
		raise(SIGKILL);
	if (scene.lose_model_in == scene.requests) {
		scene.client->no_model = true;
		return err_set(e, ERR_NETWORK, "no such model");
	}
	scene.unsynced = scene.unsynced_in == scene.requests;
	if (steps < 2)
		take_time();
	r->done = true;
	r->usage = (struct usage){ 10, 1, 11, -1, -1, -1, -1 };
	buf_adds(&r->finish_reason, steps < 2 ? FINISH_CALLS : FINISH_STOP);
	if (steps == 0) {
		buf_adds(&r->native, "[\"kept\"]");
		call(r, "c", 0, "ls", scene.arguments ? scene.arguments : "{\"dir\":\".\"}");
		call(r, "d", 1, "bad", "{nope");
		buf_clear(&r->calls[1].id);
		buf_adds(&r->calls[1].id, "c");
	} else if (steps == 1) {
		call(r, "", 0, "ls", "");
	}
	return 0;
}

static const struct provider model = { .name = "echo", .local = speak };

/* ---- the tools ---- */

static size_t count_lines(const char *session, const char *with)
{
	char path[ID_SIZE + 64], line[8192];
	size_t n = 0;
	FILE *f;

	snprintf(path, sizeof(path), "store/%s/" HISTORY_FILE, session);
	f = fopen(path, "r");
	while (f && fgets(line, sizeof(line), f))
		n += strstr(line, with) != NULL;
	if (f)
		fclose(f);
	return n;
}

static void remove_history(const char *session)
{
	char path[ID_SIZE + 64];

	snprintf(path, sizeof(path), "store/%s/" HISTORY_FILE, session);
	unlink(path);
}

/* No file gets longer from now on. */
static void fill_disk(bool full)
{
	const struct rlimit limit = { full ? 1 : RLIM_INFINITY, RLIM_INFINITY };

	signal(SIGXFSZ, full ? SIG_IGN : SIG_DFL);
	setrlimit(RLIMIT_FSIZE, &limit);
}

static int run(void *ctx, const struct tool_call *c, struct turn_outcome *o, struct err *e)
{
	const char *session = ctx;

	scene.runs++;
	take_time();
	if (session && count_lines(session, "\"type\":\"step\"") == 0)
		scene.behind++;
	buf_addf(&o->output, "%.*s of %s", (int)c->name.n, c->name.p,
	         json_object_to_json_string_ext(c->arguments, JSON_C_TO_STRING_PLAIN));
	o->status = RESULT_OK;
	o->exit_status = 0;
	if (scene.kill_in_tool == scene.runs)
		raise(SIGKILL);
	if (scene.remove_in == scene.runs)
		remove_history(session);
	if (scene.fill_in == scene.runs)
		fill_disk(true);
	if (scene.interrupt_in != scene.runs)
		return 0;
	buf_clear(&o->output);
	buf_adds(&o->output, "half");
	o->status = RESULT_INTERRUPTED;
	o->exit_status = -1;
	return err_set(e, ERR_INTERRUPTED, "interrupted");
}

/* ---- a turn ---- */

static char made[ID_SIZE];

static void take(void *ctx, const struct turn_event *ev)
{
	const char *session = ctx;

	if (!scene.kinds.n || scene.kinds.p[scene.kinds.n - 1] != letters[ev->kind] || ev->kind == TURN_CALL)
		buf_addc(&scene.kinds, letters[ev->kind]);
	if (ev->kind == TURN_RESULT && session && count_lines(session, "\"type\":\"result\"") == 0)
		scene.behind++;
	if (ev->kind == TURN_ERROR)
		buf_adds(&scene.failure, ev->error->msg);
}

static int create(const char *id, char made_id[ID_SIZE])
{
	struct session_head head = { .created_at = 5, .id = span_str(id), .cwd = span_str("/"),
		                     .provider = span_str("echo"), .model = span_str("m") };
	struct err e = ERR_INIT;

	return session_create(&store, &head, made_id, &e);
}

static int create_again(void *ctx, bool again, struct err *e)
{
	const char *session = ctx;

	(void)e;
	return create(again ? "" : session, made) == 0 ? 1 : -1;
}

static int ask(const char *session, struct conversation *unsaved, int64_t steps_max, struct turn_result *out,
               struct err *e)
{
	const struct config config = CONFIG_INIT;
	struct turn_tools tools = { run, (void *)(uintptr_t)session, steps_max };
	const struct session_head head = { .provider = span_str("echo"), .model = span_str("m") };
	struct turn_input in = { .prompt = span_str("q"), .wait = { .stop_fd = -1 }, .create = create_again,
		                 .ctx = (void *)(uintptr_t)session, .tools = &tools, .model = "m", .events = { take, (void *)(uintptr_t)session } };
	struct session x = SESSION_INIT;
	struct client client = CLIENT_INIT;
	int r;

	client.endpoint.config = &config;
	client.endpoint.provider = &model;
	snprintf(client.endpoint.name, sizeof(client.endpoint.name), "echo");
	scene.client = &client;
	if (session && !history_exists(&store, session))
		in.head = &head;
	if (unsaved)
		r = turn_run_unsaved(&in, out, &client, &store, NULL, (struct span){ NULL, 0 }, unsaved, e);
	else
		r = turn_run(&in, out, &client, &x, &store, session, e);
	session_release(&x);
	client_close(&client);
	return r;
}

static const char all_asked[] =
	"u 'q'\n"
	"a [\"kept\"] 'I look.' ls({\"dir\":\".\"}) bad({})\n"
	"t ls='ls of {\"dir\":\".\"}' bad!'The arguments cannot be read as a JSON object (";

static void check_asked(const char *what)
{
	ok(strncmp(scene.asked.p, all_asked, sizeof(all_asked) - 1) == 0 &&
	   strstr(scene.asked.p, "): {nope'\na '' ls({})\nt ls='ls of {}'\n"), "%s", what);
}

static void test_order(void)
{
	struct turn_result out = TURN_RESULT_INIT;
	struct session x = SESSION_INIT;
	struct err e = ERR_INIT;
	const struct exchange_node *node;

	begin_scene();
	create("order", made);
	is_int(ask("order", NULL, 20, &out, &e), 0, "a turn with two steps");
	is_buf(&scene.kinds, "stcRcRcRtuS", "its events");
	is_int(scene.runs, 2, "the call with broken arguments is not run");
	is_int((int64_t)scene.behind, 0, "a step is on the disk before its tools run, a result before it is told");
	check_asked("the last request has both steps");
	is_span(out.exchange.answer, "the answer", "the answer is the text after the last call");
	is_int(out.exchange.steps, 2, "the steps");
	is_int(out.exchange.usage.total, 33, "the usage of all requests");
	turn_result_release(&out);

	is_int(session_read(&x, &store, "order", NULL, &e), 0, "it is stored");
	node = x.conversation.path[0];
	ok(x.conversation.n == 1 && node->nsteps == 2 && node->steps[0].nresults == 2, "with its steps");
	is_int(x.conversation.info.tool_calls, 3, "and calls");
	ok(!span_same(node->steps[0].record.step.calls[0].id, node->steps[0].record.step.calls[1].id) &&
	   node->steps[1].record.step.calls[0].id.n, "each call has an id of its own");
	ok(node->steps[0].record.step.timestamp > node->record.exchange.timestamp, "later than its prompt");
	session_release(&x);
	is_int((int64_t)count_lines("order", ""), 7, "nothing else is in the history");

	begin_scene();
	is_int(ask("order", NULL, 20, &out, &e), 0, "the next turn");
	ok(strstr(scene.asked.p, "a 'the answer'\nu 'q'\na [\"kept\"] 'I look.'"), "follows all of that");
	turn_result_release(&out);
}

static void test_unsaved(void)
{
	struct turn_result out = TURN_RESULT_INIT;
	struct conversation c = CONVERSATION_INIT;
	struct err e = ERR_INIT;

	begin_scene();
	is_int(ask(NULL, &c, 20, &out, &e), 0, "without storing anything");
	is_buf(&scene.kinds, "stcRcRcRtuS", "the events are the same");
	check_asked("and so is the last request");
	ok(c.n == 1 && c.path[0]->nsteps == 2, "the conversation has it");
	turn_result_release(&out);
	conversation_release(&c);
}

static void test_limit(void)
{
	struct turn_result out = TURN_RESULT_INIT;
	struct err e = ERR_INIT;

	begin_scene();
	create("limit", made);
	is_int(ask("limit", NULL, 1, &out, &e), 0, "one step is allowed");
	is_buf(&scene.kinds, "stcRcRcuS", "the second one is only told");
	is_int(scene.runs, 1, "and not run");
	is_int(out.exchange.steps, 1, "it is no step");
	is_span(out.exchange.answer, "", "but the answer");
	turn_result_release(&out);
}

static void test_interrupted(void)
{
	struct turn_result out = TURN_RESULT_INIT;
	struct err e = ERR_INIT;

	begin_scene();
	scene.interrupt_in = 1;
	create("stop", made);
	is_int(ask("stop", NULL, 20, &out, &e), -1, "Ctrl-C while a tool runs");
	is_err(&e, ERR_INTERRUPTED, "interrupted", "ends the turn");
	is_buf(&scene.kinds, "stcRuSe", "what the tool had said is a result");
	is_int((int64_t)count_lines("stop", "\"status\":\"interrupted\",\"duration\":"), 1, "which is stored");
	ok(out.exchange.status == STATUS_INTERRUPTED && out.exchange.steps == 1 && !out.exchange.answer.n,
	   "the exchange has its step, and no answer");
	turn_result_release(&out);
	err_clear(&e);
	begin_scene();
	is_int(ask("stop", NULL, 20, &out, &e), 0, "the next turn");
	ok(strstr(scene.asked.p, "ls!'half' bad!'It is not known whether this ran"), "tells the model so");
	turn_result_release(&out);
}

/* In a process of its own. */
static void ask_and_die(const char *session)
{
	pid_t child;
	int status;

	fflush(stdout);
	child = fork();
	if (child == 0) {
		struct turn_result out = TURN_RESULT_INIT;
		struct err e = ERR_INIT;

		ask(session, NULL, 20, &out, &e);
		_exit(0);
	}
	waitpid(child, &status, 0);
	ok(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "killed");
}

static void check_sealed(const char *session, int64_t steps, const char *answer)
{
	const struct lock_wait wait = { .stop_fd = -1 };
	struct session x = SESSION_INIT;
	struct err e = ERR_INIT;
	const struct exchange *last = NULL;

	if (session_lock(&x, &store, session, &wait, NULL, &e) == 0)
		last = conversation_last(&x.conversation);
	ok(last && last->status == STATUS_INTERRUPTED && last->steps == steps, "its exchange has %d steps", (int)steps);
	is_span(last ? last->answer : span_str("none"), answer, "and the text that came after them");
	session_release(&x);
}

static void test_killed(void)
{
	struct turn_result out = TURN_RESULT_INIT;
	struct err e = ERR_INIT;

	begin_scene();
	scene.kill_in_tool = 1;
	create("killed", made);
	ask_and_die("killed");
	check_sealed("killed", 1, "");
	begin_scene();
	is_int(ask("killed", NULL, 20, &out, &e), 0, "the next turn");
	is_int(scene.runs, 2, "runs its own calls, and none of those that were killed");
	ok(strstr(scene.asked.p, "ls!'It is not known whether this ran"), "the model is told that it is unknown");
	turn_result_release(&out);

	begin_scene();
	scene.kill_in_request = 3;
	create("later", made);
	ask_and_die("later");
	check_sealed("later", 2, "the answer");
}

static void test_removed(void)
{
	struct turn_result out = TURN_RESULT_INIT;
	struct err e = ERR_INIT;

	begin_scene();
	scene.remove_in = 1;
	create("gone", made);
	is_int(ask(made, NULL, 20, &out, &e), -1, "the session is removed while a tool runs");
	ok(out.elsewhere && strcmp(made, "gone") != 0, "the turn is in another one");
	is_int((int64_t)count_lines(made, "\"type\":\"step\""), 1, "with its step");
	is_int((int64_t)count_lines(made, "\"type\":\"result\""), 1, "and what the tool had said");
	is_int((int64_t)count_lines(made, "\"steps\":1"), 1, "which its exchange counts");
	turn_result_release(&out);
}

static void test_full(void)
{
	struct turn_result out = TURN_RESULT_INIT;
	struct err e = ERR_INIT;
	int result;

	begin_scene();
	scene.fill_in = 1;
	create("full", made);
	result = ask("full", NULL, 20, &out, &e);
	fill_disk(false);
	is_int(result, -1, "no result can be stored");
	is_int(scene.runs, 1, "no other tool runs");
	is_int(scene.requests, 1, "and nothing is sent");
	ok(strstr(e.msg, "cannot store the result in session 'full'"), "the error says so");
	turn_result_release(&out);
}

/* The steps that are stored, and the count of them, must agree. */
static void check_stored(const char *session, int64_t steps)
{
	struct session x = SESSION_INIT;
	struct err e = ERR_INIT;
	const struct exchange_node *node = NULL;

	if (session_read(&x, &store, session, NULL, &e) == 0 && x.conversation.n)
		node = x.conversation.path[x.conversation.n - 1];
	is_int((int64_t)x.conversation.damaged, 0, "all lines can be read");
	ok(node && node->nsteps_said == steps && (int64_t)node->nsteps == steps && node->steps[0].record.json,
	   "the exchange counts its steps");
	session_release(&x);
}

static void test_unsynced(void)
{
	struct turn_result out = TURN_RESULT_INIT;
	struct err e = ERR_INIT;

	begin_scene();
	scene.unsynced_in = 1;
	create("unsynced", made);
	is_int(ask("unsynced", NULL, 20, &out, &e), -1, "a step that cannot be forced to the disk");
	ok(strstr(e.msg, "cannot store the step in session 'unsynced'"), "ends the turn");
	is_int(scene.runs, 0, "nothing runs");
	is_span(out.exchange.answer, "", "its text is not told twice");
	is_int(out.exchange.usage.total, 11, "nor counted");
	check_stored("unsynced", 1);
	turn_result_release(&out);
}

/* No session is kept for a model that does not exist; but this one has run tools. */
static void test_model_lost(void)
{
	struct turn_result out = TURN_RESULT_INIT;
	struct err e = ERR_INIT;

	begin_scene();
	scene.lose_model_in = 1;
	is_int(ask("no-model", NULL, 20, &out, &e), -1, "the first request finds no model");
	ok(out.dropped && !history_exists(&store, "no-model"), "the new session is not kept");
	turn_result_release(&out);
	err_clear(&e);
	begin_scene();
	scene.lose_model_in = 2;
	is_int(ask("model-lost", NULL, 20, &out, &e), -1, "the second one finds none");
	ok(!out.dropped, "the session is kept");
	check_stored("model-lost", 1);
	turn_result_release(&out);
}

/* As deep as the arguments alone may be, in the record they would be too deep to be read. */
static void test_deep(void)
{
	struct turn_result out = TURN_RESULT_INIT;
	struct buf deep = BUF_INIT;
	struct err e = ERR_INIT;

	for (int depth = JSON_DEPTH - 6; depth <= JSON_DEPTH; depth++) {
		char id[16];

		buf_clear(&deep);
		buf_adds(&deep, "{\"a\":");
		for (int i = 2; i < depth; i++)
			buf_addc(&deep, '[');
		buf_addc(&deep, '1');
		for (int i = 2; i < depth; i++)
			buf_addc(&deep, ']');
		buf_addc(&deep, '}');
		begin_scene();
		scene.arguments = deep.p;
		snprintf(id, sizeof(id), "deep%d", depth);
		create(id, made);
		is_int(ask(id, NULL, 20, &out, &e), 0, "arguments that are nested %d deep", depth);
		is_int(scene.runs, depth <= JSON_DEPTH - 3 ? 2 : 1, "are given to the tool unless that is too deep");
		check_stored(id, 2);
		turn_result_release(&out);
	}
	buf_release(&deep);
}

/* The time of a record is that of its beginning: with its duration, none ends in the future. */
static void test_times(void)
{
	struct turn_result out = TURN_RESULT_INIT;
	struct session x = SESSION_INIT;
	struct err e = ERR_INIT;
	const struct step_node *s;

	begin_scene();
	scene.slow_ms = 40;
	create("times", made);
	is_int(ask("times", NULL, 20, &out, &e), 0, "a turn that takes time");
	turn_result_release(&out);
	is_int(session_read(&x, &store, "times", NULL, &e), 0, "stored");
	s = x.conversation.path[0]->steps;
	ok(s[0].record.step.duration >= 40 && s[0].results[0].record.result.timestamp > s[0].record.step.timestamp + 40,
	   "a step has the time of its request, a result that of its call");
	ok(x.conversation.info.updated_at < clock_now_ms() + 20, "nothing is of a later time");
	session_release(&x);
}

/* What a tool gave as a file is sent with its result. */
static void test_files(void)
{
	static const char hello[] = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
	static const char world[] = "486ea46224d1bb4fb680f34f7c9ad96a8f24ec88be73ea8e5a6c65260e9cb8a7";
	static const struct attachment_ref refs[] = { { { hello, 64 }, { "n", 1 }, { "text/plain", 10 }, 5 },
		                                      { { world, 64 }, { "m", 1 }, { "text/plain", 10 }, 5 } };
	const struct lock_wait wait = { .stop_fd = -1 };
	struct json_object *arguments = json_object_new_object();
	struct tool_call calls[] = { { span_str("a"), span_str("see"), arguments },
		                     { span_str("b"), span_str("see"), arguments } };
	struct step step = { .exchange = span_str("x"), .timestamp = 10, .text = span_str(""), .model = span_str("m"),
		             .calls = calls, .ncalls = 2, .duration = -1, .usage = USAGE_NONE };
	struct result result = { .exchange = step.exchange, .call = calls[0].id, .timestamp = 11, .exit_status = -1,
		                 .duration = -1, .output = span_str("seen"), .attachments = &refs[1], .nattachments = 1 };
	struct exchange x = { .id = step.exchange, .has_parent = true, .timestamp = 9, .query = span_str("p"),
		              .answer = span_str("done"), .model = span_str("m"), .steps = 1, .duration = -1,
		              .usage = USAGE_NONE };
	struct turn_result out = TURN_RESULT_INIT;
	struct session s = SESSION_INIT;
	struct err e = ERR_INIT;

	begin_scene();
	create("files", made);
	is_int(session_lock(&s, &store, "files", &wait, NULL, &e), 0, "a session");
	ok(artifact_put(s.dir, hello, span_str("hello"), &e) == 0 && artifact_put(s.dir, world, span_str("world"), &e) == 0 &&
	   session_append_step(&s, &step, &e) == 0, "with a step");
	result.call = calls[1].id; /* the second one is stored first */
	ok(session_append_result(&s, &result, &e) == 0, "whose results");
	result.call = calls[0].id;
	result.attachments = &refs[0];
	ok(session_append_result(&s, &result, &e) == 0 && session_append_exchange(&s, &x, NULL, NULL, &e) == 0,
	   "have a file each");
	session_release(&s);
	is_int(ask("files", NULL, 20, &out, &e), 0, "a turn");
	ok(strstr(scene.asked.p, "u 'p'\na '' see({}) see({})\nt see='seen'+hello see='seen'+world\na 'done'\n") == scene.asked.p,
	   "sends each with its result");
	turn_result_release(&out);
	json_object_put(arguments);
}

int main(void)
{
	struct err e = ERR_INIT;

	temp_enter();
	if (store_open(&store, "store", true, &e) < 0)
		tap_note("%s", e.msg);
	test_order();
	test_unsaved();
	test_limit();
	test_interrupted();
	test_killed();
	test_removed();
	test_full();
	test_unsynced();
	test_model_lost();
	test_deep();
	test_times();
	test_files();
	begin_scene();
	store_close(&store);
	return tap_end();
}
